"""Named file formats: kept with their schema, or a session's own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.settings import EngineSettings
from tests.kit.sql_engine import Sql

D, S, STAGE = 11, 12, 7


class Home:
    """An engine over a folder, which may be opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()

    def open(self) -> None:
        settings = EngineSettings(move_patience=0.2)
        self.engine = DuckEngine(self.folder / "warehouse", self.folder / "stages", settings)
        self.engine.know_stage(STAGE)
        self.sql = Sql(self.engine.open_session(1))

    def again(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.sql.session.close()
        self.engine.close()

    def put(self, name: str, text: str) -> None:
        folder = self.folder / "stages" / str(STAGE) / "DATA" / "STAGE"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def home(tmp_path: Path) -> Generator[Home]:
    made = Home(tmp_path)
    made.engine.create_database("DB", replace=False, uid=D)
    made.engine.create_schema("DB", "S", replace=False, uid=S)
    yield made
    made.close()


def shown(sql: Sql, more: str = "") -> list[tuple[str, str, str, str, str]]:
    """Name, type, owner, comment and options of each."""
    answers = sql.rows(f"SHOW FILE FORMATS {more}")
    return [(row[1], row[4], row[5], row[6], row[7]) for row in answers]


def names(sql: Sql, more: str = "") -> list[str]:
    return [row[0] for row in shown(sql, more)]


def loaded(home: Home, form: str) -> list[tuple[object, ...]]:
    """What a file with a head and two rows becomes."""
    home.put("people.csv", "id|name\n1|Ann\n2|Bob\n")
    home.sql.rows("CREATE OR REPLACE TABLE people (id INT, name STRING)")
    home.sql.rows(f"COPY INTO people FROM @{STAGE}.DATA.STAGE FORCE = TRUE FILE_FORMAT = {form}")
    return home.sql.rows("SELECT * FROM people ORDER BY id")


@pytest.mark.parametrize(
    "form",
    [
        "(FORMAT_NAME = 'piped')",
        "(FORMAT_NAME = piped)",
        "(FORMAT_NAME = db.s.piped)",
        "(FORMAT_NAME = 'S.PIPED')",
        "piped",
        "'piped'",
        "(FORMAT_NAME = headless SKIP_HEADER = 1)",
    ],
)
def test_copy_reads_files_by_the_format_that_it_names(home: Home, form: str) -> None:
    home.sql.rows("CREATE FILE FORMAT piped TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 1")
    home.sql.rows("CREATE FILE FORMAT headless TYPE = 'csv' FIELD_DELIMITER = '|' SKIP_HEADER = 0")
    assert loaded(home, form) == [(1, "Ann"), (2, "Bob")]


def test_the_options_of_a_format_all_come_along(home: Home) -> None:
    home.sql.rows(
        "CREATE FILE FORMAT f TYPE = CSV SKIP_HEADER = 1 FIELD_DELIMITER = '|' "
        "NULL_IF = ('Ann', 'x') EMPTY_FIELD_AS_NULL = TRUE COMMENT = 'people''s'"
    )
    assert loaded(home, "f") == [(1, None), (2, "Bob")]
    assert home.sql.rows("DESC FILE FORMAT f") == [
        ("TYPE", "String", "CSV"),
        ("SKIP_HEADER", "Integer", "1"),
        ("FIELD_DELIMITER", "String", "|"),
        ("NULL_IF", "List", "[Ann, x]"),
        ("EMPTY_FIELD_AS_NULL", "Boolean", "true"),
    ]


def test_it_is_shown_with_what_it_says(home: Home) -> None:
    home.sql.rows("CREATE FILE FORMAT a TYPE = CSV SKIP_HEADER = 1 COMMENT = 'c'")
    home.sql.rows("CREATE FILE FORMAT b TYPE = PARQUET")
    assert shown(home.sql) == [
        ("A", "CSV", "R", "c", '{"TYPE":"CSV","SKIP_HEADER":1}'),
        ("B", "PARQUET", "R", "", '{"TYPE":"PARQUET"}'),
    ]
    assert names(home.sql, "LIKE 'b%'") == ["B"]
    assert names(home.sql, "IN ACCOUNT") == ["A", "B"]
    home.engine.create_schema("DB", "OTHER", replace=False)
    assert names(home.sql, "IN SCHEMA DB.OTHER") == []


def test_it_is_there_after_a_restart(home: Home) -> None:
    home.sql.rows("CREATE FILE FORMAT f TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 1")
    home.again()
    assert loaded(home, "f") == [(1, "Ann"), (2, "Bob")]


def test_it_goes_with_its_schema_and_comes_back_with_it(home: Home) -> None:
    home.sql.rows("CREATE FILE FORMAT f TYPE = JSON")
    home.engine.create_schema("DB", "MOVED", replace=False, uid=S)
    assert names(home.sql, "IN SCHEMA DB.MOVED") == ["F"]
    home.engine.drop_schema("DB", "MOVED", uid=S)
    assert names(home.sql, "IN ACCOUNT") == []
    home.engine.create_schema("DB", "MOVED", replace=False, uid=S)
    assert names(home.sql, "IN SCHEMA DB.MOVED") == ["F"]


def test_a_database_of_the_same_name_has_none_of_the_dropped_one_s(home: Home) -> None:
    home.sql.rows("CREATE FILE FORMAT f TYPE = JSON")
    home.engine.drop_database("DB", uid=D)
    home.engine.create_database("DB", replace=False, uid=D + 10)
    home.engine.create_schema("DB", "S", replace=False, uid=S + 10)
    assert names(home.sql) == []
    home.sql.rows("CREATE FILE FORMAT f TYPE = CSV")


def test_a_temporary_one_is_its_session_s_and_hides_another(home: Home) -> None:
    home.sql.rows("CREATE FILE FORMAT f TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 1")
    home.sql.rows("CREATE TEMP FILE FORMAT f TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 2")
    home.sql.rows("CREATE TEMPORARY FILE FORMAT g TYPE = JSON")
    assert loaded(home, "f") == [(2, "Bob")]
    other = Sql(home.engine.open_session(2))
    assert names(other) == ["F"]
    assert "does not exist" in other.error("DESCRIBE FILE FORMAT g").message
    other.session.close()
    home.sql.rows("DROP FILE FORMAT f")
    assert loaded(home, "f") == [(1, "Ann"), (2, "Bob")]


def test_what_is_there_and_what_is_not(home: Home) -> None:
    sql = home.sql
    assert sql.value("CREATE FILE FORMAT f") == "File format F successfully created."
    assert sql.error("CREATE FILE FORMAT f").code == 2002
    again = "CREATE FILE FORMAT IF NOT EXISTS f TYPE = JSON"
    assert sql.value(again) == "F already exists, statement succeeded."
    assert shown(sql)[0][1] == "CSV"
    sql.rows("CREATE OR REPLACE FILE FORMAT f TYPE = JSON")
    assert [row[1] for row in shown(sql)] == ["JSON"]
    assert sql.value("DROP FILE FORMAT f") == "F successfully dropped."
    gone = "Drop statement executed successfully (F already dropped)."
    assert sql.value("DROP FILE FORMAT IF EXISTS f") == gone
    for statement in ("DROP FILE FORMAT f", "DESC FILE FORMAT f"):
        assert "File format 'F' does not exist or not authorized." in sql.error(statement).message


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE FILE FORMAT f TYPE = TABS", "invalid value 'TABS' for property 'TYPE'"),
        ("CREATE FILE FORMAT nowhere.f", "Schema 'DB.NOWHERE' does not exist"),
        ("CREATE FILE FORMAT nowhere.s.f", "Schema 'NOWHERE.S' does not exist"),
        ("DESCRIBE FILE FORMAT nowhere.s.f", "File format 'F' does not exist"),
        ("ALTER FILE FORMAT f SET TYPE = CSV", "Unsupported feature 'ALTER FILE FORMAT'"),
        ("COPY INTO t FROM @7.DATA.STAGE FILE_FORMAT = g", "File format 'G' does not exist"),
        ("COPY INTO t FROM @7.DATA.STAGE FILE_FORMAT = ('", "syntax error"),
        *(
            (
                f"COPY INTO t FROM @7.DATA.STAGE FILE_FORMAT = (FORMAT_NAME = '{name}')",
                f"invalid value '{name}' for property 'FORMAT_NAME'",
            )
            for name in ("", '"a', "a.b.c.d")
        ),
    ],
)
def test_what_is_refused(home: Home, statement: str, words: str) -> None:
    home.sql.rows("CREATE TABLE t (a INT)")
    assert words in home.sql.error(statement).message
