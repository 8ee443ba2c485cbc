"""What makes the state last: one SQLite file, written by one thread.

Requests that arrive while the thread waits for the disk go into its next transaction together, so the
store answers as many of them as come, at the price of one fsync a round. Nobody is answered, and nothing
is visible, before it is on disk.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from snowcave.model.errors import SnowcaveError
from snowcave.statestore.mvcc import Version

log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE change (
  revision INTEGER NOT NULL, step INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
  created INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL,
  PRIMARY KEY (revision, step)
) WITHOUT ROWID;
CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL, owner TEXT NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_VERSION = 1
_COLUMNS = 7
# Rows of one INSERT at most. Few large statements, for each one run is a chance for the other thread to
# take the interpreter.
_ROWS = 128
# A round begins when this part of those who usually wait at once has come, or when they have had the time
# that it takes to read their requests. Large rounds are much cheaper for everybody: the disk, the two
# threads that share the interpreter, and the clients, who get their answers by the packet.
_QUORUM = 0.9
_READING = 0.00015
# What a round forgets of how many usually wait.
_FADE = 0.95


class StateDamaged(SnowcaveError):
    """The file cannot be used; the text says what to do."""


class CommitFailed(SnowcaveError):
    """The disk refused; what is in memory is ahead of it, so the process has to start again."""


Statement = tuple[str, Sequence[Any]]


@dataclass(slots=True)
class _Batch:
    """One SQLite transaction: rows of changes first, then other statements."""

    head: int = 0
    rows: list[Any] = field(default_factory=list[Any])
    statements: list[Statement] = field(default_factory=list[Statement])
    waiters: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the file held when it was opened."""

    cluster: int
    member: int
    compacted: int
    versions: Iterator[Version]
    # (id, ttl, owner)
    leases: list[tuple[int, int, str]]


