"""One mesh for all fault tests: each asserts that it is whole before it breaks something."""

from collections.abc import Iterator

import pytest

from tests.fault.kit.ground import Ground, grounded


@pytest.fixture(scope="session")
def ground(tmp_path_factory) -> Iterator[Ground]:
    with grounded(tmp_path_factory.mktemp("ground")) as made:
        yield made
