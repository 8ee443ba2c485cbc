"""Both generations of Snowflake's connector against the front door."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from snowcave.api.settings import ApiSettings, QuerySettings
from snowcave.runtime.mesh import Mesh
from tests.kit.connectors import V4, V5, python_with, run_script
from tests.kit.fronts import running_front

SCRIPT = Path(__file__).parent / "connector_script.py"
SETTINGS = ApiSettings(Mesh(), queries=QuerySettings(hold=1.0, inline_rows=1000, chunk_rows=1500))
SHOWN = [["a", True, 1], [None, False, 2]]
ROW_OF_TYPES = [
    "12",
    "Decimal('1.50')",
    "2.5",
    "'héllo'",
    "True",
    "datetime.date(2024, 2, 29)",
    "datetime.time(12, 34, 56, 789000)",
    "datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)",
]


@pytest.fixture(params=[V4, V5])
def python(request: pytest.FixtureRequest) -> Path:
    return python_with(request.param)


@pytest.mark.validated
@pytest.mark.timeout(300)
async def test_a_connector_sees_everything_as_it_does_at_snowflake(
    python: Path, tmp_path: Path
) -> None:
    async with running_front(tmp_path, SETTINGS) as front:
        seen: Mapping[str, Any] = await asyncio.to_thread(
            run_script, python, SCRIPT, str(front.port), front.password
        )
    assert front.warehouse.running == {}
    assert len(front.warehouse.closed) == 3
    _logins_are_right(seen)
    _values_are_right(seen)
    _failures_are_right(seen)
    assert seen["async status"] == "SUCCESS"
    assert seen["async"] == [[1]]
    assert seen["aborted status"] == "ABORTED"


def _logins_are_right(seen: Mapping[str, Any]) -> None:
    assert seen["wrong password"][:2] == [390100, "28000"]
    assert seen["wrong role"][0] == 390189
    assert seen["role"] == "ACCOUNTADMIN"
    assert seen["database before"] is None
    assert seen["database after"] == ["DB1", "PUBLIC"]


def _values_are_right(seen: Mapping[str, Any]) -> None:
    assert seen["select"] == [[1]]
    assert seen["description"] == [["1", 0]]
    full, nulls = seen["types"]
    assert full[:8] == ROW_OF_TYPES
    assert full[8].startswith("datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=")
    assert full[9].startswith("datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=")
    assert full[10] in ("b'\\x00\\xff'", "bytearray(b'\\x00\\xff')")  # v4, v5
    assert full[11] == "'{\"a\": 1}'"
    assert set(nulls) == {"None"}
    assert seen["rows"] == [5000, [4999, "row 4999"], 5000, True]
    assert seen["empty"] == []
    assert seen["show"] == seen["show again"] == SHOWN
    assert seen["insert"] == 3
    assert seen["slow"] == [[1]]
    assert [text for (text,) in seen["binds"]] == [
        "FIXED:['1']",
        "TEXT:['a']",
        "ANY:['']",
        "BOOLEAN:['true']",
        "REAL:['2.5']",
    ]
    assert seen["many"] == 2


def _failures_are_right(seen: Mapping[str, Any]) -> None:
    number, sqlstate, words = seen["error"]
    assert (number, sqlstate) == (2003, "02000")
    assert "002003 (02000): SQL compilation error:\nTable 'HERE' does not exist" in words
    assert seen["bug"][0] == 370001
    assert "ZeroDivision" not in seen["bug"][2]
    assert seen["timeout"][:2] == [630, "57014"]
