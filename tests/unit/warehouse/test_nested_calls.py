"""Calls in FROM, WITH, UNION and USING are made in large batches, and no more than DuckDB would make."""

import asyncio
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import rewrite
from snowcave.warehouse.service_functions import calls, nested
from tests.kit.doubling_services import a_desk, an_engine, as_calls

F = pb.FunctionBinding(
    function=1, name="F", argument_types=["INT"], returns="INT", spellings=["F"]
)

FIRST = [
    "SELECT l, COUNT(*) FROM (SELECT f(x) AS l FROM t) GROUP BY l",
    "WITH c AS (SELECT k, f(x) AS l FROM t) SELECT k, MAX(l) FROM c GROUP BY k",
    "WITH a AS (SELECT x FROM t), c AS (SELECT f(x) AS l FROM a) SELECT * FROM c WHERE l > 1",
    "WITH c AS (SELECT f(x) AS l FROM t), d AS (SELECT l + 1 AS m FROM c) SELECT MAX(m) FROM d",
    "CREATE TABLE u AS WITH c AS (SELECT f(x) AS l FROM t) SELECT l FROM c",
    "CREATE TABLE u AS (SELECT f(x) AS l FROM t)",
    "INSERT INTO u SELECT l FROM (SELECT f(x) AS l FROM t WHERE x > 1)",
    "SELECT f(x) FROM t UNION ALL SELECT y FROM u",
    "SELECT y FROM u UNION SELECT l FROM (SELECT f(x) AS l FROM t)",
    "MERGE INTO u USING (SELECT x, f(x) AS l FROM t) s ON u.x = s.x WHEN MATCHED THEN UPDATE SET y = s.l",
    "SELECT * FROM (SELECT x, f(x) AS l FROM t) AS s LEFT JOIN u ON s.x = u.x",
    "SELECT x FROM (SELECT x, f(x) AS l FROM t) QUALIFY ROW_NUMBER() OVER (ORDER BY l) = 1",
    "SELECT x, l FROM (SELECT x, f(x) AS l FROM t) ORDER BY x LIMIT 2",
    "SELECT * FROM (SELECT k, SUM(f(x)) AS s FROM t GROUP BY k) WHERE s > 3",
    "SELECT * FROM (SELECT k, MAX(l) AS m FROM (SELECT k, f(x) AS l FROM t) GROUP BY k) WHERE m > 1",
    "SELECT SUM(n) FROM (SELECT l, COUNT(*) AS n FROM (SELECT f(x) AS l FROM t) GROUP BY l)",
    "SELECT DISTINCT l FROM (SELECT f(x) AS l FROM t LIMIT 5)",
]
LEFT_ALONE = [
    "SELECT COUNT(*) FROM (SELECT x, f(x) AS l FROM t)",
    "SELECT x FROM (SELECT x, f(x) AS l FROM t)",
    "SELECT n FROM (SELECT MAX(l) AS m, COUNT(*) AS n FROM (SELECT f(x) AS l FROM t))",
    "SELECT * FROM (SELECT x, f(x) AS l FROM t) WHERE x = 1",
    "SELECT * FROM (SELECT x, f(x) AS l FROM t) WHERE l > 1 AND x = 1",
    "SELECT k, MAX(l) FROM (SELECT k, f(x) AS l FROM t) GROUP BY k HAVING k > 1",
    "SELECT * FROM (SELECT k, MAX(l) AS m FROM (SELECT k, f(x) AS l FROM t) GROUP BY k) WHERE k > 1",
    "SELECT l FROM (SELECT f(x) AS l FROM t) LIMIT 5",
    "SELECT MAX(l) FROM (SELECT f(x) AS l FROM t) LIMIT 0",
    "SELECT f(x) FROM t UNION ALL SELECT y FROM u LIMIT 3",
    "SELECT f(x) FROM t INTERSECT SELECT y FROM u",
    "SELECT * FROM (SELECT x, f(x) AS l FROM t) AS s JOIN u ON s.x = u.x",
    "SELECT * FROM u LEFT JOIN (SELECT x, f(x) AS l FROM t) AS s ON s.x = u.x",
    "SELECT * FROM (SELECT f(x) AS l FROM t) AS s, LATERAL FLATTEN(input => s.l)",
    "SELECT * FROM (SELECT f(x) FROM t) AS s (l)",
    "SELECT * FROM (SELECT f(x) AS l FROM t) SAMPLE (10)",
    "WITH c (l) AS (SELECT f(x) FROM t) SELECT l FROM c",
    "WITH c AS (SELECT f(x) AS l FROM t) SELECT 1",
    "WITH c AS (SELECT f(x) AS l FROM t) SELECT a.l FROM c AS a LEFT JOIN c AS b ON a.l = b.l",
    "WITH a AS (SELECT x FROM t), c AS (SELECT f(x) AS l FROM a) SELECT * FROM c LEFT JOIN a ON l = x",
    "WITH RECURSIVE c AS (SELECT f(1) AS l UNION ALL SELECT l + 1 FROM c WHERE l < 9) SELECT l FROM c",
    "SELECT x FROM t WHERE x IN (SELECT f(y) FROM u)",
    "SELECT (SELECT MAX(f(y)) FROM u) FROM t",
    "SELECT MAX(l) FROM (SELECT (SELECT f(x)) AS l FROM t)",
    "DELETE FROM t USING (SELECT f(x) AS l FROM u) s WHERE t.x = s.l",
]


