"""Bound values, session variables, RESULT_SCAN and chains, by both generations of the connector."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.api.test_api_daemons import password, platform
from tests.kit.connectors import V4, V5, python_with, run_script
from tests.kit.daemons import running

SCRIPT = Path(__file__).parent / "values_script.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.documented]


@pytest.mark.parametrize("version", [V4, V5])
async def test_values_and_results_pass_from_statement_to_statement(
    tmp_path: Path, version: str
) -> None:
    async with platform(tmp_path) as (mesh, _), running(mesh, "api"):
        seen = await asyncio.to_thread(
            run_script, python_with(version), SCRIPT, str(mesh.port("api")), password(mesh)
        )
    assert seen == {
        "pyformat": "it's",
        "qmark": ["PA"],
        "within": [["x", "SUSPENDED", 7]],
        "header": "PARSE_JSON(SYSTEM$GET_COMPUTE_POOL_STATUS(?)):STATUS::VARCHAR",
        "numeric": 3,
        "scanned": [["PB", 5]],
        "families": [[True, 124]],
        "chain": [["PB,PA", "PB"]],
        "listed": [[1]],
    }
