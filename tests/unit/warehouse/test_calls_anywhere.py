"""A call of a service that multiplies means the same as the product, wherever it stands."""

import asyncio

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snowcave.model.errors import SnowcaveError
from tests.kit.doubling_services import a_desk, an_engine, as_calls, as_products

X = "<<2 x>>"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with an_engine(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


async def fill(desk, ts, us=((1, 2), (2, 4), (None, 6))):
    for name, rows in (("t", ts), ("u", us)):
        await desk.rows(f"CREATE OR REPLACE TABLE {name} (x INT, y INT)")
        if rows:
            values = ", ".join(f"({a}, {b})" for a, b in rows).replace("None", "NULL")
            await desk.rows(f"INSERT INTO {name} VALUES {values}")


def in_order(sql, rows):
    return rows if sql.rsplit(")", 1)[-1].find("ORDER BY") >= 0 else sorted(rows, key=repr)


async def both(engine, sql, ts):
    """What the statement gives with calls, and with products in their place."""
    async with a_desk(*engine) as desk:
        await fill(desk, ts)
        try:
            expected = await desk.rows(as_products(sql))
        except SnowcaveError:
            return None
        return await desk.rows(as_calls(sql)), expected


STATEMENTS = [
    f"SELECT x, {X} AS d FROM t WHERE {X} > 4",
    f"SELECT x, {X} AS d FROM t WHERE <<3 x>> > 4",
    f"SELECT {X}, COUNT(*) FROM t GROUP BY {X} ORDER BY 1 LIMIT 2",
    f"SELECT {X}, COUNT(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 2",
    f"SELECT {X} AS d, COUNT(*) FROM t GROUP BY d ORDER BY d DESC LIMIT 2",
    f"SELECT {X} AS d, COUNT(*) FROM t GROUP BY ALL HAVING d > 2",
    f"SELECT {X} + 1, COUNT(*) FROM t GROUP BY {X} HAVING {X} > 2 AND SUM(<<3 y>>) > 0",
    "SELECT y, SUM(<<2 x>>) AS s FROM t GROUP BY y HAVING s > 2 ORDER BY <<3 y>>, s",
    "SELECT <<2 SUM(x)>> FROM t",
    "SELECT <<2 SUM(<<3 x>>)>> + MAX(<<3 y>>) FROM t",
    f"SELECT y, <<2 SUM({X})>> FROM t GROUP BY y HAVING <<2 SUM({X})>> > 4",
    f"SELECT COUNT(DISTINCT {X}), AVG(<<3 x>>) FROM t",
    f"SELECT {X} AS d FROM t WHERE d > 3",
    f"SELECT {X} AS d, d + 1 AS e, e + d FROM t WHERE e > 3",
    f"SELECT {X} AS d, <<3 d>> AS e FROM t WHERE d <> e ORDER BY e",
    f"SELECT {X} AS x FROM t WHERE x > 1 ORDER BY x DESC",
    f"SELECT {X} AS y, y FROM t",
    f"SELECT {X} AS d FROM t ORDER BY d + 1 DESC LIMIT 1",
    f"SELECT {X} AS d FROM t ORDER BY <<3 x>> DESC, 1 LIMIT 2",
    f"SELECT {X} FROM t ORDER BY {X} LIMIT 2",
    "SELECT x FROM t ORDER BY <<2 x>> DESC NULLS LAST LIMIT 2",
    f"SELECT y + 1 AS z, {X} FROM t WHERE z > 1",
    f"SELECT y + 1 AS z, {X} FROM t ORDER BY z, 2",
    f"SELECT y + 1 AS z, {X} FROM t ORDER BY z + 1, 2",
    f"SELECT {X}, CASE WHEN x > 1 THEN <<3 x>> ELSE {X} END FROM t",
    f"SELECT {X}, COALESCE(<<3 y>>, {X}) FROM t",
    f"SELECT {X} > 2 OR <<3 y>> > 3, {X} FROM t",
    "SELECT <<2 <<3 <<2 x>>>>>> FROM t WHERE <<2 <<2 x>>>> > 4",
    "SELECT <<2 CASE WHEN x > 1 THEN <<3 x>> END>>, <<3 x>> FROM t",
    "SELECT <<2 x>> + <<2 y>>, <<3 <<2 x>> + 1>> FROM t ORDER BY 2, 1",
    f"SELECT DISTINCT {X} FROM t WHERE {X} IS NOT NULL",
    f"SELECT DISTINCT {X} AS d FROM t ORDER BY d",
    f"SELECT {X}, SUM({X}) OVER (PARTITION BY <<3 y>> ORDER BY {X}, x) FROM t",
    f"SELECT {X} AS d, ROW_NUMBER() OVER (ORDER BY d, y) AS r FROM t QUALIFY r < 3",
    f"SELECT {X} AS d FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY <<2 y>> ORDER BY {X}, y) = 1",
    "SELECT <<2 ROW_NUMBER() OVER (ORDER BY x, y)>> FROM t",
    "SELECT a.x, <<2 b.y>> FROM t a JOIN u b ON <<2 a.x>> = b.y",
    "SELECT a.x, <<2 b.y>> FROM t a LEFT JOIN u b ON <<2 a.x>> = <<2 b.x>> WHERE <<3 a.x>> > 3",
    "SELECT a.x, b.x FROM t a FULL JOIN u b ON <<2 a.x>> = <<2 b.x>>",
    "SELECT *, <<2 a.x>> FROM t a JOIN u b ON a.x = b.x",
    f"SELECT *, {X} FROM t WHERE x > 1 ORDER BY x, y LIMIT 2",
    f"SELECT * EXCLUDE (y), {X} FROM t",
    f"SELECT x FROM t WHERE x IN (SELECT {X} FROM u)",
    f"SELECT {X} FROM t WHERE {X} IN (SELECT y FROM u WHERE <<2 y>> > 1)",
    "SELECT <<2 x>> FROM t a WHERE EXISTS (SELECT 1 FROM u WHERE <<2 a.x>> = u.y)",
    "SELECT x, (SELECT MAX(<<2 u.x>>) FROM u WHERE u.y >= <<2 t.x>>) AS m, <<2 x>> FROM t",
    f"SELECT d, <<3 d>> FROM (SELECT {X} AS d, y FROM t WHERE <<2 y>> > 1) WHERE <<2 d>> > 4",
    f"WITH c AS (SELECT {X} AS d FROM t) SELECT <<2 a.d>>, b.d FROM c a JOIN c b ON a.d = b.d WHERE b.d > 2",
    f"WITH c AS (SELECT x FROM t WHERE x > 1) SELECT {X} FROM c ORDER BY 1 LIMIT 2",
    f"SELECT {X} FROM t UNION SELECT <<3 y>> FROM u WHERE <<2 y>> > 4 ORDER BY 1",
    f"SELECT {X} AS d FROM t UNION ALL SELECT y FROM u",
    f"SELECT {X} FROM t INTERSECT SELECT y FROM u",
    f"SELECT y, COUNT_IF({X} > 2), MAX({X}) - MIN(<<3 x>>) FROM t GROUP BY ROLLUP (y)",
    f"SELECT <<2 1>>, {X} FROM t WHERE <<2 2>> = 4",
    "SELECT <<2 1>> AS c, c + 1 FROM t WHERE c = 2",
    "SELECT <<2 x>> FROM t WHERE x BETWEEN <<2 0>> AND <<2 1>>",
    "SELECT <<2 COLUMN1>> AS d FROM VALUES (1), (2) WHERE d > 2",
    f"SELECT TOP 1 {X} FROM t ORDER BY 1",
    f"SELECT {X} AS d, y FROM t ORDER BY y, d LIMIT 2 OFFSET 1",
    f"SELECT IFF({X} > 2, 'big', 'small') AS size, COUNT(*) FROM t GROUP BY size ORDER BY size",
]
ROWS = ((1, 1), (2, 1), (2, 3), (3, 2), (None, 3), (3, None))


@pytest.mark.parametrize("sql", STATEMENTS)
async def test_every_place_of_a_statement(engine, sql):
    ran = await both(engine, sql, ROWS)
    assert ran is not None, "the statement is wrong in itself"
    assert in_order(sql, ran[0]) == in_order(sql, ran[1])


# ---------------------------------------------------------------- statements out of the blue


def expressions(columns):
    leaf = st.sampled_from([*columns, "1", "2"])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds("<<{} {}>>".format, st.sampled_from([2, 3]), inner),
            st.builds("<<2 {}>>".format, inner),
            st.builds("({} + {})".format, inner, inner),
            st.builds("CASE WHEN {} > 2 THEN {} ELSE {} END".format, inner, inner, inner),
            st.builds("COALESCE({}, {})".format, inner, inner),
        ),
        max_leaves=3,
    )


