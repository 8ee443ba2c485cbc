"""EXECUTE IMMEDIATE, RATIO_TO_REPORT and texts split into rows, by what they answer."""

from collections.abc import Generator

import pytest

from snowcave.model.errors import SyntaxInvalid, Unsupported
from tests.kit.sql_engine import Row, Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    with sql_session(tmp_path_factory.mktemp("engine")) as sql:
        sql.rows("CREATE TABLE t (n INT, g TEXT)")
        sql.rows("INSERT INTO t VALUES (1, 'x'), (3, 'x'), (4, 'y-z')")
        yield sql


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT RATIO_TO_REPORT(n) OVER () FROM t ORDER BY n", [(0.125,), (0.375,), (0.5,)]),
        (
            "SELECT n, ratio_to_report(n + 0) OVER (PARTITION BY g) AS r FROM t ORDER BY n",
            [(1, 0.25), (3, 0.75), (4, 1.0)],
        ),
        ("SELECT RATIO_TO_REPORT(n - n) OVER () FROM t LIMIT 1", [(None,)]),
        (
            "SELECT * FROM TABLE(SPLIT_TO_TABLE('a.b', '.'))",
            [(1, 1, "a"), (1, 2, "b")],
        ),
        (
            "SELECT t.n, s.index, s.value FROM t, LATERAL SPLIT_TO_TABLE(t.g, '-') s WHERE n = 4 "
            "ORDER BY 2",
            [(4, 1, "y"), (4, 2, "z")],
        ),
        (
            "SELECT value FROM TABLE(STRTOK_SPLIT_TO_TABLE('  a b,c', ' ,'))",
            [("a",), ("b",), ("c",)],
        ),
        ("SELECT value FROM TABLE(STRTOK_SPLIT_TO_TABLE('a.b c'))", [("a.b",), ("c",)]),
    ],
)
def test_a_shorter_spelling_answers_like_the_longer_one(sql: Sql, query: str, rows: list[Row]):
    assert sql.rows(query) == rows


@pytest.mark.parametrize(
    "query",
    [
        "EXECUTE IMMEDIATE 'SELECT ''it''''s'''",
        "execute immediate $$SELECT 'it''s'$$;",
        "EXECUTE IMMEDIATE $q",
    ],
)
def test_execute_immediate_runs_the_statement_in_a_text(sql: Sql, query: str):
    sql.rows("SET q = 'SELECT ''it''''s'''")
    assert sql.value(query) == "it's"


def test_a_statement_in_a_text_is_checked_like_any_other(sql: Sql):
    assert isinstance(sql.error("EXECUTE IMMEDIATE 'SELEC 1'"), SyntaxInvalid)
    assert "Unknown function" in str(sql.error("EXECUTE IMMEDIATE 'SELECT read_text(''/x'')'"))


def test_what_is_not_a_text_is_refused_by_name(sql: Sql):
    assert isinstance(sql.error("EXECUTE IMMEDIATE FROM '@stage/file.sql'"), Unsupported)
    wrong = "SELECT * FROM t, TABLE(STRTOK_SPLIT_TO_TABLE(g, g))"
    assert isinstance(sql.error(wrong), Unsupported)
    assert isinstance(sql.error("SELECT RATIO_TO_REPORT(1, 2) OVER ()"), SyntaxInvalid)
