"""Rows as files have them: sorted by service and time, hour by hour. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa

from snowcave.events.rows import STORED, compute

_HOUR_MICROS = 3_600_000_000


def concat(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """All of a segment, sorted as its file will be: by service, then time."""
    return in_order(pa.Table.from_batches(list(batches), schema=STORED))


def in_order(table: pa.Table) -> pa.Table:
    """As files are sorted. Rows of one moment keep their order."""
    table = table.unify_dictionaries().combine_chunks()
    order = compute.sort_indices(
        table.select(["service", "timestamp"]),
        sort_keys=[("service", "ascending"), ("timestamp", "ascending")],
    )
    return table.take(order)


def by_hour(table: pa.Table) -> dict[str, pa.Table]:
    """Hour folder (UTC, `2026-11-22T13`) → its rows."""
    hours = compute.divide(table.column("timestamp").cast(pa.int64()), _HOUR_MICROS)
    distinct = sorted(hours.unique().to_pylist())
    if len(distinct) == 1:
        return {_folder(distinct[0]): table}
    return {_folder(hour): table.filter(compute.equal(hours, hour)) for hour in distinct}


def _folder(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")
