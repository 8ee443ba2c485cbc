"""Query results by query id: Arrow IPC files in one folder, for a while and up to a number of bytes.

A result is a file with its columns in the schema's metadata, so a warehouse that starts again still
answers for it. A folder of its own, one process, one event loop; file work belongs on a thread.
"""

import base64
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pyarrow as pa
import structlog

from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import rewrite
from snowcave.warehouse.settings import ResultSettings

log = structlog.get_logger()

_ID = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_SUFFIX = ".arrow"
_COLUMNS = b"snowcave.columns"
_REPLY = b"snowcave.reply"


@dataclass(frozen=True, slots=True)
class Kept:
    bytes: int
    until: float


class ResultStore:
    """Blocking and safe from several threads."""

    def __init__(self, folder: Path, settings: ResultSettings, clock: Clock) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._total = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._find()

    def put(
        self,
        query_id: str,
        columns: Sequence[pb.ColumnType],
        table: pa.Table,
        reply: pb.ExecuteReply | None = None,
    ) -> None:
        """Written beside and renamed: a result is whole or not there. `reply` is for `answered`."""
        path = self._path(query_id)
        packed = b",".join(base64.b64encode(c.SerializeToString()) for c in columns)
        metadata = {_COLUMNS: packed}
        if reply is not None:
            metadata[_REPLY] = base64.b64encode(reply.SerializeToString())
        schema = table.schema.with_metadata(metadata)
        temporary = path.with_suffix(".part")
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_table(table.cast(schema), max_chunksize=self._settings.batch_rows)
        size = temporary.stat().st_size
        temporary.rename(path)
        self._remember(query_id, size)

    def get(self, query_id: str) -> tuple[tuple[pb.ColumnType, ...], pa.Table]:
        """Raises SnowcaveError where nothing is kept under the id. The table is mapped, not read."""
        table = self._read(query_id)
        packed = (table.schema.metadata or {}).get(_COLUMNS, b"")
        columns = tuple(
            pb.ColumnType.FromString(base64.b64decode(part)) for part in packed.split(b",") if part
        )
        return columns, table.replace_schema_metadata(None)

    def answered(self, query_id: str) -> tuple[pb.ExecuteReply, pa.Table] | None:
        """What the statement of this id answered if it ran already, whatever became of who asked."""
        with self._lock:
            if query_id not in self._kept:
                return None
        try:
            table = self._read(query_id)
        except SnowcaveError:
            return None
        reply = (table.schema.metadata or {}).get(_REPLY)
        if reply is None:
            return None
        told = pb.ExecuteReply.FromString(base64.b64decode(reply))
        return told, table.replace_schema_metadata(None)

    def _read(self, query_id: str) -> pa.Table:
        with self._lock:
            kept = self._kept.get(query_id)
        if kept is None or kept.until < self._now():
            raise rewrite.missing_result(query_id)
        try:
            with pa.memory_map(str(self._path(query_id))) as source:
                return pa.ipc.open_file(source).read_all()
        except (FileNotFoundError, pa.ArrowInvalid) as error:
            raise rewrite.missing_result(query_id) from error

    def sweep(self) -> int:
        """Forget what has expired; answers how many."""
        now = self._now()
        with self._lock:
            old = [name for name, kept in self._kept.items() if kept.until < now]
            for name in old:
                self._forget(name)
        return len(old)

    @property
    def total_bytes(self) -> int:
        return self._total

    def __len__(self) -> int:
        return len(self._kept)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _path(self, query_id: str) -> Path:
        if not _ID.match(query_id):
            raise rewrite.missing_result(query_id)
        return self._folder / (query_id + _SUFFIX)

    def _remember(self, query_id: str, size: int) -> None:
        with self._lock:
            if (before := self._kept.pop(query_id, None)) is not None:
                self._total -= before.bytes
            self._kept[query_id] = Kept(size, self._now() + self._settings.ttl)
            self._total += size
            while self._total > self._settings.max_bytes and len(self._kept) > 1:
                self._forget(next(iter(self._kept)))

    def _forget(self, query_id: str) -> None:
        self._total -= self._kept.pop(query_id).bytes
        self._path(query_id).unlink(missing_ok=True)

    def _find(self) -> None:
        """What an earlier process left."""
        for part in self._folder.glob("*.part"):
            part.unlink(missing_ok=True)
        found = sorted((f.stat().st_mtime, f) for f in self._folder.glob("*" + _SUFFIX))
        for written, file in found:
            size = file.stat().st_size
            self._kept[file.name.removesuffix(_SUFFIX)] = Kept(size, written + self._settings.ttl)
            self._total += size
        if found:
            log.info("results_found", count=len(found), bytes=self._total)


def pieces(table: pa.Table, offset: int, limit: int, max_rows: int) -> Iterator[pa.Table]:
    """The rows from `offset` on, at most `limit` (0: all), in tables of at most `max_rows`; at least one."""
    wanted = table.slice(offset, limit or None)
    if wanted.num_rows == 0:
        yield wanted
    for start in range(0, wanted.num_rows, max_rows):
        yield wanted.slice(start, max_rows)
