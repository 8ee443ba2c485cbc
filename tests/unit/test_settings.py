"""Settings as an operator sees them."""

from dataclasses import dataclass, field

from snowcave.registry.settings import Upstream
from snowcave.runtime.settings import plain


@dataclass(frozen=True)
class _Nested:
    upstream: Upstream
    sizes: tuple[int, ...] = (1, 2)
    names: list[str] = field(default_factory=list[str])


def test_what_is_printed_holds_every_setting_but_no_secret() -> None:
    shown = plain(_Nested(Upstream(username="joe", password="very secret")))
    assert shown["sizes"] == [1, 2]
    assert shown["upstream"]["username"] == "joe"
    assert shown["upstream"]["password"] == "****"
    assert "very secret" not in str(shown)
