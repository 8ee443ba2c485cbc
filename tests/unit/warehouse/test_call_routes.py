"""How the calls of a statement are made: one decision for all of them."""

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import rewrite
from snowcave.warehouse.service_functions import calls, routes
from snowcave.warehouse.service_functions.routes import Route

F, G = (
    pb.FunctionBinding(
        function=number, name=name, argument_types=["INT"], returns="INT", spellings=[name]
    )
    for number, name in enumerate("FG")
)

AHEAD = [
    "SELECT f(x) FROM t",
    "SELECT x, f(x) AS d, g(y) FROM t WHERE y > 1 ORDER BY d LIMIT 3",
    "SELECT f(g(f(x))) + 1 FROM t ORDER BY 1",
    "SELECT f(x) AS x FROM t WHERE x > 1 ORDER BY x",
    "SELECT *, f(x) FROM t ORDER BY x",
    "SELECT a.x, f(b.y) FROM a JOIN b ON a.x = b.x",
    "SELECT f(x), (SELECT MAX(y) FROM u) FROM t",
    "WITH c AS (SELECT COUNT(*) AS n FROM t) SELECT f(n) FROM c",
    "INSERT INTO u SELECT f(x) FROM t",
    "CREATE TABLE u AS SELECT f(x) AS d FROM t",
]
LIFTED = [
    "SELECT f(x) FROM t WHERE f(x) > 1",
    "SELECT f(x) FROM t WHERE g(x) > 1",
    "SELECT x FROM t WHERE f(x) > 1",
    "SELECT f(x), COUNT(*) FROM t GROUP BY f(x)",
    "SELECT SUM(f(x)) FROM t",
    "SELECT DISTINCT f(x) FROM t",
    "SELECT f(x) FROM t ORDER BY f(x)",
]
VOLATILE = [
    "SELECT f(x) AS d, COUNT(*) FROM t GROUP BY d ORDER BY d",
    "SELECT f(SUM(x)) FROM t",
    "SELECT f(x) + MAX(y) FROM t",
    "SELECT f(x), CASE WHEN x > 1 THEN f(x) END FROM t",
    "SELECT f(CASE WHEN x > 1 THEN g(x) END), g(x) FROM t",
    "SELECT f(x), x > 1 AND g(x) > 1 FROM t",
    "SELECT f(x) FROM t WHERE x IN (SELECT g(y) FROM u)",
    "SELECT f((SELECT MAX(y) FROM u)) FROM t",
    "SELECT f(x) FROM t UNION ALL SELECT 1",
    "WITH c AS (SELECT f(x) AS d FROM t) SELECT d, f(d) FROM c",
    "SELECT a.x, f(b.y) FROM a JOIN b ON f(a.x) = b.x",
    "SELECT *, f(a.x) FROM a JOIN b ON a.x = b.x",
    "SELECT * EXCLUDE (y), f(x) FROM t",
    "SELECT * REPLACE (f(x) AS x) FROM t",
    "SELECT *, f(x) FROM t ORDER BY 1",
    "SELECT y + 1 AS z, f(x) FROM t WHERE z > 1",
    "SELECT y + 1 AS z, f(x) FROM t ORDER BY z + 1",
    "SELECT f(x), ROW_NUMBER() OVER (ORDER BY x) FROM t",
    "UPDATE t SET x = f(x)",
]
STABLE = [
    "SELECT f(x) AS d FROM t WHERE d > 1",
    "SELECT f(x) AS d, d + 1 FROM t",
    "SELECT f(x) AS d, g(d) FROM t",
    "SELECT f(x) AS d FROM t ORDER BY d + 1",
    "SELECT f(x) AS d, COUNT(*) FROM t GROUP BY d HAVING d > 1",
    "SELECT f(x) AS d, COUNT(*) FROM t GROUP BY d + 1",
    "SELECT x FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY f(x) ORDER BY x) = 1",
    "SELECT f(x) AS d, ROW_NUMBER() OVER (ORDER BY d) FROM t",
    "SELECT * FROM (SELECT f(x) AS d FROM t WHERE d > 1)",
]


@pytest.mark.parametrize(
    ("sql", "route"),
    [
        *((sql, Route.AHEAD) for sql in AHEAD),
        *((sql, Route.LIFTED) for sql in LIFTED),
        *((sql, Route.VOLATILE) for sql in VOLATILE),
        *((sql, Route.STABLE) for sql in STABLE),
    ],
)
def test_the_route_of_a_statement(sql, route):
    statement = rewrite.name_columns(rewrite.parse(sql), sql)
    assert routes.decide(statement, calls.find(statement, [F, G])) is route


def test_another_number_of_arguments_is_said_as_snowflake_does():
    with pytest.raises(SnowcaveError, match=r"Invalid argument types for function 'F'") as wrong:
        calls.find(rewrite.parse("SELECT f(1, 2)"), [F])
    assert (wrong.value.code, wrong.value.sqlstate) == (1044, "42P13")


def test_the_numbers_of_arguments_of_all_overloads_are_named():
    two = pb.FunctionBinding(
        function=2, name="F", argument_types=["INT", "INT"], returns="INT", spellings=["F"]
    )
    with pytest.raises(SnowcaveError, match="it takes 1 or 2 arguments, not 3"):
        calls.find(rewrite.parse("SELECT f(1, 2, 3)"), [two, F])
