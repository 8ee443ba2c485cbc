"""Functions over VARIANT, ARRAY and OBJECT, by what they answer."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.kit.sql_engine import Sql, sql_engine, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    with sql_session(tmp_path_factory.mktemp("engine")) as sql:
        sql.rows("CREATE TABLE t (v VARIANT, a ARRAY, o OBJECT)")
        sql.rows(
            """INSERT INTO t SELECT PARSE_JSON('{"k":"Snow","n":5,"l":[1,null],"x":null}'),
            ARRAY_CONSTRUCT(1, 'a', 1), OBJECT_CONSTRUCT('a', 1, 'b.c', 'x')"""
        )
        yield sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TYPEOF(v)", "OBJECT"),
        ("TYPEOF(v:k)", "VARCHAR"),
        ("TYPEOF(v:n)", "INTEGER"),
        ("TYPEOF(v:l)", "ARRAY"),
        ("TYPEOF(v:x)", "NULL_VALUE"),
        ("TYPEOF(v:missing)", None),
        ("TYPEOF(PARSE_JSON('-1'))", "INTEGER"),
        ("TYPEOF(PARSE_JSON('1.5'))", "DECIMAL"),
        ("TYPEOF(PARSE_JSON('true'))", "BOOLEAN"),
        ("TYPEOF('abc'::VARIANT)", "VARCHAR"),
        ("TYPEOF(TO_VARIANT(1))", "INTEGER"),
        ("'abc'::VARIANT", '"abc"'),
        ("IS_OBJECT(v) AND IS_ARRAY(a) AND NOT IS_ARRAY(o)", True),
        ("IS_NULL_VALUE(v:x)", True),
        ("STRIP_NULL_VALUE(v:x)", None),
        ("IS_INTEGER(v:n)", True),
        ("IS_VARCHAR(v:n)", False),
        ("AS_INTEGER(v:n)", 5),
        ("AS_VARCHAR(v:n)", None),
        ("AS_VARCHAR(v:k)", "Snow"),
    ],
)
def test_types_of_values(sql: Sql, expression: str, expected: Any) -> None:
    assert sql.value(f"SELECT {expression} FROM t") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ARRAY_CONTAINS(1::VARIANT, a)", True),
        ("ARRAY_CONTAINS('a'::VARIANT, a)", True),
        ("ARRAY_CONTAINS('1'::VARIANT, a)", False),
        ("ARRAY_CONTAINS('Snow'::VARIANT, ARRAY_CONSTRUCT(v:k))", True),
        ("ARRAY_POSITION('a'::VARIANT, a)", 1),
        ("ARRAY_POSITION('z'::VARIANT, a)", None),
        ("ARRAY_TO_STRING(a, '-')", "1-a-1"),
        ("ARRAY_TO_STRING(v:l, ',')", "1,"),
        ("ARRAY_APPEND(a, 'z')", '[1,"a",1,"z"]'),
        ("ARRAY_PREPEND(a, 0)", '[0,1,"a",1]'),
        ("ARRAY_CAT(a, ARRAY_CONSTRUCT(2))", '[1,"a",1,2]'),
        ("ARRAY_CAT(a, NULL)", None),
        ("ARRAY_INSERT(a, 1, 'new')", '[1,"new","a",1]'),
        ("ARRAY_SLICE(a, 0, 2)", '[1,"a"]'),
        ("ARRAY_SLICE(a, 0, -1)", '[1,"a"]'),
        ("ARRAY_REMOVE(a, 1::VARIANT)", '["a"]'),
        ("ARRAY_COMPACT(v:l)", "[1]"),
        ("ARRAY_DISTINCT(a)", '[1,"a"]'),
        ("ARRAY_INTERSECTION(a, ARRAY_CONSTRUCT('a'))", '["a"]'),
        ("ARRAY_EXCEPT(a, ARRAY_CONSTRUCT(1))", '["a"]'),
        ("ARRAYS_OVERLAP(a, ARRAY_CONSTRUCT(3))", False),
        ("ARRAY_REVERSE(ARRAY_CONSTRUCT(1, 2))", "[2,1]"),
        ("ARRAY_SIZE(a)", 3),
        ("TO_ARRAY(1)", "[1]"),
        ("[1, 'a', NULL]", '[1,"a",null]'),
        ("[v:n, v:k, o, 1.5, TRUE]", '[5,"Snow",{"a":1,"b.c":"x"},1.5,true]'),
        ("ARRAY_CONSTRUCT(1::VARIANT, 'k'::VARIANT)", '[1,"k"]'),
        ("ARRAY_CONSTRUCT_COMPACT(1, NULL, 'a')", '[1,"a"]'),
        ("[[1, 'a'], [], {'k': ['b', 2]}]", '[[1,"a"],[],{"k":["b",2]}]'),
        ("[10, 'a'][0] + a[0]", 11),
        ("ARRAY_AGG([1, 'a'])", '[[1,"a"]]'),
        ("ARRAY_SORT([2, 1])", "[1,2]"),
        ("TO_ARRAY(a)", '[1,"a",1]'),
    ],
)
def test_arrays(sql: Sql, expression: str, expected: Any) -> None:
    assert sql.value(f"SELECT {expression} FROM t") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("OBJECT_INSERT(o, 'z', 2)", '{"a":1,"b.c":"x","z":2}'),
        ("OBJECT_INSERT(o, 'a', 'new', TRUE)", '{"a":"new","b.c":"x"}'),
        ("OBJECT_DELETE(o, 'a', 'none')", '{"b.c":"x"}'),
        ("OBJECT_PICK(o, 'a')", '{"a":1}'),
        ("OBJECT_KEYS(o)", '["a","b.c"]'),
        ("{'Cc': {'d': 2}, 'two words': o}", '{"Cc":{"d":2},"two words":{"a":1,"b.c":"x"}}'),
        ("{'k': 7}:k", "7"),
        ("OBJECT_PICK(o, ['a', 'z'])", '{"a":1}'),
    ],
)
def test_objects(sql: Sql, expression: str, expected: Any) -> None:
    assert sql.value(f"SELECT {expression} FROM t") == expected


def test_a_key_is_not_inserted_twice(sql: Sql) -> None:
    assert "Duplicate field key 'a'" in sql.error("SELECT OBJECT_INSERT(o, 'a', 2) FROM t").message


def test_semistructured_numbers_can_be_calculated_with(sql: Sql) -> None:
    assert sql.row("SELECT v:n + 1, 10 / v:n, v:n * v:n FROM t") == (6, 2, 25)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[v:n, 2, 1]", [(None, 0, "5"), (None, 1, "2"), (None, 2, "1")]),
        ("a", [(None, 0, "1"), (None, 1, '"a"'), (None, 2, "1")]),
        ("o", [("a", None, "1"), ("b.c", None, '"x"')]),
        ("v:k", []),
        ("v:missing", []),
        ("[{'c': 1}]", [(None, 0, '{"c":1}')]),
    ],
)
def test_flatten_keeps_the_order(sql: Sql, given: str, expected: Any) -> None:
    flattened = f"SELECT f.key, f.index, f.value FROM t, LATERAL FLATTEN(INPUT => {given}) f"
    assert sql.rows(flattened) == expected


def test_each_row_is_flattened_by_itself(sql: Sql) -> None:
    sql.rows("CREATE TABLE r AS SELECT * FROM (VALUES (7), (8), (8)) AS r(n)")
    rows = sql.rows("SELECT n, f.index, f.value::INT FROM r, LATERAL FLATTEN(INPUT => [n, 3]) f")
    assert rows == [(n, *at) for n in (7, 8, 8) for at in ((0, n), (1, 3))]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("INPUT => v:l, OUTER => TRUE", [("[0]", 0, "1"), ("[1]", 1, None)]),
        ("INPUT => v:x, OUTER => FALSE", []),
        ("INPUT => v:x, OUTER => TRUE", [(None, None, None)]),
        ("OUTER => TRUE, INPUT => ARRAY_CONSTRUCT()", [(None, None, None)]),
        ("INPUT => v, PATH => 'l'", [("l[0]", 0, "1"), ("l[1]", 1, None)]),
        ("INPUT => {'b': {'c': {'d': 1}}}, PATH => 'b.c'", [("b.c.d", None, "1")]),
        (
            "INPUT => v:l, MODE => 'BOTH', RECURSIVE => FALSE",
            [("[0]", 0, "1"), ("[1]", 1, None)],
        ),
    ],
)
def test_options_of_flatten(sql: Sql, options: str, expected: Any) -> None:
    flattened = f"SELECT f.path, f.index, f.value FROM t, LATERAL FLATTEN({options}) f"
    assert sql.rows(flattened) == expected


@pytest.mark.parametrize("option", ["RECURSIVE => TRUE", "MODE => 'ARRAY'", "PATH => '['"])
def test_options_of_flatten_that_are_not_there(sql: Sql, option: str) -> None:
    error = sql.error(f"SELECT * FROM t, LATERAL FLATTEN(INPUT => v, {option}) f")
    assert "Unsupported feature 'FLATTEN with " in error.message


def test_views_that_use_these_functions_outlive_the_engine(tmp_path: Any) -> None:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE VIEW w AS SELECT TYPEOF(PARSE_JSON('[]')) AS kind")
    with sql_engine(tmp_path) as engine:
        again = Sql(engine.open_session(2))
        assert again.value("SELECT kind FROM w") == "ARRAY"
        again.session.close()


def test_nobody_calls_the_macros_by_their_own_names(sql: Sql) -> None:
    assert sql.error("SELECT memory.main._sc_typeof('1')").code == 2140
