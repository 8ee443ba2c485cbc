"""The one row that a client computes its row count from after INSERT, UPDATE, DELETE, MERGE."""

from collections.abc import Sequence

import pyarrow as pa

from snowcave.v1 import warehouse_pb2 as warehouse

_COLUMNS = {
    12544: "number of rows inserted",
    12800: "number of rows updated",
    13056: "number of rows deleted",
    13312: "number of rows inserted",
}


def counted(
    reply: warehouse.ExecuteReply, table: pa.Table
) -> tuple[Sequence[warehouse.ColumnType], pa.Table]:
    """The reply's columns and rows; the row count is added where the warehouse left it out."""
    name = _COLUMNS.get(reply.statement_type)
    if name is None or reply.columns:
        return list(reply.columns), table
    column = warehouse.ColumnType(name=name, type="fixed", precision=19)
    return [column], pa.table({name: pa.array([reply.rows_affected], pa.int64())})