def parts(sql):
    statement = rewrite.name_columns(rewrite.parse(sql), sql)
    return list(nested.parts(statement, calls.find(statement, [F])))


@pytest.mark.parametrize("sql", FIRST)
def test_calls_whose_answers_are_all_wanted_come_first(sql):
    assert len(parts(sql)) == 1


@pytest.mark.parametrize("sql", LEFT_ALONE)
def test_what_the_text_does_not_tell_stays_with_the_engine(sql):
    assert parts(sql) == []


def test_each_branch_of_a_union_is_a_part():
    assert len(parts("SELECT f(x) FROM t UNION ALL SELECT f(y) FROM u")) == 2


def test_inner_calls_come_before_those_over_them():
    (part,) = parts("SELECT f(l) FROM (SELECT f(m) AS l FROM (SELECT f(x) AS m FROM t))")
    assert [table.name for table in part.find_all(exp.Table)] == ["t"]
    assert len(list(part.find_all(exp.Select))) == 1


# ---------------------------------------------------------------- what comes of it


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with an_engine(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


async def filled(desk, rows):
    await desk.rows("CREATE OR REPLACE TABLE t (x INT, y INT)")
    await desk.rows("CREATE OR REPLACE TABLE u (x INT, z VARIANT)")
    await desk.rows("INSERT INTO u SELECT 1, PARSE_JSON('{\"a\": 2}')")
    if rows:
        told = ", ".join(f"({x}, {y})" for x, y in rows).replace("None", "NULL")
        await desk.rows(f"INSERT INTO t VALUES {told}")


async def ran(desk, sql, then=""):
    """Its rows in any order, or what it was refused for, and how often each argument was sent."""
    desk.service.sent.clear()
    try:
        rows = await desk.rows(as_calls(sql))
        if then:
            rows = await desk.rows(then)
    except SnowcaveError as error:
        return type(error), Counter()
    return sorted(rows, key=repr), Counter(desk.service.sent)


async def both(engine, sql, rows, then=""):
    """By the engine alone, and first."""
    async with a_desk(*engine) as desk:
        await filled(desk, rows)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nested, "parts", lambda *_: iter(()))
            alone = await ran(desk, sql, then)
        await filled(desk, rows)
        return alone, await ran(desk, sql, then)


