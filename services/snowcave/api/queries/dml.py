"""INSERT, UPDATE, DELETE, MERGE: the row that clients count by, and what they ask before binding."""

from collections.abc import Sequence

import pyarrow as pa

from snowcave.api.sql.lexer import Kind, tokens
from snowcave.v1 import warehouse_pb2 as warehouse

INSERT = 12544
_COLUMNS = {
    INSERT: "number of rows inserted",
    12800: "number of rows updated",
    13056: "number of rows deleted",
    13312: "number of rows inserted",
}
_WORDS = {"INSERT": INSERT, "UPDATE": 12800, "DELETE": 13056, "MERGE": 13312}


def statement_type(sql: str) -> int:
    """Of a DML statement by its first word; 0 for any other."""
    first = tokens(sql)[0]
    return _WORDS.get(first.value, 0) if first.kind is Kind.WORD else 0


def placeholders(sql: str) -> int:
    """Question marks that are neither text nor comment."""
    return sum(1 for token in tokens(sql) if token.kind is Kind.SYMBOL and token.text == "?")


def unbound(count: int) -> list[warehouse.Binding]:
    """For a statement that is only described: its values are not known yet."""
    null = warehouse.BoundValue(is_null=True)
    return [warehouse.Binding(type="TEXT", values=[null]) for _ in range(count)]


def count_column(kind: int) -> warehouse.ColumnType:
    return warehouse.ColumnType(name=_COLUMNS[kind], type="fixed", precision=19)


def counted(
    reply: warehouse.ExecuteReply, table: pa.Table
) -> tuple[Sequence[warehouse.ColumnType], pa.Table]:
    """The reply's columns and rows; the row count is added where the warehouse left it out."""
    if reply.statement_type not in _COLUMNS or reply.columns:
        return list(reply.columns), table
    column = count_column(reply.statement_type)
    return [column], pa.table({column.name: pa.array([reply.rows_affected], pa.int64())})
