"""Overloads with equally many arguments are told apart by their types, wherever a call stands."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.session import DuckSession
from snowcave.warehouse.service_functions import calls
from snowcave.warehouse.service_functions.settling import settle
from tests.kit.sql_engine import HERE, Sql, sql_session

TYPES = {
    "n": "NUMBER(38,0)",
    "f": "FLOAT",
    "t": "VARCHAR(16777216)",
    "b": "BOOLEAN",
    "d": "DATE",
    "s": "TIMESTAMP_NTZ(9)",
    "z": "TIMESTAMP_TZ(9)",
    "v": "VARIANT",
    "a": "ARRAY",
    "o": "OBJECT",
    "x": "BINARY(8388608)",
}


def declared(*signatures: str, name: str = "F", returns: str = "t") -> list[pb.FunctionBinding]:
    """`nt`: takes a number and a text."""
    return [
        pb.FunctionBinding(
            function=number + (100 if name == "G" else 1),
            database="DB",
            schema="S",
            name=name,
            argument_types=[TYPES[one] for one in signature],
            returns=TYPES[returns],
            spellings=[name],
        )
        for number, signature in enumerate(signatures)
    ]


class OnThisThread:
    async def thread(self, call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)


@dataclass
class Session:
    engine: DuckSession


def settled(sql: Sql, text: str, functions: Sequence[pb.FunctionBinding]) -> list[str]:
    """What the calls mean, by the types of their arguments."""
    statement = sql.session.parse(text, HERE)
    sessions, session = cast("Any", OnThisThread()), cast("Any", Session(sql.session))
    asyncio.run(settle(sessions, session, statement, functions, HERE, []))
    letters = {text: letter for letter, text in TYPES.items()}
    found = calls.find(statement.copy(), functions)
    return sorted("".join(letters[t] for t in one.function.argument_types) for one in found)


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    home: Path = tmp_path_factory.mktemp("overloads")
    with sql_session(home) as opened:
        opened.rows(
            "CREATE TABLE t (n INT, m NUMBER(10,2), f FLOAT, t VARCHAR, b BOOLEAN, d DATE, "
            "s TIMESTAMP_NTZ, v VARIANT, x BINARY)"
        )
        opened.rows("CREATE TABLE u (n VARCHAR, t INT)")
        yield opened


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("1", "n"),
        ("1.5", "n"),
        ("n", "n"),
        ("m", "n"),
        ("n + m", "n"),
        ("f", "f"),
        ("1e0", "f"),
        ("'x'", "t"),
        ("t", "t"),
        ("t || n", "t"),
        ("n::VARCHAR", "t"),
        ("b", "b"),
        ("n > 1", "b"),
        ("d", "d"),
        ("s", "s"),
        ("CURRENT_DATE()", "d"),
        ("t::TIMESTAMP_TZ", "z"),
        ("v", "v"),
        ("v:k", "v"),
        ("PARSE_JSON('[1]')", "v"),
        ("v::ARRAY", "a"),
        ("v::OBJECT", "o"),
        ("x", "x"),
        ("NULL", "t"),
    ],
)
def test_the_same_type_goes_first(sql: Sql, argument: str, meant: str):
    every = declared(*TYPES)
    assert settled(sql, f"SELECT f({argument}) FROM t", every) == [meant]


@pytest.mark.parametrize(
    ("argument", "signatures", "meant"),
    [
        ("n", "ft", "f"),
        ("f", "tn", "n"),
        ("n", "xt", "t"),
        ("b", "vt", "t"),
        ("d", "ts", "s"),
        ("t", "dn", "n"),
        ("v", "tn", "t"),
    ],
)
def test_else_the_nearest_one_that_it_is_coerced_to(
    sql: Sql, argument: str, signatures: str, meant: str
):
    for order in (signatures, signatures[::-1]):
        assert settled(sql, f"SELECT f({argument}) FROM t", declared(*order)) == [meant]


def test_the_fewest_coercions_win(sql: Sql):
    assert settled(sql, "SELECT f(n, t) FROM t", declared("ff", "ft", "tt")) == ["ft"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("SELECT f(n), f(t) FROM t", ["t", "n"]),
        ("SELECT 1 FROM t WHERE f(n) > 1 AND f(t) = 'x'", ["t", "n"]),
        ("SELECT f(t.n), f(u.n) FROM t JOIN u ON f(t.t) = f(u.t)", ["n", "t", "t", "n"]),
        ("WITH c AS (SELECT n || 'x' AS y FROM t) SELECT f(y) FROM c", ["t"]),
        ("SELECT (SELECT f(o.n) FROM u) FROM t AS o", ["n"]),
        ("SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE f(u.n) = t.t)", ["t"]),
        ("SELECT n AS y, f(y) FROM t", ["n"]),
        ("SELECT f(n) AS y, f(y) FROM t", ["n", "t"]),
        ("SELECT ROW_NUMBER() OVER (ORDER BY f(t)) FROM t", ["t"]),
        ("SELECT f(MAX(n)) FROM t GROUP BY t HAVING f(COUNT(*)) = 'x'", ["n", "n"]),
        ("SELECT db.s.f(t) FROM t", ["t"]),
        ("CREATE TABLE r AS SELECT f(t) AS y FROM t", ["t"]),
        ("INSERT INTO u SELECT f(t), f(n) FROM t", ["n", "t"]),
        ("UPDATE t SET t = f(n) WHERE f(t) = 'x'", ["t", "n"]),
        ("UPDATE t SET t = f(u.n) FROM u WHERE u.t = t.n", ["t"]),
        ("DELETE FROM t WHERE f(n) = 'x'", ["n"]),
        ("DELETE FROM t USING u WHERE f(u.n) = t.t", ["t"]),
        ("MERGE INTO t USING u ON f(u.n) = t.t WHEN MATCHED THEN UPDATE SET t = u.n", ["t"]),
        ("MERGE INTO t USING u ON u.n = t.t WHEN MATCHED THEN UPDATE SET t = f(m)", ["n"]),
    ],
)
def test_wherever_a_call_stands_its_arguments_are_known(sql: Sql, text: str, meant: list[str]):
    assert settled(sql, text, declared("t", "n")) == sorted(meant)


def test_a_call_of_a_call_takes_what_that_one_returns(sql: Sql):
    functions = [*declared("t", "n"), *declared("t", "n", name="G", returns="n")]
    assert settled(sql, "SELECT f(g(t)) FROM t", functions) == ["n", "t"]
    assert settled(sql, "SELECT g(f(n)) FROM t", functions) == ["n", "t"]
    assert settled(sql, "SELECT f(g(f(LOWER(t)))) FROM t", functions) == ["n", "t", "t"]
    assert settled(sql, "SELECT g(n) AS y, f(y), g(y) FROM t", functions) == ["n", "n", "n"]
    assert settled(sql, "SELECT f(y) FROM (SELECT g(t) AS y FROM t)", functions) == ["n", "t"]


@pytest.mark.parametrize(
    ("call", "signatures", "types"),
    [
        ("f(n, n)", ["tn", "nt"], r"\(NUMBER, NUMBER\)"),
        ("f(x)", ["n", "t"], r"\(BINARY\)"),
        ("f(d, 1)", ["nn", "bn"], r"\(DATE, NUMBER\)"),
    ],
)
def test_a_call_that_means_two_functions_or_none_is_refused(
    sql: Sql, call: str, signatures: list[str], types: str
):
    with pytest.raises(SnowcaveError, match=f"Invalid argument types for function 'F': {types}"):
        settled(sql, f"SELECT {call} FROM t", declared(*signatures))


def test_what_cannot_be_bound_anyway_is_left_to_say_so(sql: Sql):
    assert settled(sql, "SELECT f(nobody) FROM t", declared("t", "n")) == ["t"]


def test_a_transaction_goes_on(sql: Sql):
    sql.rows("BEGIN")
    sql.rows("INSERT INTO u VALUES ('here', 1)")
    assert settled(sql, "SELECT f(t) FROM u", declared("t", "n")) == ["n"]
    assert sql.rows("SELECT n FROM u") == [("here",)]
    sql.rows("ROLLBACK")
    assert sql.rows("SELECT n FROM u") == []


@pytest.mark.parametrize("call", ["f(n => 1)", "f(1, t => 'x')", "DB.S.f(t => 'x', n => 1)"])
def test_arguments_by_their_names_are_said_to_be_unsupported(sql: Sql, call: str):
    with pytest.raises(SnowcaveError, match="named arguments of service function") as refused:
        settled(sql, f"SELECT {call}", declared("nt"))
    assert refused.value.code == 2
