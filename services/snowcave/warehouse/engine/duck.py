"""The SQL engine on fakesnow and DuckDB: owns the database files and every connection to them.

One DuckDB file holds one Snowflake database; all are attached when the engine opens. Everything here
blocks and belongs on the engine's threads.
"""

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import fakesnow.transforms.stage
from fakesnow.instance import FakeSnow

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.catalog import owners
from snowcave.warehouse.databases.room_files import RoomFiles
from snowcave.warehouse.databases.rooms import Rooms
from snowcave.warehouse.engine import macros
from snowcave.warehouse.engine.plans import Definitions, Plans
from snowcave.warehouse.engine.session import DuckSession
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.settings import EngineSettings

# sqlglot says by itself what it did not understand; the client gets an error for it.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
# fakesnow reads its results this way, and the copy is what keeps a connection free for the next statement.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)

# fakesnow makes a folder for stages when it is imported and never removes it; ours are elsewhere.
with suppress(OSError):
    Path(fakesnow.transforms.stage.LOCAL_BUCKET_PATH).rmdir()

# Translated queries that a session remembers.
_PLANS = 64


class DuckEngine:
    """See engine.SqlEngine. `folders` outside of its own may be read by the event table's view alone."""

    def __init__(
        self, folder: Path, stages: Path, settings: EngineSettings, *, folders: Sequence[Path] = ()
    ) -> None:
        databases, graves = folder / "databases", folder / "graves"
        for own in (databases, graves, stages):
            own.mkdir(parents=True, exist_ok=True)
        fakesnow.transforms.stage.LOCAL_BUCKET_PATH = str(stages)
        self._own_events = folder / "events"
        self._ddl = Lock()
        self._definitions = Definitions()
        self._snow = FakeSnow(
            create_database_on_connect=False,
            create_schema_on_connect=False,
            db_path=databases,
        )
        self._duck = self._snow.duck_conn
        self._tune(settings, folder)
        macros.create(self._duck)
        files = RoomFiles(self._duck, databases, graves, patience=settings.move_patience)
        self._rooms = Rooms(self._duck, files)
        self._rooms.open()
        event_table.create_views(self._duck, folder)
        self._lock_down([databases, graves, stages, folder / "spill", folder / "events", *folders])

    def open_session(self, session: int) -> DuckSession:
        duck = self._duck.cursor()
        return DuckSession(session, duck, self._own_events, Plans(self._definitions, _PLANS))

    def create_database(self, name: str, *, replace: bool, uid: int = 0) -> None:
        with self._defining():
            self._rooms.create_database(name, replace=replace, uid=uid)

    def drop_database(self, name: str, *, uid: int = 0) -> None:
        with self._defining():
            self._rooms.drop_database(name, uid=uid)

    def create_schema(self, database: str, name: str, *, replace: bool, uid: int = 0) -> None:
        with self._defining():
            self._rooms.create_schema(database, name, replace=replace, uid=uid)

    def drop_schema(self, database: str, name: str, *, uid: int = 0) -> None:
        with self._defining():
            self._rooms.drop_schema(database, name, uid=uid)

    def forget_room(self, uid: int) -> None:
        with self._ddl:
            self._rooms.forget(uid)

    def objects(self, request: pb.ListObjectsRequest) -> list[pb.WarehouseObject]:
        with self._ddl, self._duck.cursor() as duck:
            return owners.listed(duck, request)

    def change_owner(self, request: pb.ChangeOwnerRequest) -> None:
        with self._defining(), self._duck.cursor() as duck:
            owners.change(duck, request)

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

    @contextmanager
    def _defining(self) -> Generator[None]:
        """Also what fails half way has changed what plans rest on."""
        with self._ddl:
            self._definitions.changed()
            try:
                yield
            finally:
                self._definitions.changed()

    def _tune(self, settings: EngineSettings, folder: Path) -> None:
        spill = folder / "spill"
        spill.mkdir(exist_ok=True)
        for name, value in (
            ("threads", str(settings.duckdb_threads)),
            ("memory_limit", settings.memory_limit),
            ("temp_directory", str(spill)),
            ("max_temp_directory_size", settings.spill_limit),
            # What is written is compressed while more of it comes, not when its statement ends.
            ("write_buffer_row_group_count", "1"),
            ("disabled_compression_methods", "" if settings.compress_texts else "dict_fsst"),
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
