import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.registry.access import Credential, credential, session_token
from snowcave.registry.errors import Unauthorized
from snowcave.registry.tokens import NodeToken, Sealer, UserToken, read_key


class SetClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at.timestamp()

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


KEY = bytes(range(32))


def test_a_token_opens_until_it_ends():
    clock = SetClock()
    sealer = Sealer(KEY, clock)
    user, node = sealer.for_user(7, 8, 60.0), sealer.for_node("d/s/r", 60.0)
    ends = clock.at.timestamp() + 60.0
    clock.at += timedelta(seconds=59)
    assert sealer.open(user) == UserToken(7, 8)
    assert sealer.open(node) == NodeToken("d/s/r", ends)
    assert sealer.seconds_left(ends) == 1.0
    clock.at += timedelta(seconds=2)
    for token in (user, node):
        with pytest.raises(Unauthorized, match="expired"):
            sealer.open(token)


@given(st.data())
def test_a_token_that_was_touched_does_not_open(data: st.DataObject):
    sealer = Sealer(KEY, SetClock())
    token = sealer.for_user(7, 8, 60.0)
    at = data.draw(st.integers(0, token.index(".") - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_.").filter(lambda c: c != token[at]))
    with pytest.raises(Unauthorized):
        sealer.open(token[:at] + letter + token[at + 1 :])


@given(st.text(max_size=80))
def test_a_token_of_others_does_not_open(text: str):
    with pytest.raises(Unauthorized):
        Sealer(KEY, SetClock()).open(text)


def test_a_text_sealed_for_one_purpose_serves_no_other():
    sealer = Sealer(KEY, SetClock())
    sealed = sealer.seal("upload", {"u": 1, "s": 1, "e": 1e12})
    assert sealer.unseal("upload", sealed) == {"u": 1, "s": 1, "e": 1e12}
    with pytest.raises(Unauthorized):
        sealer.open(sealed)


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path):
    path = tmp_path / "key"
    first = read_key(path)
    assert read_key(path) == first
    assert path.stat().st_mode & 0o077 == 0


def test_a_key_that_a_crash_left_empty_is_made_again(tmp_path: Path):
    path = tmp_path / "key"
    path.touch()
    assert len(read_key(path)) == 32


def test_basic_credentials_may_have_colons_in_the_password():
    text = base64.b64encode(b"me:a:b").decode()
    assert credential(f"basic  {text}") == Credential("basic", "me", "a:b")


@pytest.mark.parametrize(
    "text", ['{"token":"t","expires_in":3600}', '{\n  "token": "t"\n}\n', " t\n"]
)
def test_the_token_is_found_in_what_snow_prints(text: str):
    assert session_token(text) == "t"


@pytest.mark.parametrize("text", ["{}", '{"token": 3}', '{"token": ""}', "[]"])
def test_json_without_a_token_is_refused(text: str):
    with pytest.raises(Unauthorized):
        session_token(text)
