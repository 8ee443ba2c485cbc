"""The Parquet files of the event table, a folder for each hour: written, merged, deleted, read.

Files are sorted by service and time. Everything here blocks. Which files count changes in one thread only;
writing and merging may run beside it, as a new file counts from the next `count` on.
"""

import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from snowcave.events import durable, rows, sorting
from snowcave.events.compaction import Found, merged
from snowcave.events.rows import STORED
from snowcave.model import event_files
from snowcave.model.event_files import Span

_ROW_GROUP = 20_000


class ParquetFiles:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._hours: dict[str, list[Span]] = {}
        for hour in sorted(path.name for path in folder.iterdir() if path.is_dir()):
            for unfinished in (folder / hour).glob("*.tmp"):
                unfinished.unlink()
            self.count(hour)

    def count(self, hour: str) -> None:
        """Look again which files of the hour count."""
        folder = self.folder / hour
        self._hours[hour] = event_files.current(path.name for path in folder.iterdir())

    def hours(self) -> list[str]:
        return sorted(self._hours)

    def last_segment(self) -> int:
        return max((span.last for spans in self._hours.values() for span in spans), default=0)

    def listed(self, held: Collection[int], oldest_hour: str) -> list[str]:
        """Relative names of what counts, without files of segments that still stand in the log."""
        return [
            f"{hour}/{event_files.name_of(span)}"
            for hour, spans in sorted(self._hours.items())
            if hour >= oldest_hour
            for span in spans
            if span.first not in held
        ]

    def found(self, hour: str, below: int) -> list[Found]:
        """Files of segments before that number, with their sizes."""
        return [
            Found(span, self._path(hour, span).stat().st_size)
            for span in self._hours.get(hour, ())
            if span.last < below
        ]

    def write(self, hour: str, span: Span, table: pa.Table) -> None:
        folder = self.folder / hour
        if not folder.exists():
            folder.mkdir()
            durable.sync_folder(self.folder)
        temporary = folder / f"{event_files.name_of(span)}.tmp"
        pq.write_table(
            _filed(table),
            temporary,
            compression="zstd",
            row_group_size=_ROW_GROUP,
            use_dictionary=cast(Any, _DICTIONARIES),
        )
        durable.settle(temporary, self._path(hour, span))

    def merge(self, hour: str, group: Sequence[Span]) -> int:
        """One file for several; returns its rows. They go on to count until `count`."""
        table = pa.concat_tables(_read(self._path(hour, span)) for span in group)
        self.write(hour, merged(group), sorting.in_order(table))
        return table.num_rows

    def sweep(self, before: float) -> int:
        """Delete what was replaced before that wall-clock time; returns how many files."""
        gone = 0
        for hour in self._hours:
            names = [path.name for path in (self.folder / hour).iterdir()]
            for span, wider in event_files.replaced(names).items():
                if self._path(hour, wider).stat().st_mtime < before:
                    self._path(hour, span).unlink(missing_ok=True)
                    gone += 1
        return gone

    def expire(self, oldest_hour: str) -> list[str]:
        """Delete the hours before `oldest_hour`; returns them."""
        gone = [hour for hour in self.hours() if hour < oldest_hour]
        for hour in gone:
            del self._hours[hour]
            shutil.rmtree(self.folder / hour)
        return gone

    def _path(self, hour: str, span: Span) -> Path:
        return self.folder / hour / event_files.name_of(span)


# The texts of lines hardly repeat; those that do are dictionaries already.
_DICTIONARIES = [
    *(name for name in STORED.names if pa.types.is_dictionary(STORED.field(name).type)),
    "service",
    "instance_id",
    "resource",
]


_JSON = pa.json_(pa.string())
_JSON_COLUMNS = (
    *("record", "record_attributes", "scope", "value", "trace", "scope_attributes", "exemplars"),
)
_AS_THEY_ARE = [
    name for name in STORED.names if name not in (*_JSON_COLUMNS, "resource_attributes")
]


def _filed(table: pa.Table) -> pa.Table:
    """As files hold it: with numbers for RESOURCE_ATTRIBUTES, and what they mean beside."""
    column = table.column("resource_attributes").unify_dictionaries().combine_chunks()
    texts = cast(Any, column).dictionary.to_pylist()
    numbers = pa.array([event_files.resource_number(text) for text in texts], pa.int64())
    columns = {name: _as_json(table.column(name)) for name in _JSON_COLUMNS}
    columns |= {"resource": numbers.take(cast(Any, column).indices)}
    columns = {name: table.column(name) for name in _AS_THEY_ARE} | columns
    return pa.table(columns).replace_schema_metadata(
        {event_files.RESOURCES: event_files.pack_resources(texts)}
    )


def read_of(path: Path, service: int) -> Iterator[pa.Table]:
    """A file's rows, of one service alone where one is named: then most of the file is not even read."""
    if not service:
        yield _read(path)
        return
    with pq.ParquetFile(path) as file:
        groups = [
            number
            for number in range(file.metadata.num_row_groups)
            if _may_hold(file.metadata.row_group(number), service)
        ]
        if groups:
            yield _stored(file.read_row_groups(groups))


def _read(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return _stored(file.read())


def _stored(table: pa.Table) -> pa.Table:
    """In exactly today's columns; what an older file lacks is NULL."""
    known = event_files.unpack_resources(table.schema.metadata)
    numbers = pa.array(list(known), pa.int64())
    index = rows.compute.index_in(table.column("resource"), value_set=numbers)
    texts = pa.array(list(known.values()), pa.string())
    shared = [pa.DictionaryArray.from_arrays(chunk, texts) for chunk in index.chunks]
    found = {name: _as_text(table.column(name)) for name in table.schema.names}
    kind = STORED.field("resource_attributes").type
    found["resource_attributes"] = pa.chunked_array(shared, kind)
    return pa.table(
        [
            found[field.name].cast(field.type)
            if field.name in found
            else pa.nulls(table.num_rows, field.type)
            for field in STORED
        ],
        schema=STORED,
    )


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Marked as JSON in the file, so that no reader has to see for each value whether it is."""
    chunks = cast(Any, column.cast(pa.string())).chunks
    return pa.chunked_array([pa.ExtensionArray.from_storage(_JSON, one) for one in chunks], _JSON)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type != _JSON:
        return column
    return pa.chunked_array([one.storage for one in cast(Any, column).chunks], pa.string())


def _may_hold(group: Any, service: int) -> bool:
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == "service":
            known = column.statistics
            return known is None or not known.has_min_max or known.min <= service <= known.max
    return True
