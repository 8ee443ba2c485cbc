"""The pages that scripts/docs writes, and what the table of errors promises."""

from pathlib import Path

import pytest

from snowcave.model import docs
from snowcave.model.errors import SnowcaveError

PAGES = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", sorted(docs.PAGES))
def test_the_page_is_what_scripts_docs_would_write(name: str) -> None:
    assert (PAGES / f"{name}.md").read_text() == docs.PAGES[name](), "run scripts/docs"


@pytest.mark.parametrize("error", list(docs.error_classes()), ids=lambda one: one.__name__)
def test_every_error_has_a_number_and_a_state_that_clients_can_read(
    error: type[SnowcaveError],
) -> None:
    assert 0 < error.code < 1_000_000
    assert len(error.sqlstate) == 5
    assert error.sqlstate.isalnum()
