"""Rows as they are stored: one Arrow schema for the log, the Parquet files and Scan. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute

from snowcave.v1 import events_pb2 as v1

# Its functions are made at run time, so type checkers do not know them.
compute: Any = pyarrow.compute

_HOUR_MICROS = 3_600_000_000
_LAST_SECOND = 253_402_300_800  # the year 10000

# Stored columns of the event table; the warehouse makes the documented ones of them.
STORED = pa.schema(
    [
        pa.field("timestamp", pa.timestamp("us")),
        pa.field("service", pa.int64()),
        pa.field("instance_id", pa.int32()),
        pa.field("record_type", pa.string()),
        pa.field("record", pa.string()),
        pa.field("record_attributes", pa.string()),
        pa.field("scope", pa.string()),
        pa.field("value", pa.string()),
        pa.field("trace", pa.string()),
        pa.field("resource_attributes", pa.dictionary(pa.int32(), pa.string())),
    ]
)

# The same rows in the log, where a frame holds its few resources once and rows point to them.
LOGGED = pa.schema(
    [
        *(field for field in STORED if field.name != "resource_attributes"),
        pa.field("resource", pa.int32()),
    ]
)

RESOURCES = pa.schema(
    [
        pa.field("run", pa.string()),
        pa.field("generation", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("attributes", pa.string()),
    ]
)

# How far one container run is stored: (file generation, offset of its last row).
Mark = tuple[int, int]
Marks = dict[str, Mark]


def attributes(resource: v1.Resource) -> str:
    """RESOURCE_ATTRIBUTES as JSON: today's names and those of the generations before.

    Source: facts on the event table (S1-S4); older names kept because published queries use them.
    """
    values: dict[str, object] = {
        "snow.account.name": resource.account_name,
        "snow.compute_pool.id": resource.compute_pool,
        "snow.compute_pool.name": resource.compute_pool_name,
        "snow.compute_pool.node.id": resource.node,
        "snow.compute_pool.node.instance_family": resource.instance_family,
        "snow.database.id": resource.database,
        "snow.database.name": resource.database_name,
        "snow.schema.id": resource.schema,
        "snow.schema.name": resource.schema_name,
        "snow.service.id": resource.service,
        "snow.service.name": resource.service_name,
        "snow.service.type": resource.service_type,
        "snow.service.instance": str(resource.instance_id),
        "snow.service.container.instance": str(resource.instance_id),
        "snow.container.instance": str(resource.instance_id),
        "snow.service.container.name": resource.container_name,
        "snow.service.container.run.id": resource.container_run_id,
        "snow.executable.id": resource.service,
        "snow.executable.name": resource.service_name,
        "snow.executable.type": "SnowparkContainers",
        "snow.containers.name": resource.container_name,
        "snow.containers.instance.id": str(resource.instance_id),
    }
    return orjson.dumps({k: v for k, v in values.items() if v not in ("", 0)}).decode()


def is_storable(row: v1.EventRow) -> bool:
    """A moment outside these has no hour folder, and would stop the log from ever being rolled."""
    return 0 <= row.timestamp.seconds < _LAST_SECOND and 0 <= row.timestamp.nanos < 10**9


def is_new(mark: Mark | None, row: v1.EventRow) -> bool:
    """Agents send a container's rows in order: what is not past the mark was stored before."""
    return mark is None or (row.file_generation, row.offset) > mark


def select_new(request: v1.AppendRequest, marks: Marks) -> tuple[list[v1.EventRow], Marks]:
    """The rows not stored yet, and the marks that storing them moves."""
    moved: Marks = {}
    fresh: list[v1.EventRow] = []
    runs = [resource.container_run_id for resource in request.resources]
    for row in request.rows:
        run = runs[row.resource]
        if is_new(moved.get(run, marks.get(run)), row):
            moved[run] = (row.file_generation, row.offset)
            fresh.append(row)
    return fresh, moved


def to_batches(
    resources: Sequence[v1.Resource], rows: Sequence[v1.EventRow], moved: Marks
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """One frame: its resources with the marks they reach, and its rows."""
    none: Mark = (0, -1)
    table = pa.record_batch(
        [
            [one.container_run_id for one in resources],
            [moved.get(one.container_run_id, none)[0] for one in resources],
            [moved.get(one.container_run_id, none)[1] for one in resources],
            [attributes(one) for one in resources],
        ],
        schema=RESOURCES,
    )
    logged = pa.record_batch(
        [
            pa.array([_micros(row) for row in rows], pa.timestamp("us")),
            [resources[row.resource].service for row in rows],
            pa.array([resources[row.resource].instance_id for row in rows], pa.int32()),
            [row.record_type for row in rows],
            [row.record or None for row in rows],
            [row.record_attributes or None for row in rows],
            [row.scope or None for row in rows],
            [row.value or None for row in rows],
            [row.trace or None for row in rows],
            pa.array([row.resource for row in rows], pa.int32()),
        ],
        schema=LOGGED,
    )
    return table, logged


def stored(resources: pa.RecordBatch, rows: pa.RecordBatch) -> pa.RecordBatch:
    """A frame's rows with their attributes, sharing one copy of each text."""
    dictionary = pa.DictionaryArray.from_arrays(
        rows.column("resource"), resources.column("attributes")
    )
    columns = [rows.column(name) for name in STORED.names[:-1]]
    return pa.record_batch([*columns, dictionary], schema=STORED)


def marks_of(resources: pa.RecordBatch) -> Marks:
    """How far a frame's rows reach."""
    runs = resources.to_pydict()
    return {
        run: (generation, offset)
        for run, generation, offset in zip(
            runs["run"], runs["generation"], runs["offset"], strict=True
        )
        if offset >= 0
    }


def concat(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """All of a segment, sorted as its file will be: by service, then time."""
    table = pa.Table.from_batches(list(batches), schema=STORED).unify_dictionaries()
    return table.sort_by([("service", "ascending"), ("timestamp", "ascending")])


def by_hour(table: pa.Table) -> dict[str, pa.Table]:
    """Hour folder (UTC, `2026-11-22T13`) → its rows."""
    micros = table.column("timestamp").cast(pa.int64())
    hours = compute.divide(micros, _HOUR_MICROS)
    found: dict[str, pa.Table] = {}
    for hour in sorted(hours.unique().to_pylist()):
        name = datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")
        found[name] = table.filter(compute.equal(hours, hour))
    return found


def _micros(row: v1.EventRow) -> int:
    return row.timestamp.seconds * 1_000_000 + row.timestamp.nanos // 1000
