"""Arrow values as the texts that a JSON rowset holds.

The clients read every cell as a string or null, in the encoding of the column's Snowflake type.
Whole columns are turned at once: a row at a time would be the slowest part of a large SELECT.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from snowcave.v1 import warehouse_pb2 as warehouse

Cell = str | None

# pyarrow's compute functions are made at run time; no stub knows them.
_compute: Any = pc

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TIMESTAMPS = ("timestamp_ntz", "timestamp_ltz", "timestamp_tz")
# timestamp_tz carries minutes east of UTC, shifted so that they are never negative.
_OFFSET_BASE = 1440
# Values that are sooner written one by one.
_FEW = 50


def read_stream(stream: bytes) -> pa.Table:
    """An Arrow IPC stream as a table; no bytes are an empty one."""
    if not stream:
        return pa.table({})
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


def write_stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def rowset(table: pa.Table, columns: Sequence[warehouse.ColumnType]) -> list[tuple[Cell, ...]]:
    """The table's rows, each cell as the clients expect it."""
    if not table.num_rows or not columns:
        return []
    texts = [column_texts(table.column(n), one) for n, one in enumerate(columns)]
    return list(zip(*texts, strict=True))


def column_texts(values: pa.ChunkedArray, column: warehouse.ColumnType) -> list[Cell]:
    kind = column.type.lower()
    match kind:
        case "fixed":
            return _fixed(values, column.scale)
        case "boolean":
            return _boolean(values)
        case "date":
            return _days(values)
        case "time":
            return _time(values, column.scale)
        case "binary":
            return [None if v is None else v.hex().upper() for v in values.to_pylist()]
        case "variant" | "object" | "array" | "map" | "geography":
            return _json(values)
        case "timestamp_tz":
            return _with_offset(values, column.scale)
        case _ if kind in _TIMESTAMPS:
            return _timestamp(values, column.scale)
        case _:
            return _plain(values)


def _plain(values: pa.ChunkedArray) -> list[Cell]:
    if len(values) <= _FEW and pa.types.is_integer(values.type):
        return [None if v is None else str(v) for v in values.to_pylist()]
    if not pa.types.is_string(values.type):
        values = _compute.cast(values, pa.string())
    return values.to_pylist()


def _fixed(values: pa.ChunkedArray, scale: int) -> list[Cell]:
    if pa.types.is_floating(values.type):
        values = _compute.cast(_compute.round(values, scale), pa.decimal128(38, scale))
    if pa.types.is_decimal(values.type) and values.type.scale > 6:
        # Arrow writes small ones as 1E-7.
        return [None if v is None else f"{v:f}" for v in values.to_pylist()]
    return _plain(values)


def _boolean(values: pa.ChunkedArray) -> list[Cell]:
    if not pa.types.is_boolean(values.type):
        values = _compute.cast(values, pa.bool_())
    return _compute.if_else(values, "1", "0").to_pylist()


def _days(values: pa.ChunkedArray) -> list[Cell]:
    dates = _compute.cast(values, pa.date32())
    return _plain(_compute.cast(dates, pa.int32()))


def _time(values: pa.ChunkedArray, scale: int) -> list[Cell]:
    if not pa.types.is_time(values.type):
        return _plain(values)
    unit: str = values.type.unit
    width = pa.int32() if unit in ("s", "ms") else pa.int64()
    ticks = _compute.cast(_compute.cast(values, width), pa.int64())
    return _seconds(ticks, _PER_SECOND[unit], scale)


def _timestamp(values: pa.ChunkedArray, scale: int) -> list[Cell]:
    if pa.types.is_string(values.type):
        values = _compute.cast(values, pa.timestamp("us", "UTC"))
    if not pa.types.is_timestamp(values.type):
        values = _compute.cast(values, pa.timestamp("us"))
    unit: str = values.type.unit
    return _seconds(_compute.cast(values, pa.int64()), _PER_SECOND[unit], scale)


def _seconds(ticks: pa.ChunkedArray, per_second: int, scale: int) -> list[Cell]:
    """Seconds with exactly `scale` decimals; what is finer is cut off."""
    size = _compute.abs(ticks)
    whole = _compute.divide(size, per_second)
    text = _compute.cast(whole, pa.string())
    if scale > 0:
        rest = _compute.subtract(size, _compute.multiply(whole, per_second))
        digits = len(str(per_second)) - 1
        padded = (
            _compute.utf8_lpad(_compute.cast(rest, pa.string()), digits, "0")
            if digits
            else _compute.utf8_slice_codeunits(text, 0, 0)
        )
        fraction = _compute.utf8_slice_codeunits(
            _compute.utf8_rpad(padded, max(scale, digits), "0"), 0, scale
        )
        text = _compute.binary_join_element_wise(text, fraction, ".")
    sign = _compute.if_else(_compute.less(ticks, 0), "-", "")
    return _compute.binary_join_element_wise(sign, text, "").to_pylist()


def _with_offset(values: pa.ChunkedArray, scale: int) -> list[Cell]:
    """`<epoch> <offset>`; Arrow keeps one zone for the whole column, texts keep their own."""
    if pa.types.is_string(values.type):
        moments = [None if v is None else datetime.fromisoformat(v) for v in values.to_pylist()]
        offsets = [None if m is None else _minutes(m) for m in moments]
        column = pa.chunked_array([pa.array(moments, pa.timestamp("us", "UTC"))])
        seconds = _timestamp(column, scale)
    else:
        seconds = _timestamp(values, scale)
        zone = values.type.tz if pa.types.is_timestamp(values.type) else None
        offsets = _offsets(values, zone)
    return [
        None if text is None or offset is None else f"{text} {offset + _OFFSET_BASE}"
        for text, offset in zip(seconds, offsets, strict=True)
    ]


def _offsets(values: pa.ChunkedArray, zone: str | None) -> Sequence[int | None]:
    if zone is None or zone in ("UTC", "Etc/UTC"):
        return [0] * len(values)
    utc = _compute.cast(values, pa.timestamp("us", "UTC"), safe=False)
    place = ZoneInfo(zone)
    return [None if m is None else _minutes(m.astimezone(place)) for m in utc.to_pylist()]


def _minutes(moment: datetime) -> int:
    offset = moment.utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def _json(values: pa.ChunkedArray) -> list[Cell]:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return values.to_pylist()
    return [None if v is None else orjson.dumps(v).decode() for v in values.to_pylist()]
