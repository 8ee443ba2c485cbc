"""Ordinary SQL of a service that acts for its caller: both must have the privilege, caller and limits."""

from collections.abc import Generator
from dataclasses import replace

import pytest

from snowcave.model import limits
from snowcave.model.errors import SnowcaveError
from snowcave.model.privileges import CALLER
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.duck import DuckEngine
from tests.kit.sql_engine import HERE, Sql, sql_engine

pytestmark = pytest.mark.documented

CALLING = 2
SELECT, INSERT = "SELECT a FROM x", "INSERT INTO x VALUES (2)"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Generator[DuckEngine]:
    with sql_engine(tmp_path_factory.mktemp("engine")) as opened:
        admin = Sql(opened.open_session(1))
        admin.rows("CREATE TABLE x AS SELECT 1 AS a")
        yield opened
        admin.session.close()


def uid_of(engine: DuckEngine) -> int:
    request = pb.ListObjectsRequest(database="DB", schema="S", kind="table", name="X")
    (found,) = engine.objects(request)
    return found.uid


def passes(engine: DuckEngine, statement: str, context: Context) -> bool:
    session = engine.open_session(1)
    try:
        Sql(session, context).rows(statement)
    except SnowcaveError as error:
        if error.code not in (2003, 3001):
            raise
        return False
    finally:
        session.close()
    return True


def calling(
    *left_on_tables: str, held: dict[int, frozenset[str]] | None = None, told: str = ""
) -> Context:
    """Limited to privileges on all tables of the schema; `held` may say more of single ones."""
    return replace(
        HERE,
        role="CALLING",
        role_uid=CALLING,
        roles=frozenset({CALLING}),
        schemas={
            ("DB", "S"): frozenset(limits.left_on("table", one) for one in left_on_tables),
            limits.NOWHERE: frozenset({limits.LIMITED, told}),
        },
        held=held or {},
    )


@pytest.mark.parametrize("whole_kind", [True, False], ids=["inherited", "of one table"])
@pytest.mark.parametrize("left", ["SELECT", "INSERT"])
@pytest.mark.parametrize("has", ["SELECT", "INSERT"])
@pytest.mark.parametrize("statement", [SELECT, INSERT])
def test_what_is_not_both_held_and_left_is_refused(
    engine: DuckEngine, statement: str, has: str, left: str, whole_kind: bool
) -> None:
    own = frozenset({has}) if whole_kind else frozenset({has, CALLER + left})
    context = calling(*([left] if whole_kind else []), held={uid_of(engine): own})
    assert passes(engine, statement, context) == (statement.split()[0] == has == left)


def test_neither_an_owner_nor_an_administrator_gets_past_the_limits(engine: DuckEngine) -> None:
    uid = uid_of(engine)
    owning = replace(calling("SELECT"), roles=frozenset({CALLING, HERE.role_uid}))
    everything = calling("SELECT", told=limits.HAS_ALL)
    for context in (owning, everything):
        assert passes(engine, SELECT, context)
        assert not passes(engine, INSERT, context)
        assert not passes(engine, "DROP TABLE x", context)
    assert not passes(engine, SELECT, calling("SELECT"))
    assert not passes(engine, SELECT, calling(held={uid: frozenset({CALLER + "SELECT"})}))