class Journal:
    def __init__(self, connection: sqlite3.Connection, path: Path, linger: float) -> None:
        self._connection = connection
        self._path = path
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._pending = _Batch()
        self._writing = 0
        self._timer: asyncio.Handle | None = None
        # How many have waited at once lately.
        self._crowd = 1.0
        self._head = 0
        self._failed: asyncio.Future[None] = self._loop.create_future()
        # Called with the newest revision on disk, before anybody who waits for it is answered.
        self.on_commit: Callable[[int], None] = lambda head: None

    def append(
        self, head: int, versions: Iterable[Version] = (), statements: Iterable[Statement] = ()
    ) -> asyncio.Future[None]:
        """Done once all of it is on disk; `head` is the newest revision then."""
        waiter = self._loop.create_future()
        if self._failed.done():
            waiter.set_exception(self._failed.exception() or CommitFailed("closed"))
            return waiter
        batch = self._pending
        batch.head = self._head = max(self._head, head)
        for step, v in enumerate(versions):
            batch.rows += (
                v.mod_revision, step, v.key, v.value, v.create_revision, v.version, v.lease,
            )  # fmt: skip
        batch.statements.extend(statements)
        batch.waiters.append(waiter)
        self._crowd = max(self._crowd, self._writing + len(batch.waiters))
        self._consider()
        return waiter

    @property
    def idle(self) -> bool:
        """Nothing is on its way to the disk."""
        return not self._writing and not self._pending.waiters

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._path.stat().st_size

    async def run(self) -> None:
        """Ends only by raising: what could not be written takes the daemon down."""
        await asyncio.shield(self._failed)

    def _consider(self) -> None:
        """Begin a round where enough wait for it, or when the first has waited long enough."""
        if self._writing or not self._pending.waiters:
            return
        if len(self._pending.waiters) >= self._crowd * _QUORUM:
            if self._timer is not None:
                self._timer.cancel()
            # Not at once: other requests of this turn of the loop join in.
            self._timer = self._loop.call_soon(self._hand_over)
        elif self._timer is None:
            patience = min(self._linger, self._crowd * _READING)
            self._timer = self._loop.call_later(patience, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        batch, self._pending = self._pending, _Batch()
        self._writing = len(batch.waiters)
        self._crowd = max(1.0, self._crowd * _FADE)
        self._batches.put(batch)

    def _done(self, batch: _Batch, error: sqlite3.Error | None) -> None:
        if error is not None:
            self._fail(batch, error)
            return
        self._writing = 0
        self.on_commit(batch.head)
        for waiter in batch.waiters:
            if not waiter.done():  # whoever was cancelled waits no more
                waiter.set_result(None)
        self._consider()

    def _fail(self, batch: _Batch, error: sqlite3.Error) -> None:
        failure = CommitFailed(f"The state store cannot write {self._path}: {error}.")
        for waiter in [*batch.waiters, *self._pending.waiters]:
            if not waiter.done():
                waiter.set_exception(failure)
        if not self._failed.done():
            self._failed.set_exception(failure)

    def write_batches(self) -> None:
        """The writing thread. Ends with the batch that is None."""
        while (batch := self._batches.get()) is not None:
            error: sqlite3.Error | None = None
            try:
                self._write(batch)
            except sqlite3.Error as caught:
                error = caught
            self._loop.call_soon_threadsafe(self._done, batch, error)
        self._connection.close()

    def _write(self, batch: _Batch) -> None:
        width = _ROWS * _COLUMNS
        statements: list[Statement] = [
            (_insert(len(some) // _COLUMNS), some)
            for start in range(0, len(batch.rows), width)
            if (some := batch.rows[start : start + width])
        ]
        statements += batch.statements
        if len(statements) == 1:  # is a transaction by itself
            self._connection.execute(*statements[0])
            return
        self._connection.execute("BEGIN")
        for sql, parameters in statements:
            self._connection.execute(sql, parameters)
        self._connection.execute("COMMIT")

    async def drain(self) -> None:
        """Everything that was appended is on disk."""
        while not self.idle and not self._failed.done():
            await asyncio.wait([self.append(self._head)])

    def close(self) -> None:
        self._batches.put(None)


@cache
def _insert(rows: int) -> str:
    return "INSERT INTO change VALUES " + ",".join(["(?,?,?,?,?,?,?)"] * rows)


@cache
def _delete(rows: int) -> str:
    """Of rows that are named by revision and key; both lookups go by the primary key."""
    gone = ",".join(["(?,?)"] * rows)
    return (
        f"WITH gone(revision, key) AS (VALUES {gone}) "
        "DELETE FROM change WHERE (revision, step) IN ("
        "SELECT c.revision, c.step FROM gone g CROSS JOIN change c "
        "ON c.revision = g.revision AND c.key = g.key)"
    )


def forget(versions: Sequence[Version], compacted: int) -> list[Statement]:
    """The statements of a compaction."""
    statements: list[Statement] = []
    for start in range(0, len(versions), _ROWS):
        some = versions[start : start + _ROWS]
        parameters = [part for v in some for part in (v.mod_revision, v.key)]
        statements.append((_delete(len(some)), parameters))
    return [*statements, ("UPDATE fact SET value = ? WHERE name = 'compacted'", (compacted,))]


def grant(lease_id: int, ttl: int, owner: str) -> Statement:
    return ("INSERT INTO lease VALUES (?, ?, ?)", (lease_id, ttl, owner))


def drop(lease_id: int) -> Statement:
    return ("DELETE FROM lease WHERE id = ?", (lease_id,))


@asynccontextmanager
async def open_journal(
    folder: Path, seed: int, linger: float = 0.01
) -> AsyncGenerator[tuple[Journal, Loaded]]:
    """Raises StateDamaged where the file is damaged, missing though there was one, or in use.

    `seed` names a new cluster; `linger` is the longest that a busy store waits for company, in seconds. Left
    when everything that was appended is on disk.
    """
    path = folder / "state.db"
    connection = await asyncio.to_thread(_open, path, seed)
    journal = Journal(connection, path, linger)
    loaded = _load(connection)
    thread = threading.Thread(target=journal.write_batches, name="journal", daemon=True)
    thread.start()
    try:
        yield journal, loaded
    finally:
        try:
            await journal.drain()
        finally:
            journal.close()
            await asyncio.to_thread(thread.join)


def _open(path: Path, seed: int) -> sqlite3.Connection:
    # Beside the file: that there has been one. An empty store would have every container stopped.
    mark = path.with_name("created")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if mark.exists() and not (path.exists() and path.stat().st_size):
            raise StateDamaged(
                f"The state store's file {path} is missing or empty, but it has been there before. "
                f"Put a copy of it back, or remove {mark} to start with nothing."
            )
        connection = _connect(path, seed)
        mark.touch(mode=0o600)
    except (sqlite3.Error, OSError) as error:
        raise StateDamaged(
            f"The state store cannot use {path}: {error}. {_advice(error)}"
        ) from error
    return connection


def _advice(error: Exception) -> str:
    if "locked" in str(error):
        return "Another state store is running on it."
    if isinstance(error, sqlite3.OperationalError | OSError):
        return "Check that the folder is writable and the disk is not full."
    return "Put a good copy back, or move the folder away to start with nothing."


def _connect(path: Path, seed: int) -> sqlite3.Connection:
    # The writing thread is the only user once the journal is open.
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=2.0, cached_statements=256
    )
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -65536")
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            _create(connection, seed)
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"its format {version} is not known to this version")
        connection.execute("UPDATE fact SET value = value + 1 WHERE name = 'starts'")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, seed: int) -> None:
    facts = {"cluster": seed, "member": seed ^ 1, "compacted": 0, "starts": 0}
    rows = ",".join(f"('{name}', {value})" for name, value in facts.items())
    connection.executescript(
        f"BEGIN; {_SCHEMA} INSERT INTO fact VALUES {rows}; PRAGMA user_version = {_VERSION}; COMMIT;"
    )


def _load(connection: sqlite3.Connection) -> Loaded:
    facts = dict(connection.execute("SELECT name, value FROM fact").fetchall())
    return Loaded(
        cluster=facts["cluster"],
        member=facts["member"],
        compacted=facts["compacted"],
        versions=_versions(connection),
        leases=connection.execute("SELECT id, ttl, owner FROM lease").fetchall(),
    )


def _versions(connection: sqlite3.Connection) -> Iterator[Version]:
    query = (
        "SELECT revision, key, value, created, version, lease FROM change ORDER BY revision, step"
    )
    for revision, key, value, created, version, lease in connection.execute(query):
        yield Version(key, value, created, revision, version, lease)