@st.composite
def sources(draw):
    """(FROM, columns)"""
    kind = draw(st.sampled_from(["table", "table", "join", "derived"]))
    if kind == "join":
        on = expressions(["a.x", "a.y", "b.x", "b.y"])
        side = draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
        return f"t a {side} u b ON {draw(on)} = {draw(on)}", ["a.x", "b.y"]
    if kind == "derived":
        inner = expressions(["x", "y"])
        where = f" WHERE {draw(inner)} > 2" if draw(st.booleans()) else ""
        return f"(SELECT {draw(inner)} AS x, {draw(inner)} AS y FROM t{where}) s", ["x", "y"]
    return "t", ["x", "y"]


@st.composite
def queries(draw):
    source, columns = draw(sources())
    value = expressions(columns)
    aggregate = st.builds("{}({})".format, st.sampled_from(["SUM", "MAX", "COUNT"]), value)
    grouped = draw(st.sampled_from(["", "", "", "expression", "position", "alias"]))
    names = draw(st.permutations(["d", "e", "x"]))
    items = [f"{draw(value)} AS {names[0]}"]
    if grouped:
        items.append(f"{draw(aggregate)} AS {names[1]}")
    else:
        more = st.one_of(value, value, expressions([names[0], *columns]))
        items += [f"{item} AS {names[1]}" for item in draw(st.lists(more, max_size=1))]
    wheres = expressions([*columns, names[0]])
    sql = f"SELECT {draw(st.sampled_from(['', '', 'DISTINCT ']))}{', '.join(items)} FROM {source}"
    if draw(st.booleans()):
        sql += f" WHERE {draw(wheres)} > {draw(value)}"
    if grouped:
        key = items[0].rsplit(" AS ", 1)[0]
        sql += " GROUP BY " + {"expression": key, "position": "1", "alias": names[0]}[grouped]
        if draw(st.booleans()):
            sql += f" HAVING {draw(aggregate)} > 2"
    elif draw(st.integers(0, 3)) == 0:
        sql += f" QUALIFY ROW_NUMBER() OVER (PARTITION BY {draw(value)} ORDER BY {', '.join(columns)}) = 1"
    if draw(st.booleans()):
        sql += " ORDER BY " + ", ".join(str(n + 1) for n in range(len(items)))
        if draw(st.booleans()):
            sql += f" LIMIT {draw(st.integers(0, 4))}"
    return sql


