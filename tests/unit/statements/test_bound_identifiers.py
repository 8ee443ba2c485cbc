"""IDENTIFIER of a bound value in ordinary SQL."""

import pytest

from snowcave.api.statements.identifiers import written_out
from snowcave.v1 import warehouse_pb2 as warehouse

pytestmark = pytest.mark.documented


def bound(*values: str | None) -> tuple[warehouse.Binding, ...]:
    return tuple(
        warehouse.Binding(
            type="TEXT", values=[warehouse.BoundValue(value=one or "", is_null=one is None)]
        )
        for one in values
    )


@pytest.mark.parametrize(
    ("sql", "written", "left"),
    [
        ("SELECT ? FROM IDENTIFIER(?) WHERE x = ?", "SELECT ? FROM IDENTIFIER('b') WHERE x = ?", "ac"),
        ("INSERT INTO identifier( :2 ) VALUES (:1)", "INSERT INTO identifier( 'b' ) VALUES (:1)", "abc"),
        ("SELECT ?, f(LOCATION => ?, file_format=>?)", "SELECT ?, f(LOCATION => 'b', file_format=>'c')", "a"),
        ("SELECT ? > ?, location >= ?", None, "abc"),
        ("SELECT '?', '(IDENTIFIER(?)', ? -- IDENTIFIER(?)", None, "abc"),
        ("SELECT v:1, IDENTIFIER(:9), ?", None, "abc"),
        ("SELECT ?, ?, ? AS identifier", None, "abc"),
    ],
)  # fmt: skip
def test_a_bound_name_is_written_out(sql: str, written: str | None, left: str) -> None:
    text, kept = written_out(sql, bound("a", "b", "c"))
    assert text == (written or sql)
    assert "".join(one.values[0].value for one in kept) == left


def test_quotes_in_a_name_end_no_text() -> None:
    text, _ = written_out("SELECT * FROM IDENTIFIER(?)", bound("it's"))
    assert text == "SELECT * FROM IDENTIFIER('it''s')"


def test_what_is_no_name_stays_bound() -> None:
    sql = "SELECT * FROM IDENTIFIER(?)"
    for given in (bound(None), ()):
        assert written_out(sql, given) == (sql, given)
