"""SNOWFLAKE.TELEMETRY.EVENTS and its like: the documented columns over Parquet files and the live tail.

`events` writes, and answers for the tail, rows whose RESOURCE_ATTRIBUTES are many times the same: here they
are rows with a number, joined with the few texts. The view itself never changes; each session points it at
the files and the tail of the moment before a statement that may read it.

The texts say also which event table rows are in, by a number (`model.telemetry`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snowcave.model import event_files, telemetry

DATABASE = "SNOWFLAKE"
SCHEMA = "TELEMETRY"
TABLE = "EVENTS"
PLACE = (DATABASE, SCHEMA, TABLE)
# For api's own statements: the rows of all event tables.
ALL_PLACE = (DATABASE, SCHEMA, telemetry.ALL_EVENTS)

# Of a session: rows with all columns of FILED, in files and in the tail, and what their `resource` means.
FILES = "_sc_event_files"
TAIL = "_sc_event_tail"
ROWS = "_sc_event_rows"
RESOURCES = "_sc_event_resources"
_TAIL = "_sc_event_tail_arrow"
_TEXTS = "_sc_event_texts"

_TIME = pa.timestamp("us")
_JSON = pa.json_(pa.string())

# Columns of the files, and of the tail once it is conformed.
FILED = pa.schema(
    [
        ("timestamp", _TIME),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        ("record_type", pa.string()),
        ("record", _JSON),
        ("record_attributes", _JSON),
        ("scope", _JSON),
        ("value", _JSON),
        ("trace", _JSON),
        ("start_timestamp", _TIME),
        ("observed_timestamp", _TIME),
        ("scope_attributes", _JSON),
        ("exemplars", _JSON),
        ("resource", pa.int64()),
    ]
)

# The documented columns in their order. A filter on TIMESTAMP reaches the files only because the column
# stands there as it is.
COLUMNS: Mapping[str, str] = {
    "TIMESTAMP": 'f."timestamp"',
    "START_TIMESTAMP": "f.start_timestamp",
    "OBSERVED_TIMESTAMP": "f.observed_timestamp",
    "TRACE": "f.trace",
    "RESOURCE": "NULL::JSON",
    "RESOURCE_ATTRIBUTES": "r.attributes",
    "SCOPE": 'f."scope"',
    "SCOPE_ATTRIBUTES": "f.scope_attributes",
    "RECORD_TYPE": "f.record_type",
    "RECORD": "f.record",
    "RECORD_ATTRIBUTES": "f.record_attributes",
    "VALUE": 'f."value"',
    "EXEMPLARS": "f.exemplars",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """The event table as of one moment: finished files, what is in none yet, and what `resource` means."""

    files: Sequence[Path] = ()
    tail: pa.Table | None = None
    resources: Mapping[int, str] = field(default_factory=dict[int, str])


def create_views(duck: Any, folder: Path) -> None:
    """Once, before the engine is locked down. `folder` is the warehouse's own."""
    own = folder / "events"
    own.mkdir(exist_ok=True)
    pq.write_table(FILED.empty_table(), _empty(own))
    duck.execute(f"ATTACH ':memory:' AS {DATABASE}")
    duck.execute(f"CREATE SCHEMA {DATABASE}.{SCHEMA}")
    # Footers of files that never change, read once for all sessions.
    duck.execute("SET GLOBAL parquet_metadata_cache = true")
    point(duck, own, Moment())
    columns = ", ".join(f"{source} AS {name}" for name, source in COLUMNS.items())
    of_default = f"WHERE r.event_table = {telemetry.DEFAULT}"
    for (_, _, name), which in ((PLACE, of_default), (ALL_PLACE, "")):
        duck.execute(
            f"CREATE VIEW {DATABASE}.{SCHEMA}.{name} AS SELECT {columns} FROM temp.main.{ROWS} f "
            f"JOIN temp.main.{RESOURCES} r ON f.resource = r.number {which}"
        )