small = st.one_of(st.none(), st.integers(-2, 4))


@settings(max_examples=40, deadline=None)
@given(queries(), st.lists(st.tuples(small, small), max_size=5))
def test_statements_with_calls_mean_what_they_mean_with_products(engine, sql, rows):
    ran = asyncio.run(both(engine, sql, rows))
    assume(ran is not None)
    assert ran is not None
    with_calls, with_products = ran
    if " ORDER BY 1" not in sql:
        with_calls, with_products = (sorted(r, key=repr) for r in ran)
    assert with_calls == with_products


# ---------------------------------------------------------------- what is sent


async def sent(engine, sql):
    async with a_desk(*engine) as desk:
        await fill(desk, [(n, n % 3) for n in range(20)])
        await desk.rows(as_calls(sql))
        return [text or "" for text in desk.service.sent]


async def test_a_limit_that_waits_for_no_answer_holds_for_what_is_sent(engine):
    assert await sent(engine, f"SELECT {X} AS x FROM t WHERE x > 3 ORDER BY x + y LIMIT 2")
    assert await sent(engine, f"SELECT {X} AS x FROM t WHERE y = 0 ORDER BY t.x DESC LIMIT 2") == [
        "18",
        "15",
    ]


async def test_a_limit_that_waits_for_answers_sends_every_row(engine):
    assert len(await sent(engine, f"SELECT {X} FROM t ORDER BY 1 LIMIT 2")) == 20


