"""One REST API for each module, whose tests share its loop."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from snowcave.api.rest.settings import RestSettings
from tests.kit.rest import Rest, running_rest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Rest]:
    """With the module's own settings, where it has some (SETTINGS)."""
    settings = getattr(request.module, "SETTINGS", RestSettings())
    async with running_rest(tmp_path_factory.mktemp("rest"), settings) as made:
        yield made