def point(duck: Any, own: Path, now: Moment, before: Moment | None = None) -> None:
    """Let this connection's event table be as of now. `before`: what it was until then."""
    listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in (_empty(own), *now.files))
    names = ", ".join(f'"{name}"' for name in FILED.names)
    duck.register(_TAIL, FILED.empty_table() if now.tail is None else now.tail)
    sources = {
        FILES: f"read_parquet([{listed}], union_by_name = true)",
        TAIL: f"temp.main.{_TAIL}",
    }
    for name, source in sources.items():
        duck.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {names} FROM {source}")
    if before is None:
        both = " UNION ALL ".join(f"SELECT * FROM temp.main.{name}" for name in sources)
        duck.execute(f"CREATE OR REPLACE TEMP VIEW {ROWS} AS {both}")
    if before is None or before.resources is not now.resources:
        _tell_resources(duck, now.resources)


def _tell_resources(duck: Any, resources: Mapping[int, str]) -> None:
    if not resources:  # as in every session that has not read the table
        columns = "(number BIGINT, attributes JSON, event_table BIGINT)"
        duck.execute(f"CREATE OR REPLACE TEMP TABLE {RESOURCES} {columns}")
        return
    numbers = pa.array(list(resources), pa.int64())
    said = [telemetry.told_apart(text) for text in resources.values()]
    texts = pa.array([text for text, _ in said], pa.string())
    tables = pa.array([table for _, table in said], pa.int64())
    made = pa.table({"number": numbers, "attributes": texts, "event_table": tables})
    duck.register(_TEXTS, made)
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {RESOURCES} AS "
        f"SELECT number, attributes::JSON AS attributes, event_table FROM temp.main.{_TEXTS}"
    )
    duck.unregister(_TEXTS)


def conform(tail: pa.Table) -> tuple[pa.Table, dict[int, str]]:
    """The tail in exactly the columns of the files, and what its numbers mean."""
    tail = tail.unify_dictionaries().combine_chunks()
    attributes = tail.column("resource_attributes").cast(pa.string()).combine_chunks()
    known = attributes.dictionary_encode()
    if isinstance(known, pa.ChunkedArray):
        known = known.unify_dictionaries().combine_chunks()
    texts = {event_files.resource_number(text): text for text in known.dictionary.to_pylist()}
    numbers = pa.array(list(texts), pa.int64()).take(known.indices)
    return pa.table([_column(tail, f, numbers) for f in FILED], schema=FILED), texts


def _column(tail: pa.Table, column: pa.Field, numbers: pa.Array) -> pa.Array:
    if column.name == "resource":
        return numbers
    if column.name not in tail.schema.names:
        return pa.nulls(tail.num_rows, column.type)
    plain = pa.string() if column.type == _JSON else column.type
    found: Any = tail.column(column.name).cast(plain).combine_chunks()
    if isinstance(found, pa.ChunkedArray):  # of a table without rows
        found = pa.concat_arrays(found.chunks) if found.num_chunks else pa.array([], plain)
    return pa.ExtensionArray.from_storage(_JSON, found) if column.type == _JSON else found


def may_read(sql: str) -> bool:
    """Whether a statement could read an event table, by name or as a view of the user's has it."""
    return TABLE in sql.upper() or names_its_schema(sql)


def names_its_schema(sql: str) -> bool:
    upper = sql.upper()
    return SCHEMA in upper or ROWS.upper() in upper


def rolled(folder: Path) -> list[Path]:
    """The Parquet files that `events` has finished, hour by hour."""
    return [
        hour / event_files.name_of(span)
        for hour in sorted(folder.glob("*"))
        for span in event_files.current(path.name for path in hour.iterdir())
    ]


def resources_of(file: Path) -> dict[int, str]:
    """What the numbers in a file mean."""
    return event_files.unpack_resources(pq.read_metadata(file).metadata)


def _empty(own: Path) -> Path:
    return own / "empty.parquet"