async def test_an_alias_that_is_used_again_sends_nothing_twice(engine):
    assert sorted(await sent(engine, f"SELECT {X} AS d, d + 1 FROM t WHERE d > 3 AND d < 30")) == (
        sorted(str(n) for n in range(20))
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT <<2 s>> FROM (SELECT SUM(x) AS s FROM n)",
        "SELECT <<2 s>> FROM (SELECT y, SUM(x) AS s FROM n GROUP BY y)",
        "SELECT <<2 SUM(x)>> FROM n",
        "SELECT <<2 s>> FROM (SELECT SUM(t::NUMBER) AS s FROM n)",
    ],
)
async def test_sums_are_exact_on_their_way_to_a_service(engine, sql):
    values = "(4503599627370497, 1, '4503599627370497'), (4503599627370498, 1, '4503599627370498')"
    async with a_desk(*engine) as desk:
        await desk.rows("CREATE OR REPLACE TABLE n (x NUMBER(18,0), y INT, t VARCHAR)")
        await desk.rows(f"INSERT INTO n VALUES {values}")
        ((found,),) = await desk.rows(as_calls(sql))
        assert desk.service.sent == ["9007199254740995"]
    assert int(found) == 2 * 9007199254740995


async def test_sums_of_texts_reach_a_service_too(engine):
    async with a_desk(*engine) as desk:
        await desk.rows("CREATE OR REPLACE TABLE n AS SELECT '3' AS t UNION ALL SELECT '4'")
        await desk.rows(as_calls("SELECT <<2 s>> FROM (SELECT SUM(t) AS s FROM n)"))
        assert desk.service.sent == ["7"]


async def test_branches_that_are_not_taken_send_nothing(engine):
    sql = f"SELECT CASE WHEN x > 17 THEN {X} END, <<3 x>> FROM t WHERE x > 15"
    assert sorted(await sent(engine, sql)) == ["16", "17", "18", "18", "19", "19"]


@pytest.mark.parametrize(
    "sql",
    [
        f"CREATE VIEW v AS SELECT {X} AS d FROM t",
        "CREATE TABLE d (x INT DEFAULT <<2 1>>)",
        "ALTER TABLE t ADD COLUMN z INT DEFAULT <<2 1>>",
    ],
)
async def test_what_outlives_the_statement_holds_no_call(engine, sql):
    async with a_desk(*engine) as desk:
        await fill(desk, ROWS)
        with pytest.raises(SnowcaveError, match="Unsupported feature"):
            await desk.rows(as_calls(sql))


async def test_calls_in_statements_that_change_tables(engine):
    async with a_desk(*engine) as desk:
        await fill(desk, [(1, 1), (2, 2)])
        await desk.rows("INSERT INTO t VALUES (dbl(5), trp(dbl(1)))")
        await desk.rows("INSERT INTO t SELECT dbl(x) AS d, trp(y) FROM t WHERE dbl(x) = 2")
        await desk.rows("UPDATE t SET x = dbl(x), y = trp(x) WHERE dbl(y) = 4")
        await desk.rows("DELETE FROM t WHERE dbl(x) = 20")
        await desk.rows(
            "MERGE INTO t USING (SELECT dbl(1) AS k) s ON t.x = s.k "
            "WHEN MATCHED THEN UPDATE SET y = trp(t.x) WHEN NOT MATCHED THEN INSERT VALUES (s.k, dbl(9))"
        )
        assert sorted(await desk.rows("SELECT x, y FROM t")) == [(1, 1), (2, 6), (4, 6)]
