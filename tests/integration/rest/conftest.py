"""One REST API for the folder."""

from collections.abc import AsyncGenerator

import pytest

from tests.kit.rest import Rest, running_rest


@pytest.fixture(scope="session")
async def rest(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rest]:
    async with running_rest(tmp_path_factory.mktemp("rest")) as made:
        yield made