STATEMENTS = [
    "SELECT l, COUNT(*) FROM (SELECT <<2 x>> AS l FROM t) GROUP BY l",
    "WITH a AS (SELECT x, y FROM t WHERE y > 1), c AS (SELECT y, <<2 x>> AS l FROM a) "
    "SELECT y, MAX(l) AS m FROM c GROUP BY y HAVING MAX(l) > 2 ORDER BY m",
    "WITH c AS (SELECT <<2 <<3 x>>>> AS l FROM t) SELECT <<2 l>> AS k FROM c",
    "WITH c AS (SELECT *, <<2 x>> AS l FROM t) SELECT * FROM c WHERE l > 2 ORDER BY x, y",
    "SELECT <<2 x>> AS l FROM t UNION ALL SELECT <<3 y>> FROM t",
    "SELECT <<2 x>> AS l FROM t UNION SELECT x FROM t ORDER BY l",
    "SELECT s.l, u.z:a::int FROM (SELECT x, <<2 x>> AS l FROM t) AS s LEFT JOIN u ON s.x = u.x",
    "SELECT x FROM (SELECT x, <<2 x>> AS l FROM t) QUALIFY ROW_NUMBER() OVER (ORDER BY l, x) = 1",
    "SELECT SUM(n), MAX(l) FROM (SELECT l, COUNT(*) AS n FROM (SELECT <<2 x>> AS l FROM t) GROUP BY l)",
    "SELECT k, s FROM (SELECT y AS k, SUM(<<2 x>>) AS s FROM t GROUP BY k) WHERE s > 2",
    "SELECT * FROM (SELECT x FROM t WHERE <<2 x>> > 2)",
    "SELECT w FROM (SELECT z AS w, <<2 x>> AS l FROM u) WHERE w:a = 2 OR l > 99",
    "SELECT w, l FROM (SELECT z:a AS w, <<2 x>> AS l FROM u) WHERE w = '2' OR l > 99",
    "SELECT * FROM (SELECT x, <<2 x>> AS l FROM t ORDER BY y LIMIT 2) ORDER BY l",
    "SELECT l FROM (SELECT <<2 7>> AS l)",
    "SELECT x, <<2 x>> FROM (SELECT x, <<3 x>> AS l FROM t) WHERE l > 3",
]
ROWS = ((1, 1), (2, 1), (2, 3), (3, 2), (None, 3), (3, None))


@pytest.mark.parametrize("sql", STATEMENTS)
async def test_a_statement_gives_the_same_rows_for_no_more_calls(engine, sql):
    (expected, before), (rows, after) = await both(engine, sql, ROWS)
    assert isinstance(expected, list), "the statement is wrong in itself"
    assert rows == expected
    assert after <= before, sql


@pytest.mark.parametrize(
    "sql",
    [
        "MERGE INTO u USING (SELECT x, MAX(<<2 y>>) AS l FROM t GROUP BY x) AS s ON u.x = s.x "
        "WHEN MATCHED THEN UPDATE SET z = s.l WHEN NOT MATCHED THEN INSERT (x, z) VALUES (s.x, s.l)",
        "INSERT INTO u WITH c AS (SELECT x, <<2 y>> AS l FROM t) SELECT x, l FROM c",
        "CREATE OR REPLACE TABLE u AS (SELECT x, <<2 y>> AS l FROM t)",
    ],
)
async def test_what_is_written_is_the_same(engine, sql):
    (expected, before), (rows, after) = await both(engine, sql, ROWS, "SELECT * FROM u")
    assert isinstance(expected, list), "the statement is wrong in itself"
    assert rows == expected
    assert after <= before


async def test_all_rows_of_a_query_in_with_are_asked_for_together(engine):
    async with a_desk(*engine) as desk:
        await filled(desk, ())
        await desk.rows("INSERT INTO t SELECT SEQ4(), 1 FROM TABLE(GENERATOR(ROWCOUNT => 5000))")
        rows = await desk.rows(
            as_calls("WITH c AS (SELECT <<2 x>> AS l FROM t) SELECT COUNT(DISTINCT l) FROM c")
        )
        assert rows == [(5000,)]
        assert desk.service.calls == 1


