"""Where databases and schemas have their tables: one DuckDB file a database, known by the object's uid.

A room bears the uid of its object. So it can be told from what bears the same name later: a room that is
wanted under another name moves, one that is dropped is set aside under its uid, and one that is wanted again
comes back. Every call may be repeated, also after a crash between two of its steps.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from fakesnow import info_schema
from fakesnow import macros as fakesnow_macros

from snowcave.model.errors import ObjectNotFound
from snowcave.warehouse.catalog import information_schema, objects
from snowcave.warehouse.catalog.objects import quoted
from snowcave.warehouse.databases.copying import Place, copy_schema, repoint_defaults
from snowcave.warehouse.databases.room_files import RoomFiles
from snowcave.warehouse.engine.naming import MARK, for_database

_MARKS = "_fs_information_schema._sc_rooms"
# The one schema of a file that a schema is set aside in.
_KEPT = "KEPT"
# fakesnow's and our own.
_OURS = "_fs_information_schema"


class Rooms:
    """Blocks; belongs on the engine's threads, one call at a time."""

    def __init__(self, duck: duckdb.DuckDBPyConnection, files: RoomFiles) -> None:
        self._duck = duck
        self._files = files

    def open(self) -> None:
        """Attach every database that has a file."""
        for name in self._files.names():
            self._attach(name)

    # ------------------------------------------------------------ databases

    def create_database(self, name: str, *, replace: bool, uid: int) -> None:
        if self._is_attached(name):
            self._make_way(name, uid, replace=replace)
        if not self._is_attached(name):
            self._bring_database(name, uid)
        if uid:
            self._mark(Place(name, ""), uid)

    def _make_way(self, name: str, uid: int, *, replace: bool) -> None:
        """What stands under the name stays only where it is the one wanted, or bears no uid."""
        other = self._mark_of(Place(name, ""))
        if other == uid and uid:
            return
        if other and uid:
            self._put_away(name, other)
        elif replace:
            self._delete(name)

    def _bring_database(self, name: str, uid: int) -> None:
        """From another name, from where it was set aside, or new."""
        now = self._database_of(uid) if uid else None
        grave = self._files.grave("database", uid)
        if now is not None:
            self._files.detach(now)
            self._files.move(self._files.of(now), self._files.of(name))
        elif uid and grave.exists():
            self._files.move(grave, self._files.of(name))
        self._attach(name)

    def drop_database(self, name: str, *, uid: int) -> None:
        """With a uid it is set aside, where it is still that one's."""
        if not self._is_attached(name):
            return
        if not uid:
            self._delete(name)
        elif self._mark_of(Place(name, "")) in (uid, 0):
            self._put_away(name, uid)

    def _put_away(self, name: str, uid: int) -> None:
        self._files.detach(name)
        self._files.move(self._files.of(name), self._files.grave("database", uid))

    def _delete(self, name: str) -> None:
        with self._duck.cursor() as duck:
            duck.execute(f"DETACH {quoted(name)}")
        self._files.unlink(self._files.of(name))

    # ------------------------------------------------------------ schemas

    def create_schema(self, database: str, name: str, *, replace: bool, uid: int) -> None:
        if not self._is_attached(database):
            raise ObjectNotFound("Database", database)
        place = Place(database, name)
        there = self._has_schema(place)
        if there and uid and self._mark_of(place) not in (uid, 0):
            self._put_schema_away(place, self._mark_of(place))
            there = False
        elif there and replace and not self._mark_of(place):
            self._drop_schema(place)
            there = False
        if not there:
            self._bring_schema(place, uid)
        elif uid:
            self._mark(place, uid)

    def _bring_schema(self, place: Place, uid: int) -> None:
        now = self._schema_of(uid) if uid else None
        grave = self._files.grave("schema", uid)
        if now is not None:
            with self._transaction() as duck:
                duck.execute(f"CREATE SCHEMA {place.sql}")
                copy_schema(duck, now, place)
                self._write_mark(duck, place, uid)
                if now.database == place.database:
                    self._unmake(duck, now)
            if now.database != place.database:
                self._drop_schema(now)
        elif uid and grave.exists():
            with self._kept(grave) as kept, self._transaction() as duck:
                duck.execute(f"CREATE SCHEMA {place.sql}")
                copy_schema(duck, kept, place)
                self._write_mark(duck, place, uid)
            self._files.unlink(grave)
        else:
            with self._transaction() as duck:
                duck.execute(f"CREATE SCHEMA IF NOT EXISTS {place.sql}")
                if uid:
                    self._write_mark(duck, place, uid)

    def drop_schema(self, database: str, name: str, *, uid: int) -> None:
        place = Place(database, name)
        if not (self._is_attached(database) and self._has_schema(place)):
            return
        if not uid:
            self._drop_schema(place)
        elif self._mark_of(place) in (uid, 0):
            self._put_schema_away(place, uid)

    def _put_schema_away(self, place: Place, uid: int) -> None:
        """The copy is whole before it has its name, and has its name before the schema goes."""
        grave = self._files.grave("schema", uid)
        unready = grave.with_name(f".{grave.name}")
        self._files.unlink(unready)
        with self._kept(unready) as kept, self._transaction() as duck:
            duck.execute(f"CREATE SCHEMA {kept.sql}")
            duck.execute(f"CREATE SCHEMA {quoted(kept.database)}.{_OURS}")
            duck.execute(objects.creation_sql(quoted(kept.database)))
            copy_schema(duck, place, kept)
        self._files.move(unready, grave)
        self._drop_schema(place)

    def _drop_schema(self, place: Place) -> None:
        with self._transaction() as duck:
            self._unmake(duck, place)

    def _unmake(self, duck: duckdb.DuckDBPyConnection, place: Place) -> None:
        duck.execute(f"DROP SCHEMA IF EXISTS {place.sql} CASCADE")
        for table in (_MARKS, objects.TABLE):
            duck.execute(
                f"DELETE FROM {quoted(place.database)}.{table} "
                "WHERE upper(schema_name) = upper(?)",
                [place.schema],
            )

    def forget(self, uid: int) -> None:
        """What was set aside will not come back."""
        for kind in ("database", "schema"):
            self._files.unlink(self._files.grave(kind, uid))

    # ------------------------------------------------------------ marks

    def _mark(self, place: Place, uid: int) -> None:
        with self._transaction() as duck:
            self._write_mark(duck, place, uid)

    def _write_mark(self, duck: duckdb.DuckDBPyConnection, place: Place, uid: int) -> None:
        table = f"{quoted(place.database)}.{_MARKS}"
        duck.execute(f"DELETE FROM {table} WHERE schema_name = ?", [place.schema])
        duck.execute(f"INSERT INTO {table} VALUES (?, ?)", [place.schema, uid])

    def _mark_of(self, place: Place) -> int:
        """0: none."""
        found = self._query(
            f"SELECT uid FROM {quoted(place.database)}.{_MARKS} WHERE schema_name = ?",
            place.schema,
        )
        return int(found[0][0]) if found else 0

    def _database_of(self, uid: int) -> str | None:
        marked = (name for name in self._attached() if self._mark_of(Place(name, "")) == uid)
        return next(marked, None)

    def _schema_of(self, uid: int) -> Place | None:
        for database in self._attached():
            found = self._query(
                f"SELECT schema_name FROM {quoted(database)}.{_MARKS} "
                "WHERE uid = ? AND schema_name <> ''",
                uid,
            )
            for (schema,) in found:
                return Place(database, schema)
        return None

    # ------------------------------------------------------------ inside

    def _attach(self, name: str) -> None:
        self._files.attach(name)
        with self._duck.cursor() as duck:
            self._forget_views(duck, name)
            duck.execute(for_database(info_schema.per_db_creation_sql(MARK), name))
            duck.execute(for_database(fakesnow_macros.creation_sql(MARK), name))
            duck.execute(objects.creation_sql(quoted(name)))
            information_schema.complete_tables(duck, name)
            repoint_defaults(duck, name)
            duck.execute(
                f"CREATE TABLE IF NOT EXISTS {quoted(name)}.{_MARKS} "
                "(schema_name VARCHAR, uid BIGINT)"
            )

    def _forget_views(self, duck: duckdb.DuckDBPyConnection, name: str) -> None:
        """fakesnow's views bear the database's name, which may have been another one."""
        found = duck.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = ?",
            [name, _OURS],
        ).fetchall()
        for (view,) in found:
            duck.execute(f"DROP VIEW IF EXISTS {quoted(name)}.{_OURS}.{quoted(view)} CASCADE")

    @contextmanager
    def _kept(self, file: Path) -> Generator[Place]:
        """Where a schema is set aside."""
        with self._files.opened(file) as name:
            yield Place(name, _KEPT)

    @contextmanager
    def _transaction(self) -> Generator[duckdb.DuckDBPyConnection]:
        with self._duck.cursor() as duck:
            duck.execute("BEGIN")
            try:
                yield duck
            except BaseException:
                duck.execute("ROLLBACK")
                raise
            duck.execute("COMMIT")

    # ------------------------------------------------------------ what is there

    def _attached(self) -> list[str]:
        """Those that have rooms in them."""
        found = self._query(
            "SELECT database_name FROM duckdb_tables() "
            "WHERE schema_name || '.' || table_name = ? ORDER BY 1",
            _MARKS,
        )
        return [str(name) for (name,) in found]

    def _is_attached(self, name: str) -> bool:
        return bool(self._query("SELECT 1 FROM duckdb_databases() WHERE database_name = ?", name))

    def _has_schema(self, place: Place) -> bool:
        sql = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
        return bool(self._query(sql, place.database, place.schema))

    def _query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._duck.cursor() as duck:
            return duck.execute(sql, list(values)).fetchall()
