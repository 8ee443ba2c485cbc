"""The DuckDB files of databases and graves: attached, detached, moved, unlinked."""

import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import duckdb

from snowcave.model.errors import ObjectExists, Unavailable
from snowcave.warehouse.catalog.objects import literal, quoted

_SUFFIX = ".db"
_LOG = ".wal"
# Seconds between two looks at who still uses a database that is to move.
_LOOK_AGAIN = 0.002


class RoomFiles:
    """Blocks; one call at a time."""

    def __init__(
        self, duck: duckdb.DuckDBPyConnection, databases: Path, graves: Path, *, patience: float
    ) -> None:
        """`patience`: seconds that what uses a database has to let go of it when it moves."""
        self._duck = duck
        self._databases = databases
        self._graves = graves
        self._patience = patience

    def names(self) -> list[str]:
        """Of the databases that have a file."""
        files = sorted(self._databases.glob("*" + _SUFFIX))
        return [unquote(file.name.removesuffix(_SUFFIX)) for file in files]

    def of(self, name: str) -> Path:
        return self._databases / (quote(name, safe="") + _SUFFIX)

    def grave(self, kind: str, uid: int) -> Path:
        return self._graves / f"{kind}-{uid}{_SUFFIX}"

    def attach(self, name: str) -> None:
        """Raises ObjectExists, and Unavailable while a transaction reads what stood there before."""
        with self._duck.cursor() as duck:
            try:
                duck.execute(f"ATTACH {literal(str(self.of(name)))} AS {quoted(name)}")
            except duckdb.BinderException as error:
                raise ObjectExists(name) from error
            except duckdb.ResourceInUseException as error:
                raise Unavailable(f"Database {name} is in use by a transaction.") from error

    def detach(self, name: str) -> None:
        """Everything is in the file itself then. Raises Unavailable while a transaction has changed it.

        Statements that were under way have ended, too. What has it open for longer is a transaction that
        only reads: it keeps what it has (see `move`).
        """
        file, deadline = self.of(name), time.monotonic() + self._patience
        with self._duck.cursor() as duck:
            self._checkpoint(duck, name, deadline)
            duck.execute(f"DETACH {quoted(name)}")
        # DuckDB tells nobody when the last reader of what is detached has gone, and attaches no file twice.
        while _is_open(file) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)

    def _checkpoint(self, duck: duckdb.DuckDBPyConnection, name: str, deadline: float) -> None:
        """Raises Unavailable where a transaction keeps it from that until the deadline."""
        while True:
            try:
                duck.execute(f"CHECKPOINT {quoted(name)}")
                return
            except duckdb.TransactionException as error:
                if time.monotonic() >= deadline:
                    raise Unavailable(f"Database {name} is in use by a transaction.") from error
            time.sleep(_LOOK_AGAIN)

    def move(self, old: Path, new: Path) -> None:
        """The log is empty after a checkpoint; one of an earlier file must not stay beside the new one.

        A transaction that still reads the old file keeps it to itself: nobody will write to what it reads.
        """
        _log_of(new).unlink(missing_ok=True)
        if _log_of(old).exists():
            _log_of(old).rename(_log_of(new))
        if _is_open(old):
            # By a name that no other call gives, and that is no database at the next start.
            copy = new.with_name(f"{new.name}.moving")
            shutil.copyfile(old, copy)
            copy.rename(new)
            old.unlink()
        else:
            old.rename(new)

    @contextmanager
    def opened(self, file: Path) -> Generator[str]:
        """A file of no database, under the name that is answered."""
        name = f"_sc_{file.stem.lstrip('.').replace('-', '_')}"
        with self._duck.cursor() as duck:
            duck.execute(f"ATTACH {literal(str(file))} AS {quoted(name)}")
            try:
                yield name
            finally:
                duck.execute(f"DETACH {quoted(name)}")

    def unlink(self, file: Path) -> None:
        """The log first: a file without its log opens, a log without its file would spoil the next one."""
        _log_of(file).unlink(missing_ok=True)
        file.unlink(missing_ok=True)


def _is_open(file: Path) -> bool:
    """Whether this process has it open."""
    wanted = os.path.realpath(file)
    return any(_target(link) == wanted for link in Path("/proc/self/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def _log_of(file: Path) -> Path:
    return file.with_name(file.name + _LOG)