INNER = st.sampled_from(
    [
        *("SELECT x, y, <<2 x>> AS l FROM t", "SELECT x, <<2 x>> AS l, <<3 y>> AS y FROM t"),
        *(
            "SELECT *, <<2 <<3 x>>>> AS l FROM t WHERE y > 1",
            "SELECT x AS l, <<2 x>> AS x, y FROM t",
        ),
        *("SELECT y, MAX(<<2 x>>) AS l, COUNT(*) AS x FROM t GROUP BY y",),
        *(
            "SELECT x, y, <<2 x>> AS l FROM t WHERE <<3 y>> > 3",
            "SELECT DISTINCT <<2 x>> AS l, x, y FROM t",
        ),
        *("SELECT x, y, <<2 x>> AS l FROM t ORDER BY l, y LIMIT 2", "SELECT x, y, x AS l FROM b"),
        "SELECT y AS x, y, <<2 x>> AS l FROM b",
    ]
)
OUTER = st.sampled_from(
    [
        *(
            "SELECT * FROM c",
            "SELECT l FROM c",
            "SELECT x, y FROM c",
            "SELECT COUNT(*), MAX(l) FROM c",
        ),
        *(
            "SELECT l, SUM(x) FROM c GROUP BY l",
            "SELECT y, MAX(l) AS m FROM c GROUP BY y HAVING MAX(l) > 2",
        ),
        *("SELECT y, l FROM c GROUP BY y, l HAVING y > 1", "SELECT * FROM c WHERE l > 2"),
        *(
            "SELECT x FROM c WHERE l > 2 AND y > 1",
            "SELECT DISTINCT l FROM c",
            "SELECT l + 1 FROM c ORDER BY 1",
        ),
        *(
            "SELECT x, l FROM c ORDER BY x, l LIMIT 2",
            "SELECT l FROM c UNION ALL SELECT <<3 x>> FROM t",
        ),
        *(
            "SELECT <<3 l>> AS n FROM c",
            "SELECT x FROM c WHERE <<3 l>> > 6",
            "SELECT c.l FROM c LEFT JOIN u ON u.x = c.x",
        ),
        *(
            "SELECT MAX(k) FROM (SELECT y, l AS k FROM c) AS d",
            "SELECT k FROM (SELECT y AS k, l FROM c) AS d",
        ),
        *("SELECT k FROM (SELECT x, MAX(l) AS k FROM c GROUP BY x) AS d WHERE k > 2",),
        *("SELECT x, k FROM (SELECT x, MAX(l) AS k FROM c GROUP BY x) AS d WHERE x > 1",),
        "SELECT x FROM c QUALIFY ROW_NUMBER() OVER (PARTITION BY y ORDER BY l, x) = 1",
    ]
)


@st.composite
def queries(draw):
    inner, outer = draw(INNER), draw(OUTER)
    if draw(st.booleans()) or inner.endswith("FROM b"):
        return f"WITH b AS (SELECT x, y FROM t WHERE x > 0), c AS ({inner}) {outer}"
    return outer.replace("FROM c", f"FROM ({inner}) AS c")


small = st.one_of(st.none(), st.integers(0, 4))
# All different, as what is the same in several rows DuckDB may ask for once.
some_rows = st.lists(
    st.tuples(small, small), max_size=4, unique_by=(lambda row: row[0], lambda row: row[1])
)


@settings(max_examples=60, deadline=None)
@given(queries(), some_rows)
def test_any_statement_gives_the_same(engine, sql, rows):
    (expected, before), (found, after) = asyncio.run(both(engine, sql, rows))
    assume(isinstance(expected, list))
    assert found == expected
    # DuckDB may know from its statistics that nothing is left, and calls nothing then.
    if expected or before:
        assert after <= before, sql
