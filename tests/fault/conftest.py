"""One mesh for all fault tests: each asserts that it is whole before it breaks something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.kit.ground import Ground, grounded

# A connector whose time for a statement is over asks in a thread of its own to abort it, which
# fails with a traceback while the API is away. What matters is what the statement itself raises.
ABORTED = r"ignore:[\s\S]*abort-request:pytest.PytestUnhandledThreadExceptionWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.filterwarnings(ABORTED))


@pytest.fixture(scope="session")
def ground(tmp_path_factory) -> Iterator[Ground]:
    with grounded(tmp_path_factory.mktemp("ground")) as made:
        yield made
