"""Statements printed and parsed again are the same statements, of whatever type and with whatever in them."""

from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from snowcave.api.sql.parser import parse
from snowcave.api.sql.printing import PRINTERS, text_of
from snowcave.api.sql.tree import Statement
from tests.kit.sql_strategies import FIELDS, statements
from tests.kit.statement_corpus import STATEMENTS

KINDS: tuple[type, ...] = get_args(Statement)


def test_every_statement_type_is_printed_and_made_up() -> None:
    assert set(PRINTERS) == set(KINDS)
    assert set(FIELDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_a_printed_statement_reads_back_as_itself(kind: type, data: st.DataObject) -> None:
    statement: Any = data.draw(statements(kind))
    assert parse(text_of(statement)) == statement


@pytest.mark.parametrize("sql", STATEMENTS, ids=lambda sql: " ".join(sql.split())[:40])
def test_what_users_write_means_the_same_when_printed(sql: str) -> None:
    statement = parse(sql)
    assert statement is not None
    assert parse(text_of(statement)) == statement


@settings(deadline=None)
@given(st.sampled_from(KINDS).flatmap(statements), st.sampled_from([";", " -- said\n", "/**/ ;"]))
def test_what_follows_a_statement_changes_nothing(statement: Any, tail: str) -> None:
    text = text_of(statement)
    assume(text)
    assert parse(text + tail) == parse(text)
