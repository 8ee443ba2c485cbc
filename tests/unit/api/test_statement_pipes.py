"""Chains of statements: `->>` and `$1`."""

import pytest

from snowcave.api.queries.pipes import pointed, shared, steps
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import warehouse_pb2 as warehouse


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT '->>'",
        "SELECT 1 -- ->> SELECT 2",
        "SELECT $$ a ->> b $$",
        'SELECT "->>" FROM t',
    ],
)
def test_what_is_no_chain_stays_whole(sql: str) -> None:
    assert steps(sql) == [sql]


def test_a_chain_is_taken_apart_where_its_arrows_are() -> None:
    sql = "SHOW SERVICES LIKE '->>'->>SELECT * FROM $1 ->> SELECT 1"
    assert steps(sql) == ["SHOW SERVICES LIKE '->>'", "SELECT * FROM $1 ", " SELECT 1"]


def test_a_dollar_number_reads_the_statement_so_many_before() -> None:
    sql = "SELECT $1, '$1' FROM $1 a JOIN $2 b ON a.x = b.x"
    assert pointed(sql, ["first", "second"]) == (
        "SELECT $1, '$1' FROM TABLE(RESULT_SCAN('second')) a "
        "JOIN TABLE(RESULT_SCAN('first')) b ON a.x = b.x"
    )


def test_there_is_nothing_before_the_first() -> None:
    with pytest.raises(ValueInvalid, match=r"no statement \$2"):
        pointed("SELECT * FROM $2", ["first"])


def test_values_go_to_the_statement_that_asks_for_them() -> None:
    given = [warehouse.Binding(type="TEXT", values=[]) for _ in range(3)]
    parts = ["SHOW SERVICES LIKE ?", "SELECT '?' FROM $1", "SELECT ?, ?"]
    assert [len(one) for one in shared(parts, given)] == [1, 0, 2]
