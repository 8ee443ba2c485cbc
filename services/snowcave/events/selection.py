"""The rows that a scan asks for, out of files and tail. Blocking, otherwise pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa

from snowcave.events import parquet
from snowcave.events.rows import STORED, compute
from snowcave.events.store import Scan, Tail


def select(whole: Tail, folder: Path, wish: Scan) -> pa.Table:
    """Hour by hour, so that a limit ends the search once no other hour could matter.

    Rows of one moment stand in the order in which they came, or the other way round with the newest first.
    """
    logged = [batch for piece in whole.pieces.values() for batch in piece]
    latest = matching(pa.Table.from_batches(logged, schema=STORED), wish)
    hours: list[list[pa.Table]] = []
    for hour, files in _hours(whole, wish):
        read = [table for name in files for table in parquet.read_of(folder / name, wish.service)]
        hours.append([matching(table, wish) for table in read])
        if wish.limit and wish.newest_first:
            so_far = [latest, *(table for tables in hours for table in tables)]
            if _beyond(so_far, hour) >= wish.limit:
                break
    if wish.newest_first:
        hours.reverse()
    found = [*(table for tables in hours for table in tables), latest]
    table = pa.concat_tables(found).unify_dictionaries()
    if wish.newest_first:
        table = _newest_first(table)
    return table.slice(0, wish.limit) if wish.limit else table


def _newest_first(table: pa.Table) -> pa.Table:
    last_first = pa.array(range(table.num_rows - 1, -1, -1), pa.int64())
    stamps = table.column("timestamp").take(last_first)
    order = compute.sort_indices(stamps, sort_keys=[("", "descending")])
    return table.take(last_first.take(order))


def matching(table: pa.Table, wish: Scan) -> pa.Table:
    conditions: list[pa.ChunkedArray] = []
    stamp = table.column("timestamp")
    if wish.since:
        conditions.append(compute.greater_equal(stamp, _scalar(wish.since)))
    if wish.until:
        conditions.append(compute.less(stamp, _scalar(wish.until)))
    if wish.service:
        conditions.append(compute.equal(table.column("service"), wish.service))
    if wish.record_type:
        kinds = table.column("record_type").cast(pa.string())
        conditions.append(compute.equal(kinds, wish.record_type))
    if wish.attributes:
        conditions.append(_have(table.column("resource_attributes"), wish.attributes))
    for condition in conditions[1:]:
        conditions[0] = compute.and_(conditions[0], condition)
    return table.filter(conditions[0]) if conditions else table


def _have(column: pa.ChunkedArray, wanted: Mapping[str, str]) -> pa.ChunkedArray:
    """Looked at once for each distinct text."""
    masks: list[pa.Array] = []
    for chunk in cast(list[Any], column.chunks):
        texts = [meets(text, wanted) for text in chunk.dictionary.to_pylist()]
        masks.append(pa.array(texts, pa.bool_()).take(chunk.indices))
    return pa.chunked_array(masks, pa.bool_())


def meets(attributes: str, wanted: Mapping[str, str]) -> bool:
    """See `Scan.attributes`."""
    said: Any = orjson.loads(attributes)
    for name, text in wanted.items():
        found = said.get(name)
        if found is None or (isinstance(found, str) and found != text):
            return False
    return True


def _hours(whole: Tail, wish: Scan) -> Iterator[tuple[str, list[str]]]:
    """Those that the wish's times touch, newest first where the wish is."""
    by_hour: dict[str, list[str]] = {}
    for name in whole.files:
        by_hour.setdefault(name.partition("/")[0], []).append(name)
    for hour in sorted(by_hour, reverse=wish.newest_first):
        if wish.since and hour < _folder(wish.since):
            continue
        if wish.until and hour > _folder(wish.until):
            continue
        yield hour, by_hour[hour]


def _beyond(found: list[pa.Table], hour: str) -> int:
    """How many rows are as young as the hour."""
    start = _scalar(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC))
    return sum(
        table.num_rows
        and int(compute.sum(compute.greater_equal(table.column("timestamp"), start)).as_py() or 0)
        for table in found
    )


def _folder(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H")


def _scalar(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
