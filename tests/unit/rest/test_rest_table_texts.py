"""Definitions of tables: no part of a body becomes more than the part of the statement that it is for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest import table_texts as texts
from snowcave.api.sql.lexer import Kind, tokens


def test_a_column_with_all_that_it_may_have():
    column = {
        "name": '"my col"',
        "datatype": "varchar(5)",
        "nullable": False,
        "default": "upper('a')",
        "comment": "it's",
    }
    written = texts.column(column).replace("\n", "")
    assert written == "\"my col\" VARCHAR(5) NOT NULL DEFAULT upper('a') COMMENT 'it''s'"
    counted = {"name": "n", "datatype": "int", "autoincrement": True, "autoincrement_start": 5}
    assert texts.column(counted) == "N NUMBER(38,0) AUTOINCREMENT START 5 INCREMENT 1"


def test_columns_with_constraints():
    key = {"constraint_type": "PRIMARY KEY", "name": "k", "column_names": ["a", "b"]}
    foreign = {
        "constraint_type": "FOREIGN KEY",
        "column_names": ["a"],
        "referenced_table_name": "d.s.t",
        "referenced_column_names": ["x"],
    }
    written = texts.columns([{"name": "a", "datatype": "TEXT"}], [key, foreign])
    assert written == (
        "(A VARCHAR(16777216), CONSTRAINT K PRIMARY KEY (A, B), FOREIGN KEY (A) REFERENCES D.S.T (X))"
    )


@pytest.mark.parametrize(
    "text", ["", "1); DROP TABLE t", "1, b INT", "(1", "1)", "'open", "1; 2", "$x", "/* open"]
)
def test_what_is_not_one_expression_is_refused(text: str):
    with pytest.raises(RequestInvalid):
        texts.expression(text, "default")


def test_a_comment_hides_nothing_that_follows():
    assert texts.expression("1 -- one", "default").endswith("\n")
    assert texts.query("select 1 // one").endswith("\n")


@pytest.mark.parametrize("text", ["", "drop table t", "select 1; drop table t", "insert into t"])
def test_what_is_not_one_query_is_refused(text: str):
    with pytest.raises(RequestInvalid):
        texts.query(text)


@pytest.mark.parametrize(
    "text", ["select 1", "WITH a AS (SELECT 1) SELECT * FROM a", "(select 1)"]
)
def test_a_query_stays_as_it_is(text: str):
    assert texts.query(text).strip() == text


@given(st.text("();,'\"$-/*\n ab1\\", max_size=12))
def test_an_expression_never_leaves_its_parentheses(text: str):
    try:
        written = texts.expression(text, "default")
    except RequestInvalid:
        return
    whole = tokens(f"({written}, z)")
    depths: list[int] = []
    depth = 0
    for token in whole:
        depth += (token.text == "(") - (token.text == ")")
        depths.append(depth)
    assert [token.text for token in whole if token.kind is not Kind.END][-2:] == ["z", ")"]
    assert depths[:-2].count(0) == 0


def test_other_names_and_types_are_refused():
    for column in ({"name": "a b", "datatype": "INT"}, {"name": "a", "datatype": "INT) x"}):
        with pytest.raises(RequestInvalid):
            texts.column(column)
