"""The SQL engine on fakesnow and DuckDB: owns the database files and every connection to them.

One DuckDB file holds one Snowflake database; all are attached when the engine opens. Everything here
blocks and belongs on the engine's threads.
"""

import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from urllib.parse import quote, unquote

import duckdb
import fakesnow.transforms.stage
from fakesnow import info_schema
from fakesnow import macros as fakesnow_macros
from fakesnow.instance import FakeSnow

from snowcave.model.errors import ObjectExists, ObjectNotFound
from snowcave.warehouse import event_table, macros, objects
from snowcave.warehouse.plans import Definitions, Plans
from snowcave.warehouse.session import DuckSession
from snowcave.warehouse.settings import EngineSettings

# sqlglot says by itself what it did not understand; the client gets an error for it.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
# fakesnow reads its results this way, and the copy is what keeps a connection free for the next statement.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)

_SUFFIX = ".db"
# Translated queries that a session remembers.
_PLANS = 64
_MARK = "SC_NAME_OF_THIS_DATABASE"


class DuckEngine:
    """See engine.SqlEngine. `folders` outside of its own may be read by the event table's view alone."""

    def __init__(
        self, folder: Path, stages: Path, settings: EngineSettings, *, folders: Sequence[Path] = ()
    ) -> None:
        self._databases = folder / "databases"
        self._databases.mkdir(parents=True, exist_ok=True)
        stages.mkdir(parents=True, exist_ok=True)
        fakesnow.transforms.stage.LOCAL_BUCKET_PATH = str(stages)
        self._own_events = folder / "events"
        self._ddl = Lock()
        self._definitions = Definitions()
        self._snow = FakeSnow(
            create_database_on_connect=False,
            create_schema_on_connect=False,
            db_path=self._databases,
        )
        self._duck = self._snow.duck_conn
        self._tune(settings, folder)
        macros.create(self._duck)
        self._attach_all()
        event_table.create_views(self._duck, folder)
        self._lock_down([self._databases, stages, folder / "spill", folder / "events", *folders])

    def open_session(self, session: int) -> DuckSession:
        duck = self._duck.cursor()
        return DuckSession(session, duck, self._own_events, Plans(self._definitions, _PLANS))

    def create_database(self, name: str, *, replace: bool) -> None:
        with self._ddl:
            if replace and self._is_attached(name):
                self._drop(name)
            if not self._is_attached(name):
                self._attach(name)
            self._definitions.changed()

    def drop_database(self, name: str) -> None:
        with self._ddl:
            if self._is_attached(name):
                self._drop(name)
            self._definitions.changed()

    def create_schema(self, database: str, name: str, *, replace: bool) -> None:
        with self._ddl:
            if not self._is_attached(database):
                raise ObjectNotFound("Database", database)
            where = f"{_quoted(database)}.{_quoted(name)}"
            with self._duck.cursor() as duck:
                if replace:
                    duck.execute(f"DROP SCHEMA IF EXISTS {where} CASCADE")
                duck.execute(f"CREATE SCHEMA IF NOT EXISTS {where}")
            self._definitions.changed()

    def drop_schema(self, database: str, name: str) -> None:
        with self._ddl:
            if self._is_attached(database):
                with self._duck.cursor() as duck:
                    duck.execute(
                        f"DROP SCHEMA IF EXISTS {_quoted(database)}.{_quoted(name)} CASCADE"
                    )
            self._definitions.changed()

    def know_stage(self, stage: int) -> None:
        """By the name that `stages.pointing` gives it. It may be known already."""
        with self._ddl, self._duck.cursor() as duck:
            duck.execute(
                "INSERT OR IGNORE INTO _fs_global._fs_information_schema._fs_stages "
                "(database_name, schema_name, name, url) VALUES (?, 'DATA', 'STAGE', '')",
                [str(stage)],
            )

    def close(self) -> None:
        """Writes what is in memory to the files. Sessions must be closed by then."""
        self._duck.close()

    def _tune(self, settings: EngineSettings, folder: Path) -> None:
        spill = folder / "spill"
        spill.mkdir(exist_ok=True)
        for name, value in (
            ("threads", str(settings.duckdb_threads)),
            ("memory_limit", settings.memory_limit),
            ("temp_directory", str(spill)),
            ("max_temp_directory_size", settings.spill_limit),
            ("autoinstall_known_extensions", "false"),
            ("autoload_known_extensions", "false"),
            # A session's own is set when it runs a statement.
            ("TimeZone", "UTC"),
            # Dividing by zero is an error, not infinity.
            ("ieee_floating_point_ops", "false"),
        ):
            self._duck.execute(f"SET GLOBAL {name} = '{value}'")

    def _lock_down(self, folders: Sequence[Path]) -> None:
        texts = ", ".join("'" + str(f).replace("'", "''") + "/'" for f in folders)
        self._duck.execute(f"SET GLOBAL allowed_directories = [{texts}]")
        self._duck.execute("SET GLOBAL enable_external_access = false")
        # A session's own time zone stays its own.
        self._duck.execute("SET GLOBAL allowed_configs = ['TimeZone']")
        self._duck.execute("SET GLOBAL lock_configuration = true")

    def _attach_all(self) -> None:
        for file in sorted(self._databases.glob("*" + _SUFFIX)):
            self._attach(unquote(file.name.removesuffix(_SUFFIX)))

    def _file(self, name: str) -> Path:
        return self._databases / (quote(name, safe="") + _SUFFIX)

    def _attach(self, name: str) -> None:
        file = str(self._file(name)).replace("'", "''")
        with self._duck.cursor() as duck:
            try:
                duck.execute(f"ATTACH '{file}' AS {_quoted(name)}")
            except duckdb.BinderException as error:
                raise ObjectExists(name) from error
            duck.execute(for_database(info_schema.per_db_creation_sql(_MARK), name))
            duck.execute(for_database(fakesnow_macros.creation_sql(_MARK), name))
            duck.execute(objects.creation_sql(_quoted(name)))

    def _is_attached(self, name: str) -> bool:
        with self._duck.cursor() as duck:
            found = duck.execute(
                "SELECT count(*) FROM duckdb_databases() WHERE database_name = ?", [name]
            ).fetchall()
        return bool(found[0][0])

    def _drop(self, name: str) -> None:
        file = self._file(name)
        with self._duck.cursor() as duck:
            duck.execute(f"DETACH {_quoted(name)}")
        # The log first: a file without its log opens, a log without its file would spoil the next one.
        file.with_name(file.name + ".wal").unlink(missing_ok=True)
        file.unlink(missing_ok=True)


def for_database(template: str, name: str) -> str:
    """fakesnow's SQL for one database, with a name that may hold any character."""
    literal = "'" + name.replace("'", "''") + "'"
    return re.sub(_MARK, lambda _: _quoted(name), template.replace(f"'{_MARK}'", literal))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
