"""Rows that api made itself (SHOW …, DESC …, status lines), as the warehouse would give them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from snowcave.api.contract import Cell, Column, Rows
from snowcave.v1 import warehouse_pb2 as warehouse

# SHOW and DESC give their timestamps in milliseconds.
_TIMESTAMP_SCALE = 3
_SIZED = ("text", "variant", "object", "array", "binary")


def column_type(column: Column) -> warehouse.ColumnType:
    kind = column.type.lower()
    scale = column.scale
    if kind.startswith("timestamp") and not scale:
        scale = _TIMESTAMP_SCALE
    sized = kind in _SIZED
    return warehouse.ColumnType(
        name=column.name,
        type=kind,
        nullable=column.nullable,
        length=column.length if sized else 0,
        byte_length=column.length if sized else 0,
        precision=column.precision if kind == "fixed" else 0,
        scale=scale if kind not in _SIZED else 0,
    )


def column(of: warehouse.ColumnType) -> Column:
    return Column(
        name=of.name,
        type=of.type.lower(),
        nullable=of.nullable,
        scale=of.scale,
        precision=of.precision,
        length=of.length,
    )


def table(rows: Rows) -> pa.Table:
    arrays = [_array(one, [row[n] for row in rows.rows]) for n, one in enumerate(rows.columns)]
    # Built without names: two columns of one SHOW may share theirs.
    schema = pa.schema(
        [pa.field(c.name, a.type) for c, a in zip(rows.columns, arrays, strict=True)]
    )
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(column: Column, cells: list[Cell]) -> pa.Array:
    kind = _arrow_type(column)
    if pa.types.is_string(kind) or pa.types.is_int64(kind):
        try:
            # Most columns hold what their type says, and Arrow sees that sooner than we do.
            return pa.array(cells, kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass
    return pa.array([_value(column, cell) for cell in cells], kind)


def rows_of(values: pa.Table, columns: Sequence[warehouse.ColumnType]) -> Rows:
    """The way back, as plain Python values."""
    listed = [values.column(n).to_pylist() for n in range(values.num_columns)]
    cells: Iterable[tuple[Any, ...]] = zip(*listed, strict=True) if listed else ()
    return Rows(tuple(column(one) for one in columns), [tuple(map(_cell, row)) for row in cells])


def _cell(value: Any) -> Cell:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if value is None or isinstance(value, (str, int, float, bool, datetime)):
        return value
    return str(value)


def _arrow_type(column: Column) -> pa.DataType:
    match column.type.lower():
        case "fixed":
            return pa.decimal128(38, column.scale) if column.scale else pa.int64()
        case "real":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "date":
            return pa.date32()
        case "timestamp_ltz" | "timestamp_tz":
            return pa.timestamp("us", "UTC")
        case "timestamp_ntz":
            return pa.timestamp("us")
        case "binary":
            return pa.binary()
        case _:
            return pa.string()


def _value(column: Column, value: Cell) -> Any:
    match column.type.lower():
        case "fixed" if value is not None:
            return Decimal(str(value)) if column.scale else int(value)  # type: ignore[arg-type]
        case "timestamp_ltz" | "timestamp_tz" if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case "timestamp_ntz" if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        case "fixed" | "real" | "boolean" | "date" | "binary":
            return value
        case _ if isinstance(value, bool):
            return "true" if value else "false"
        case _ if isinstance(value, (datetime, date)):
            return value.isoformat()
        case _:
            return None if value is None else str(value)
