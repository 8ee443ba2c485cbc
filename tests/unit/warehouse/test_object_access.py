"""Tables, views, sequences, SQL functions and file formats: each action with each privilege alone.

Cases are generated from the model's privileges and from the list of actions, which says in its own words what
Snowflake's documents ask for.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.model.privileges import EVENT_TABLE, PRIVILEGES
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.duck import DuckEngine
from tests.kit.sql_engine import HERE, Sql, sql_engine

pytestmark = pytest.mark.documented

OWNER, STRANGER = HERE.role_uid, 2
OWNERSHIP, NOTHING = "OWNERSHIP", ""
MAKE = {
    "table": "CREATE OR REPLACE TABLE x AS SELECT 1 AS a",
    "view": "CREATE OR REPLACE VIEW x AS SELECT a FROM base",
    "sequence": "CREATE OR REPLACE SEQUENCE x",
    "function": "CREATE OR REPLACE FUNCTION x(a INT) RETURNS INT AS 'a + 1'",
    "file_format": "CREATE OR REPLACE FILE FORMAT x TYPE = CSV",
}
# What there is without files of it.
STAGE = 7


@dataclass(frozen=True)
class Action:
    """Passes with any of `needs`; with none given, with any privilege, or `owner_only`."""

    sql: str
    needs: tuple[str, ...] = ()
    owner_only: bool = False


def owner(sql: str) -> Action:
    return Action(sql, owner_only=True)


ACTIONS: dict[str, tuple[Action, ...]] = {
    "table": (
        Action("SELECT a FROM x", ("SELECT",)),
        Action("SELECT a FROM DB.S.x", ("SELECT",)),
        Action('SELECT a FROM "X"', ("SELECT",)),
        Action('SELECT a FROM "x"', ("SELECT",)),
        Action("SELECT * FROM IDENTIFIER('x')", ("SELECT",)),
        Action("SELECT 1 FROM open WHERE a IN (SELECT a FROM x)", ("SELECT",)),
        Action("WITH c AS (SELECT a FROM x) SELECT * FROM c", ("SELECT",)),
        Action("INSERT INTO open SELECT a FROM x", ("SELECT",)),
        Action("CREATE OR REPLACE VIEW mine AS SELECT a FROM x", ("SELECT",)),
        Action("CREATE OR REPLACE TABLE mine CLONE x", ("SELECT",)),
        Action(
            "CREATE OR REPLACE FUNCTION mine() RETURNS INT AS 'SELECT max(a) FROM x'", ("SELECT",)
        ),
        Action("INSERT INTO x VALUES (2)", ("INSERT",)),
        Action("UPDATE x SET a = 2", ("UPDATE",)),
        Action("DELETE FROM x", ("DELETE",)),
        Action("TRUNCATE TABLE x", ("TRUNCATE",)),
        Action(
            "MERGE INTO x USING open AS o ON x.a = o.a WHEN MATCHED THEN UPDATE SET a = o.a",
            ("UPDATE",),
        ),
        Action(
            "MERGE INTO x USING open AS o ON x.a = o.a WHEN NOT MATCHED THEN INSERT (a) VALUES (o.a)",
            ("INSERT",),
        ),
        Action("DESCRIBE TABLE x"),
        Action("SHOW COLUMNS IN TABLE x"),
        owner("ALTER TABLE x ADD COLUMN b INT"),
        owner("ALTER TABLE x RENAME TO y"),
        owner("COMMENT ON TABLE x IS 'c'"),
        owner("COMMENT ON COLUMN x.a IS 'c'"),
        owner("COMMENT ON COLUMN DB.S.x.a IS 'c'"),
        owner("CREATE OR REPLACE TABLE x (a INT)"),
        owner("DROP TABLE x"),
        owner("DROP TABLE IF EXISTS x"),
    ),
    "view": (
        Action("SELECT a FROM x", ("SELECT",)),
        Action("DESCRIBE VIEW x"),
        owner("CREATE OR REPLACE VIEW x AS SELECT 1 AS a"),
        owner("DROP VIEW x"),
    ),
    "sequence": (
        Action("SELECT x.NEXTVAL", ("USAGE",)),
        Action("INSERT INTO open SELECT DB.S.x.NEXTVAL", ("USAGE",)),
        owner("DROP SEQUENCE x"),
    ),
    "function": (
        Action("SELECT x(1)", ("USAGE",)),
        Action("SELECT DB.S.x(1)", ("USAGE",)),
        owner("CREATE OR REPLACE FUNCTION x(a INT) RETURNS INT AS 'a'"),
        owner("DROP FUNCTION x(INT)"),
    ),
    "file_format": (
        Action("COPY INTO open FROM @7.DATA.STAGE FILE_FORMAT = (FORMAT_NAME = x)", ("USAGE",)),
        Action(
            "COPY INTO open FROM @7.DATA.STAGE FILE_FORMAT = (FORMAT_NAME = 'db.s.x')", ("USAGE",)
        ),
        Action("COPY INTO open FROM @7.DATA.STAGE FILE_FORMAT = x", ("USAGE",)),
        Action("DESCRIBE FILE FORMAT x"),
        owner("CREATE OR REPLACE FILE FORMAT x TYPE = JSON"),
        owner("DROP FILE FORMAT x"),
        owner("DROP FILE FORMAT IF EXISTS DB.S.x"),
    ),
}


@dataclass(frozen=True)
class Case:
    kind: str
    action: Action
    privilege: str

    @property
    def passes(self) -> bool:
        if self.privilege in (OWNERSHIP, NOTHING) or self.action.owner_only:
            return self.privilege == OWNERSHIP
        return not self.action.needs or self.privilege in self.action.needs

    def __str__(self) -> str:
        return f"{self.kind}-{self.privilege or 'nothing'}-{self.action.sql[:48]}"


def cases() -> Iterator[Case]:
    for kind, actions in ACTIONS.items():
        for action in actions:
            for privilege in (NOTHING, *PRIVILEGES[kind], OWNERSHIP):
                yield Case(kind, action, privilege)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Generator[DuckEngine]:
    with sql_engine(tmp_path_factory.mktemp("engine")) as opened:
        sql = Sql(opened.open_session(1))
        sql.rows("CREATE TABLE base AS SELECT 1 AS a")
        opened.know_stage(STAGE)
        yield opened
        sql.session.close()


def words(kind: str) -> str:
    return kind.replace("_", " ")


def stranger(**more: object) -> Context:
    """Of a role that may make things in the schema, and owns none of them."""
    makes = frozenset(f"CREATE {words(kind).upper()}" for kind in MAKE)
    restricted: dict[str, object] = {
        "role": "STRANGER",
        "role_uid": STRANGER,
        "schemas": {("DB", "S"): makes},
        "roles": frozenset({STRANGER}),
    }
    return replace(HERE, **{**restricted, **more})  # type: ignore[arg-type]


def uid_of(engine: DuckEngine, kind: str, name: str = "X") -> int:
    request = pb.ListObjectsRequest(database="DB", schema="S", kind=kind, name=name)
    (found,) = engine.objects(request)
    return found.uid


def refusal(sql: Sql, statement: str) -> SnowcaveError | None:
    try:
        sql.rows(statement)
    except SnowcaveError as error:
        return error
    return None


def clear(sql: Sql) -> None:
    for kind in ("TABLE", "VIEW", "SEQUENCE", "FILE FORMAT"):
        for name in ("x", "y", "mine", "open"):
            refusal(sql, f"DROP {kind} IF EXISTS {name}")
    for name in ("x(INT)", "mine()"):
        refusal(sql, f"DROP FUNCTION IF EXISTS {name}")


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_only_who_holds_the_right_privilege_passes(engine: DuckEngine, case: Case) -> None:
    session = engine.open_session(1)
    admin = Sql(session)
    try:
        clear(admin)
        admin.rows(MAKE[case.kind])
        uid = uid_of(engine, case.kind)
        if case.privilege == OWNERSHIP:
            engine.change_owner(pb.ChangeOwnerRequest(uids=[uid], owner=STRANGER, owner_name="S"))
        held = (
            {uid: frozenset({case.privilege})} if case.privilege else dict[int, frozenset[str]]()
        )
        sql = Sql(session, stranger(held=held))
        sql.rows("CREATE TABLE open AS SELECT 5 AS a")
        error = refusal(sql, case.action.sql)
    finally:
        session.close()
    if case.passes:
        assert error is None
        return
    assert error is not None
    if case.privilege == NOTHING:
        assert error.code == 2003
        assert error.message.endswith("does not exist or not authorized.")
    else:
        assert error.code == 3001
        assert (
            f"Insufficient privileges to operate on {words(case.kind)} 'X'"
            in error.message.replace("'x'", "'X'")
        )


@pytest.mark.parametrize("kind", list(MAKE))
@pytest.mark.parametrize("held", ["CREATE {kind}", OWNERSHIP, "USAGE"])
def test_making_something_takes_a_privilege_on_the_schema(
    engine: DuckEngine, kind: str, held: str
) -> None:
    session = engine.open_session(1)
    clear(Sql(session))
    privilege = held.format(kind=words(kind).upper())
    context = stranger(schemas={("DB", "S"): frozenset({privilege})})
    sql = MAKE[kind].replace("OR REPLACE ", "").replace("FROM base", "")
    error = refusal(Sql(session, context), sql.replace("SELECT a ", "SELECT 1 AS a "))
    session.close()
    if held == "USAGE":
        assert error is not None
        assert "Insufficient privileges to operate on schema 'S'" in error.message
    else:
        assert error is None


@pytest.fixture
def admin(engine: DuckEngine) -> Generator[Sql]:
    sql = Sql(engine.open_session(1))
    clear(sql)
    yield sql
    clear(sql)
    sql.session.close()


def test_who_makes_it_owns_it_and_says_so(engine: DuckEngine, admin: Sql) -> None:
    made = Sql(admin.session, stranger()).outcome("CREATE TABLE x (a INT)").made
    assert [(one.kind, one.database, one.schema, one.name, one.owner) for one in made] == [
        ("table", "DB", "S", "X", STRANGER)
    ]
    assert made[0].uid == uid_of(engine, "table")
    again = Sql(admin.session, stranger()).outcome("CREATE TABLE IF NOT EXISTS x (a INT)").made
    assert again == ()


def test_a_table_of_the_same_name_has_none_of_the_old_one_s_grants(
    engine: DuckEngine, admin: Sql
) -> None:
    admin.rows("CREATE TABLE x (a INT)")
    old = uid_of(engine, "table")
    admin.rows("CREATE OR REPLACE TABLE x COPY GRANTS (a INT)")
    assert uid_of(engine, "table") == old
    admin.rows("CREATE OR REPLACE TABLE x (a INT)")
    assert uid_of(engine, "table") != old
    admin.rows("ALTER TABLE x RENAME TO y")
    kept = uid_of(engine, "table", "Y")
    admin.rows("DROP TABLE y")
    admin.rows("CREATE TABLE y (a INT)")
    assert uid_of(engine, "table", "Y") != kept


def test_one_s_own_temporary_table_leads_nowhere_else(engine: DuckEngine, admin: Sql) -> None:
    admin.rows("CREATE TABLE x AS SELECT 7 AS a")
    session = engine.open_session(2)
    sql = Sql(session, stranger())
    sql.rows("CREATE TEMPORARY TABLE x AS SELECT 1 AS a")
    # It hides the other one, under whatever name, until it is dropped.
    for name in ("DB.S.x", "S.x", "x"):
        assert sql.value(f"SELECT a FROM {name}") == 1
    sql.rows("DROP TABLE S.x")
    for statement in ("SELECT * FROM DB.S.x", "SELECT * FROM x", "DROP TABLE S.x"):
        assert sql.error(statement).code == 2003
    session.close()
    assert admin.value("SELECT a FROM x") == 7
    (found,) = engine.objects(pb.ListObjectsRequest(database="DB", name="X"))
    assert found.owner == OWNER


@pytest.mark.parametrize("name", ['"x"', '"X"', "x"])
def test_no_spelling_leads_around_ownership(admin: Sql, name: str) -> None:
    admin.rows("CREATE TABLE x AS SELECT 7 AS a")
    sql = Sql(admin.session, stranger())
    for statement in (
        f"CREATE OR REPLACE TABLE {name} (a INT)",
        f"DROP TABLE {name}",
        f"SELECT * FROM {name}",
    ):
        assert sql.error(statement).code == 2003
    assert admin.value("SELECT a FROM x") == 7


def test_the_schema_s_owner_may_drop_but_not_read(admin: Sql) -> None:
    admin.rows("CREATE TABLE x (a INT)")
    sql = Sql(admin.session, stranger(schemas={("DB", "S"): frozenset({OWNERSHIP})}))
    assert sql.error("SELECT * FROM x").code == 2003
    sql.rows("DROP TABLE x")


def test_what_is_not_there_may_be_dropped_by_anyone_where_that_is_said(admin: Sql) -> None:
    sql = Sql(admin.session, stranger())
    sql.rows("DROP TABLE IF EXISTS x")
    assert sql.error("DROP TABLE x").code == 2003


def test_show_lists_one_s_own_and_what_one_was_granted(engine: DuckEngine, admin: Sql) -> None:
    admin.rows("CREATE TABLE x (a INT)")
    sql = Sql(admin.session, stranger())
    sql.rows("CREATE TABLE open (a INT)")
    assert [row[1] for row in sql.rows("SHOW TABLES")] == ["OPEN"]
    held = {uid_of(engine, "table"): frozenset({"REFERENCES"})}
    granted = Sql(admin.session, stranger(held=held))
    assert [row[1] for row in granted.rows("SHOW TABLES")] == ["OPEN", "X"]


def test_what_a_role_owned_is_inherited(engine: DuckEngine, admin: Sql) -> None:
    Sql(admin.session, stranger()).rows("CREATE TABLE x (a INT)")
    engine.change_owner(pb.ChangeOwnerRequest(from_role=STRANGER, owner=OWNER, owner_name="R"))
    (found,) = engine.objects(pb.ListObjectsRequest(uids=[uid_of(engine, "table")]))
    assert found.owner == OWNER
    (row,) = admin.rows("SHOW TABLES LIKE 'x'")
    assert "R" in row


@pytest.mark.parametrize("held", [NOTHING, "REFERENCES", "SELECT"])
def test_the_event_table_is_for_those_it_was_granted_to(admin: Sql, held: str) -> None:
    grants = {EVENT_TABLE: frozenset({held})} if held else dict[int, frozenset[str]]()
    sql = Sql(admin.session, stranger(held=grants))
    error = refusal(sql, "SELECT count(*) FROM SNOWFLAKE.TELEMETRY.EVENTS")
    assert (error.code if error else 0) == {NOTHING: 2003, "REFERENCES": 3001, "SELECT": 0}[held]


def test_an_owner_is_noted_without_a_schema_in_use(engine: DuckEngine, admin: Sql) -> None:
    nowhere = Sql(admin.session, stranger(database="", schema=""))
    (made,) = nowhere.outcome("CREATE TABLE DB.S.x AS SELECT 1 AS a").made
    assert made.owner == STRANGER
    assert nowhere.value("SELECT a FROM DB.S.x") == 1
