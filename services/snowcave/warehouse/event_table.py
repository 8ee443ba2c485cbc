"""SNOWFLAKE.TELEMETRY.EVENTS: the documented columns over Parquet files and the live tail.

`events` writes, and answers for the tail, rows with the columns of STORED. The view itself never
changes; each session points it at the files and the tail of the moment before a statement that may
read it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snowcave.model import event_files

DATABASE = "SNOWFLAKE"
SCHEMA = "TELEMETRY"
TABLE = "EVENTS"

_SOURCE = "_sc_events"
_TAIL = "_sc_events_tail"

STORED = pa.schema(
    [
        ("timestamp", pa.timestamp("us")),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        ("record_type", pa.string()),
        ("record", pa.string()),
        ("record_attributes", pa.string()),
        ("scope", pa.string()),
        ("value", pa.string()),
        ("trace", pa.string()),
        ("resource_attributes", pa.string()),
        ("start_timestamp", pa.timestamp("us")),
        ("observed_timestamp", pa.timestamp("us")),
        ("scope_attributes", pa.string()),
        ("exemplars", pa.string()),
    ]
)

# The filter on TIMESTAMP reaches the files only because the column stands there as it is.
_COLUMNS = """
    "timestamp" AS "TIMESTAMP",
    start_timestamp AS START_TIMESTAMP,
    observed_timestamp AS OBSERVED_TIMESTAMP,
    trace::JSON AS TRACE,
    NULL::JSON AS RESOURCE,
    resource_attributes::JSON AS RESOURCE_ATTRIBUTES,
    "scope"::JSON AS SCOPE,
    scope_attributes::JSON AS SCOPE_ATTRIBUTES,
    record_type AS RECORD_TYPE,
    record::JSON AS RECORD,
    record_attributes::JSON AS RECORD_ATTRIBUTES,
    "value"::JSON AS VALUE,
    exemplars::JSON AS EXEMPLARS
"""


def create_views(duck: Any, folder: Path) -> None:
    """Once, before the engine is locked down. `folder` is the warehouse's own."""
    own = folder / "events"
    own.mkdir(exist_ok=True)
    pq.write_table(STORED.empty_table(), _empty(own))
    duck.execute(f"ATTACH ':memory:' AS {DATABASE}")
    duck.execute(f"CREATE SCHEMA {DATABASE}.{SCHEMA}")
    point(duck, own, (), None)
    duck.execute(
        f"CREATE VIEW {DATABASE}.{SCHEMA}.{TABLE} AS SELECT {_COLUMNS} FROM temp.main.{_SOURCE}"
    )


def point(duck: Any, own: Path, files: Sequence[Path], tail: pa.Table | None) -> None:
    """Let this connection's event table read these files and this tail."""
    listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in (_empty(own), *files))
    names = ", ".join(f'"{name}"' for name in STORED.names)
    sql = f"SELECT {names} FROM read_parquet([{listed}], union_by_name = true)"
    if tail is not None and tail.num_rows:
        duck.register(_TAIL, conform(tail))
        sql += f" UNION ALL SELECT {names} FROM temp.main.{_TAIL}"
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {_SOURCE} AS {sql}")


def conform(tail: pa.Table) -> pa.Table:
    """The tail in exactly the stored columns; one that is missing is NULL."""
    arrays = [
        tail.column(field.name).cast(field.type)
        if field.name in tail.schema.names
        else pa.nulls(tail.num_rows, field.type)
        for field in STORED
    ]
    return pa.Table.from_arrays(arrays, schema=STORED)


def may_read(sql: str) -> bool:
    """Whether a statement could read the event table, by name or through a view of the user's."""
    return TABLE in sql.upper() or "TELEMETRY" in sql.upper()


def rolled(folder: Path) -> list[Path]:
    """The Parquet files that `events` has finished, hour by hour."""
    return [
        hour / event_files.name_of(span)
        for hour in sorted(folder.glob("*"))
        for span in event_files.current(path.name for path in hour.iterdir())
    ]


def _empty(own: Path) -> Path:
    return own / "empty.parquet"
