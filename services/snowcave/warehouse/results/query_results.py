"""Query results by query id, in one folder, for a while and up to a number of bytes.

A large result is an Arrow file of its own with its columns in the schema's metadata; a small one is the reply
that told it, appended to a file that many share. A warehouse that starts again still answers for both. A
folder of its own, one process, one event loop; file work belongs on a thread.
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
from snowcave.kit.fitting import fitting
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import columns as column_types
from snowcave.warehouse import rewrite
from snowcave.warehouse.results.segments import Place, Segments
from snowcave.warehouse.settings import ResultSettings

log = structlog.get_logger()

_ID = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_SUFFIX = ".arrow"
_COLUMNS = b"snowcave.columns"
_REPLY = b"snowcave.reply"
_OWNER = b"snowcave.owner"
# Bytes of rows in one message, far below gRPC's limit.
_LARGEST = 8 << 20
# Of a small result: its statement was run here, so it must not run again.
_RAN = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """`place`: of a small one. `ran`: None where only its file can tell."""

    bytes: int
    until: float
    place: Place | None = None
    ran: bool | None = None


def _checked(query_id: str) -> str:
    """As the name of a file."""
    if not _ID.match(query_id):
        raise rewrite.missing_result(query_id)
    return query_id


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
        self._segments = Segments(folder, settings.segment_bytes)
        self._find()

    def put(
        self,
        query_id: str,
        columns: Sequence[pb.ColumnType],
        table: pa.Table,
        reply: pb.ExecuteReply | None = None,
        *,
        owner: int = 0,
        tentative: bool = False,
    ) -> None:
        """A result is whole or not there. `reply` is for `answered`; where the rows are few it gets them.

        `owner`: uid of the user whose result it is. `tentative`: `answered` shall not know of it.
        """
        name = _checked(query_id)
        if table.nbytes <= self._settings.small_bytes:
            small = reply or pb.ExecuteReply(columns=columns)
            if not small.arrow_stream:
                small.arrow_stream = column_types.to_stream(table)
            small.asked_by = owner
            self._append(query_id, small, ran=reply is not None and not tentative)
            return
        packed = b",".join(base64.b64encode(c.SerializeToString()) for c in columns)
        metadata = {_COLUMNS: packed, _OWNER: str(owner).encode()}
        if reply is not None and not tentative:
            metadata[_REPLY] = base64.b64encode(reply.SerializeToString())
        schema = table.schema.with_metadata(metadata)
        path = self._folder / (name + _SUFFIX)
        temporary = path.with_suffix(".part")
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_table(table.cast(schema), max_chunksize=self._settings.batch_rows)
        size = temporary.stat().st_size
        temporary.rename(path)
        with self._lock:
            self._remember(query_id, Kept(size, self._now() + self._settings.ttl))

    def _append(self, query_id: str, small: pb.ExecuteReply, *, ran: bool) -> None:
        value, now = small.SerializeToString(), self._now()
        with self._lock:
            place = self._segments.append(query_id, _RAN if ran else 0, now, value)
            kept = Kept(len(value), now + self._settings.ttl, place, ran)
            self._remember(query_id, kept)

    def get(
        self, query_id: str, *, user: int | None = None
    ) -> tuple[tuple[pb.ColumnType, ...], pa.Table]:
        """Raises SnowcaveError where nothing is kept under the id, or not for `user`, where one is given.

        A large table is mapped, not read.
        """
        kept = self._look_up(query_id)
        if kept.place is not None:
            small = self._read_small(query_id, kept.place)
            if user not in (None, small.asked_by):
                raise rewrite.missing_result(query_id)
            return tuple(small.columns), column_types.from_stream(small.arrow_stream)
        table = self._read(query_id)
        metadata = table.schema.metadata or {}
        if user not in (None, int(metadata.get(_OWNER, b"0"))):
            raise rewrite.missing_result(query_id)
        packed = metadata.get(_COLUMNS, b"")
        columns = tuple(
            pb.ColumnType.FromString(base64.b64decode(part)) for part in packed.split(b",") if part
        )
        return columns, table.replace_schema_metadata(None)

    def may_have_answered(self, query_id: str) -> bool:
        """Without a look at any file: whether it is worth while to ask `answered`."""
        with self._lock:
            kept = self._kept.get(query_id)
        return kept is not None and kept.ran is not False

    def keeps(self, query_id: str) -> bool:
        with self._lock:
            return query_id in self._kept

    def answered(self, query_id: str) -> pb.ExecuteReply | None:
        """What the statement of this id answered if it ran already, whatever became of who asked.

        Rows that are many do not come along.
        """
        try:
            kept = self._look_up(query_id)
            if kept.place is not None:
                return self._read_small(query_id, kept.place) if kept.ran else None
            table = self._read(query_id)
        except SnowcaveError:
            return None
        told = (table.schema.metadata or {}).get(_REPLY)
        if told is None:
            return None
        reply = pb.ExecuteReply.FromString(base64.b64decode(told))
        if table.nbytes <= self._settings.inline_bytes:
            reply.arrow_stream = column_types.to_stream(table.replace_schema_metadata(None))
        return reply

    def _look_up(self, query_id: str) -> Kept:
        with self._lock:
            kept = self._kept.get(query_id)
        if kept is None or kept.until < self._now():
            raise rewrite.missing_result(query_id)
        return kept

    def _read_small(self, query_id: str, place: Place) -> pb.ExecuteReply:
        try:
            return pb.ExecuteReply.FromString(self._segments.read(place))
        except FileNotFoundError as error:  # swept meanwhile
            raise rewrite.missing_result(query_id) from error

    def _read(self, query_id: str) -> pa.Table:
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
                self._drop(name)
        return len(old)

    @property
    def total_bytes(self) -> int:
        return self._total

    def __len__(self) -> int:
        return len(self._kept)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _path(self, query_id: str) -> Path:
        return self._folder / (_checked(query_id) + _SUFFIX)

    def _remember(self, query_id: str, kept: Kept) -> None:
        """With the lock held."""
        if query_id in self._kept:
            self._drop(query_id, but=kept)
        self._kept[query_id] = kept
        self._total += kept.bytes
        while self._total > self._settings.max_bytes and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, query_id: str, *, but: Kept | None = None) -> None:
        """`but`: what takes its place, perhaps in the same file."""
        old = self._kept.pop(query_id)
        self._total -= old.bytes
        if old.place is not None:
            self._segments.forget(old.place)
        elif but is None or but.place is not None:
            self._path(query_id).unlink(missing_ok=True)

    def _find(self) -> None:
        """What an earlier process left."""
        for part in self._folder.glob("*.part"):
            part.unlink(missing_ok=True)
        ttl = self._settings.ttl
        found: list[tuple[float, str, Kept]] = []
        for file in self._folder.glob("*" + _SUFFIX):
            stat = file.stat()
            kept = Kept(stat.st_size, stat.st_mtime + ttl)
            found.append((stat.st_mtime, file.name.removesuffix(_SUFFIX), kept))
        for small in self._segments.find():
            ran = bool(small.flags & _RAN)
            kept = Kept(small.place.length, small.written + ttl, small.place, ran)
            found.append((small.written, small.name, kept))
        for _, name, kept in sorted(found, key=lambda one: one[:2]):
            self._remember(name, kept)
        if found:
            log.info("results_found", count=len(found), bytes=self._total)


def pieces(table: pa.Table, offset: int, limit: int, max_rows: int) -> Iterator[pa.Table]:
    """The rows from `offset` on, at most `limit` (0: all), in tables that a message may hold; at least one.

    None has more than `max_rows`.
    """
    wanted = table.slice(offset, limit or None)
    for start in range(0, max(1, wanted.num_rows), max_rows):
        yield from fitting(wanted.slice(start, max_rows), _LARGEST)
