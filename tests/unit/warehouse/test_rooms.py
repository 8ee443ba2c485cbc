"""Rooms of databases and schemas: renamed, set aside, brought back, and told apart by their objects' uids."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from snowcave.model.errors import Unavailable
from snowcave.warehouse.databases import room_files
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.settings import EngineSettings

D, S, OTHER = 11, 12, 13


class Home:
    """An engine over a folder, which may be opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()

    def open(self, patience: float = 0.2) -> None:
        self.engine = DuckEngine(
            self.folder, self.folder / "stages", EngineSettings(move_patience=patience)
        )

    def again(self) -> None:
        self.engine.close()
        self.open()

    def sql(self, sql: str) -> list[tuple[object, ...]]:
        with self.engine._duck.cursor() as duck:  # pyright: ignore[reportPrivateUsage]
            return duck.execute(sql).fetchall()

    def graves(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "graves").iterdir())


@pytest.fixture
def home(tmp_path: Path) -> Generator[Home]:
    made = Home(tmp_path)
    made.engine.create_database("D", replace=True, uid=D)
    made.engine.create_schema("D", "S", replace=True, uid=S)
    made.sql(
        "CREATE SEQUENCE D.S.q; SELECT nextval('D.S.q');"
        "CREATE TABLE D.S.t (id INT DEFAULT nextval('D.S.q') PRIMARY KEY, x INT NOT NULL CHECK (x > 0),"
        " y INT GENERATED ALWAYS AS (x + 1));"
        "CREATE TABLE D.S.u (t INT REFERENCES D.S.t (id));"
        "INSERT INTO D.S.t (x) VALUES (5), (6); INSERT INTO D.S.u VALUES (2);"
        "COMMENT ON TABLE D.S.t IS 'it''s'; COMMENT ON COLUMN D.S.t.x IS 'c';"
        "CREATE MACRO D.S.f(a) AS a + 1;"
        "CREATE VIEW D.S.w AS SELECT 1 AS one;"
        "CREATE VIEW D.S.v AS SELECT x, D.S.f(x) AS z FROM D.S.t;"
        "CREATE OR REPLACE VIEW D.S.w AS SELECT * FROM D.S.v"
    )
    yield made
    made.engine.close()


def holds_everything(home: Home, place: str) -> None:
    assert home.sql(f"SELECT id, x, y FROM {place}.t ORDER BY id") == [(2, 5, 6), (3, 6, 7)]
    assert home.sql(f"SELECT * FROM {place}.w ORDER BY x") == [(5, 6), (6, 7)]
    home.sql(f"INSERT INTO {place}.t (x) VALUES (7)")
    assert home.sql(f"SELECT max(id) > 3 FROM {place}.t") == [(True,)]
    home.sql(f"DELETE FROM {place}.t WHERE x = 7")
    with pytest.raises(Exception, match="CHECK"):
        home.sql(f"INSERT INTO {place}.t (x) VALUES (0)")
    with pytest.raises(Exception, match="foreign key"):
        home.sql(f"INSERT INTO {place}.u VALUES (99)")
    database, schema = place.split(".")
    where = f"database_name = '{database}' AND schema_name = '{schema}' AND table_name = 't'"
    assert home.sql(f"SELECT comment FROM duckdb_tables() WHERE {where}") == [("it's",)]
    commented = f"SELECT comment FROM duckdb_columns() WHERE {where} AND column_name = 'x'"
    assert home.sql(commented) == [("c",)]


def test_a_schema_is_renamed_with_all_it_holds(home: Home) -> None:
    for _ in range(2):
        home.engine.create_schema("D", "R", replace=False, uid=S)
    holds_everything(home, "D.R")
    assert home.sql("SELECT 1 FROM duckdb_schemas() WHERE schema_name = 'S'") == []


def test_a_schema_moves_to_another_database(home: Home) -> None:
    home.engine.create_database("E", replace=True, uid=OTHER)
    home.engine.create_schema("E", "S", replace=False, uid=S)
    home.again()
    holds_everything(home, "E.S")
    assert home.sql("SELECT database_name FROM duckdb_schemas() WHERE schema_name = 'S'") == [
        ("E",)
    ]


def test_a_database_is_renamed_with_all_it_holds(home: Home) -> None:
    for _ in range(2):
        home.engine.create_database("E", replace=False, uid=D)
    holds_everything(home, "E.S")
    home.again()
    holds_everything(home, "E.S")
    assert home.sql("SELECT 1 FROM duckdb_databases() WHERE database_name = 'D'") == []


def test_a_dropped_schema_is_out_of_reach_and_comes_back(home: Home) -> None:
    for _ in range(2):
        home.engine.drop_schema("D", "S", uid=S)
    assert home.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 't'") == []
    assert home.graves() == [f"schema-{S}.db"]
    home.again()
    for _ in range(2):
        home.engine.create_schema("D", "S", replace=False, uid=S)
    holds_everything(home, "D.S")
    assert home.graves() == []


def test_a_dropped_database_is_out_of_reach_and_comes_back(home: Home) -> None:
    for _ in range(2):
        home.engine.drop_database("D", uid=D)
    assert home.graves() == [f"database-{D}.db"]
    home.again()
    for _ in range(2):
        home.engine.create_database("D", replace=False, uid=D)
    holds_everything(home, "D.S")
    assert home.graves() == []


