"""Snowflake's meaning, put into texts and trees."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.model.errors import SnowcaveError, SyntaxInvalid
from snowcave.warehouse import rewrite
from snowcave.warehouse.engine import bindings
from snowcave.warehouse.engine.api import Context


@pytest.mark.parametrize(
    ("sql", "filled"),
    [
        ("SELECT $x", "SELECT 5"),
        ("SELECT '$x', $X", "SELECT '$x', 5"),
        ("SELECT $$ $x $$", "SELECT $$ $x $$"),
        ('SELECT "$x" -- $x', 'SELECT "$x" -- $x'),
        ("SELECT /* $x */ $1, a$x", "SELECT /* $x */ $1, a$x"),
        (r"SELECT 'it\'s $x'", r"SELECT 'it\'s $x'"),
        ("SELECT 'it''s $x', $x", "SELECT 'it''s $x', 5"),
    ],
)
def test_variables_stand_outside_of_texts_and_comments(sql, filled):
    assert rewrite.fill_variables(sql, {"x": "5"}) == filled


def test_an_unknown_variable_is_named():
    with pytest.raises(SnowcaveError, match=r"'\$NOPE' does not exist"):
        rewrite.fill_variables("SELECT $nope", {})


@given(st.text(alphabet="ab$' \"-/*\\\n", max_size=30))
def test_no_text_breaks_the_search_for_variables(sql):
    # The only complaint that a text can cause is about a variable.
    with contextlib.suppress(SnowcaveError):
        assert rewrite.fill_variables(sql, {"a": "$a", "b": "$b"}).replace("$", "") == sql.replace(
            "$", ""
        )


@pytest.mark.parametrize(
    ("sql", "items"),
    [
        ("SELECT a, f(b, c) FROM t", ["a", "f(b, c)"]),
        ("select distinct 1 + 1 , 'x,y' x", ["1 + 1", "'x,y' x"]),
        ("WITH a AS (SELECT 1, 2) SELECT max(z) FROM a", ["max(z)"]),
        ("SELECT (SELECT 1 FROM u), [1, 2]", ["(SELECT 1 FROM u)", "[1, 2]"]),
        ("SELECT 1 UNION SELECT 2", ["1"]),
        ("(SELECT 1) LIMIT 1", []),
        ("INSERT INTO t VALUES (1)", []),
        ("SELECT 1;", ["1"]),
    ],
)
def test_the_items_of_the_select_list(sql, items):
    assert rewrite.select_items(sql) == items


def test_headers_are_the_user_s_text_in_upper_case():
    assert rewrite.header("my_udf('hello!')") == "MY_UDF('HELLO!')"
    assert rewrite.header('upper("aB")') == 'UPPER("aB")'


def test_a_misspelt_first_word_is_blamed_where_it_stands():
    with pytest.raises(SyntaxInvalid) as wrong:
        rewrite.parse("selec 1")
    assert "line 1 at position 0 unexpected 'selec'" in wrong.value.message


def test_two_statements_are_refused():
    with pytest.raises(SnowcaveError) as two:
        rewrite.parse("SELECT 1; SELECT 2")
    assert two.value.code == 8


def test_context_functions_answer_the_request_s_context():
    context = Context(session=3, user="U", role="R", last_query_id="q")
    sql = "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_SESSION(), LAST_QUERY_ID(), CURRENT_WAREHOUSE()"
    filled = rewrite.fill_context(rewrite.parse(sql), context)
    assert filled.sql() == "SELECT 'U', 'R', '3', 'q', CAST(NULL AS TEXT)"


def compared(condition: str) -> str:
    tree = rewrite.parse(f"SELECT 1 FROM t WHERE {condition}")
    return rewrite.compare_variants(tree, {"V"}).sql(dialect="duckdb").split("WHERE ")[1]


@pytest.mark.parametrize(
    "condition",
    [
        "v:a = 'x'",
        "v:a IN ('x', 'y')",
        "v:a LIKE 'x%'",
        "v:a <> 'x'",
        "v:a || 'x' = 'y'",
        "v = 'x'",
    ],
)
def test_semi_structured_values_compare_by_their_text(condition):
    assert "->>" in compared(condition) or "AS TEXT" in compared(condition)


def test_columns_of_other_types_are_left_alone():
    assert compared("w = 'x'") == "w = 'x'"
    assert compared("v:a = w").count("CAST") == 0


def test_result_scans_become_relations():
    tree = rewrite.parse("SELECT * FROM TABLE(RESULT_SCAN('a')) x JOIN TABLE(RESULT_SCAN('b'))")
    assert rewrite.take_result_scans(tree) == {"_SC_RESULT_0": "a", "_SC_RESULT_1": "b"}
    assert "TEMP.MAIN._SC_RESULT_0 AS x" in tree.sql()


@pytest.mark.parametrize("mark", [":0", ":3"])
def test_a_variable_that_was_not_bound_is_named(mark):
    statement = rewrite.parse(f"SELECT {mark}, :1")
    with pytest.raises(SnowcaveError, match=f"Bind variable {mark} not set"):
        bindings.order(statement, ["a", "b"])
