"""Rows of the event table as the warehouse gets them: a tail, and files beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snowcave.model import event_files
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.event_tables.table import Moment

_TEXTS = ("record_type", "record", "record_attributes", "scope", "value", "trace")
SENT = pa.schema(
    [
        ("timestamp", pa.timestamp("us")),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        *((name, pa.string()) for name in _TEXTS),
        ("resource_attributes", pa.string()),
    ]
)

Row = Mapping[str, object]


def moment(tail: Sequence[Row] = (), files: Mapping[Path, Sequence[Row]] | None = None) -> Moment:
    """The event table with these rows; the files are written."""
    table, resources = event_table.conform(pa.Table.from_pylist(list(tail), schema=SENT))
    for path, rows in (files or {}).items():
        filed, texts = event_table.conform(pa.Table.from_pylist(list(rows), schema=SENT))
        metadata = {event_files.RESOURCES: event_files.pack_resources(texts.values())}
        pq.write_table(filed.replace_schema_metadata(metadata), path)
        resources |= event_table.resources_of(path)
    return Moment(list(files or {}), table, resources)