def test_a_drop_that_comes_late_takes_nothing_of_another_object(home: Home) -> None:
    home.engine.create_database("D", replace=True, uid=OTHER)
    home.engine.create_schema("D", "S", replace=True, uid=OTHER + 1)
    home.sql("CREATE TABLE D.S.mine (x INT)")
    home.engine.drop_database("D", uid=D)
    home.engine.drop_schema("D", "S", uid=S)
    assert home.sql("SELECT count(*) FROM D.S.mine") == [(0,)]
    # The old one was set aside, not lost, when the new one came.
    assert home.graves() == [f"database-{D}.db"]
    home.engine.drop_database("D", uid=OTHER)
    home.engine.create_database("D", replace=False, uid=D)
    holds_everything(home, "D.S")


def test_a_new_schema_of_the_name_is_empty_and_the_old_one_kept(home: Home) -> None:
    home.engine.create_schema("D", "S", replace=True, uid=OTHER)
    assert home.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 't'") == []
    home.engine.create_schema("D", "OLD", replace=False, uid=S)
    holds_everything(home, "D.OLD")


def test_what_is_forgotten_is_gone(home: Home) -> None:
    home.engine.drop_schema("D", "S", uid=S)
    home.engine.drop_database("D", uid=D)
    for uid in (S, D, S):
        home.engine.forget_room(uid)
    assert home.graves() == []
    home.engine.create_database("D", replace=False, uid=D)
    assert home.sql("SELECT 1 FROM duckdb_schemas() WHERE schema_name = 'S'") == []


def test_rooms_of_before_they_bore_uids_are_taken_as_they_are(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.engine.create_database("D", replace=False)
    home.engine.create_schema("D", "S", replace=False)
    home.sql("CREATE TABLE D.S.t AS SELECT 1 AS x")
    home.engine.create_database("D", replace=False, uid=D)
    home.engine.create_schema("D", "S", replace=False, uid=S)
    home.engine.create_schema("D", "R", replace=False, uid=S)
    assert home.sql("SELECT x FROM D.R.t") == [(1,)]
    home.engine.close()


def test_a_schema_that_was_copied_and_not_yet_dropped_is_set_aside_again(home: Home) -> None:
    home.engine.drop_schema("D", "S", uid=S)
    kept = (home.folder / "graves" / f"schema-{S}.db").read_bytes()
    home.engine.create_schema("D", "S", replace=False, uid=S)
    home.sql("INSERT INTO D.S.t (x) VALUES (8)")
    (home.folder / "graves" / f"schema-{S}.db").write_bytes(kept)
    home.engine.drop_schema("D", "S", uid=S)
    home.engine.create_schema("D", "S", replace=False, uid=S)
    assert home.sql("SELECT count(*) FROM D.S.t") == [(3,)]


@pytest.mark.parametrize("change", ["rename", "drop"])
def test_a_database_that_a_transaction_uses_moves_when_it_has_ended(
    home: Home, change: str
) -> None:
    other = home.engine._duck.cursor()  # pyright: ignore[reportPrivateUsage]
    other.execute("BEGIN")
    other.execute("INSERT INTO D.S.t (x) VALUES (9)")

    def move() -> None:
        if change == "drop":
            home.engine.drop_database("D", uid=D)
        else:
            home.engine.create_database("E", replace=False, uid=D)

    with pytest.raises(Unavailable):
        move()
    other.execute("COMMIT")
    other.close()
    move()
    home.engine.create_database("E", replace=False, uid=D)
    assert home.sql("SELECT count(*) FROM E.S.t") == [(3,)]


@pytest.mark.parametrize("change", ["rename", "drop"])
def test_a_database_moves_from_under_a_transaction_that_only_reads(
    home: Home, change: str
) -> None:
    reader = home.engine._duck.cursor()  # pyright: ignore[reportPrivateUsage]
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM D.S.t").fetchall() == [(2,)]
    if change == "drop":
        home.engine.drop_database("D", uid=D)
    home.engine.create_database("E", replace=False, uid=D)
    home.sql("INSERT INTO E.S.t (x) VALUES (9)")
    # What is new under the old name waits for the reader, and then comes.
    with pytest.raises(Unavailable):
        home.engine.create_database("D", replace=False, uid=OTHER)
    reader.execute("COMMIT")
    reader.close()
    home.engine.create_database("D", replace=False, uid=OTHER)
    home.again()
    assert home.sql("SELECT count(*) FROM E.S.t") == [(3,)]
    assert home.sql(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'D' AND table_name = 't'"
    ) == [(0,)]


def test_a_database_moves_while_statements_that_read_it_come_and_go(home: Home) -> None:
    home.engine.close()
    home.open(patience=60)
    ended = Event()

    def read() -> None:
        with home.engine._duck.cursor() as duck:  # pyright: ignore[reportPrivateUsage]
            while not ended.is_set():
                duck.execute("SELECT count(*) FROM duckdb_tables()").fetchall()

    with ThreadPoolExecutor() as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            for _ in range(8):
                home.engine.drop_database("D", uid=D)
                home.engine.create_database("D", replace=False, uid=D)
        finally:
            ended.set()
        for reader in readers:
            reader.result(timeout=30)
    holds_everything(home, "D.S")


def test_a_schema_is_set_aside_from_under_a_transaction_that_looks_at_every_database(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's own catalog opens all files, also the one that a schema is just being copied to."""
    monkeypatch.setattr(room_files, "_is_open", lambda _file: True)
    home.engine.drop_schema("D", "S", uid=S)
    assert home.graves() == [f"schema-{S}.db"]
    home.engine.create_schema("D", "S", replace=False, uid=S)
    holds_everything(home, "D.S")
