"""DuckDB's types as Snowflake's: rowtype rows, and Arrow columns in a small set of types.

Results hold int64, decimal128, float64, utf8, bool, date32, time64[us], timestamp[us|ns] with or without UTC,
and binary; semi-structured values are JSON texts of type `variant`.
"""

from collections.abc import Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from snowcave.v1 import warehouse_pb2 as pb

TEXT_LENGTH = 16_777_216
BINARY_LENGTH = 8_388_608

_TYPES = {
    "BOOLEAN": "boolean",
    "DATE": "date",
    "BLOB": "binary",
    "JSON": "variant",
    "FLOAT": "real",
    "DOUBLE": "real",
    "TIME": "time",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP_NS": "timestamp_ntz",
    "TIMESTAMP_MS": "timestamp_ntz",
    "TIMESTAMP_S": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp_ltz",
}
_INTEGERS = {
    sign + size + "INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")
} | {"INTEGER", "UINTEGER"}


def column_type(name: str, duck_type: str) -> pb.ColumnType:
    """The rowtype row of a DuckDB column."""
    if duck_type in _INTEGERS:
        return pb.ColumnType(name=name, type="fixed", nullable=True, precision=38)
    if duck_type.startswith("DECIMAL("):
        precision, scale = duck_type[8:-1].split(",")
        return pb.ColumnType(
            name=name, type="fixed", nullable=True, precision=int(precision), scale=int(scale)
        )
    kind = _TYPES.get(duck_type)
    if kind is None:
        nested = duck_type.endswith("]") or duck_type.startswith(("STRUCT(", "MAP("))
        kind = "variant" if nested else "text"
    column = pb.ColumnType(name=name, type=kind, nullable=True)
    match kind:
        case "text":
            column.length = column.byte_length = TEXT_LENGTH
        case "binary":
            column.length = column.byte_length = BINARY_LENGTH
        case "time" | "timestamp_ntz" | "timestamp_ltz":
            column.scale = 9
        case _:
            pass
    return column


# Types whose Python values Arrow takes for what `normalise` would make of DuckDB's own columns.
_PLAIN = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), pa.int64()),
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
}


def are_plain(types: Sequence[tuple[str, str]]) -> bool:
    """Whether `from_rows` knows all of DuckDB's types."""
    return all(kind in _PLAIN for _, kind in types)


def from_rows(types: Sequence[tuple[str, str]], rows: Sequence[Sequence[object]]) -> pa.Table:
    """A normal table of few rows; DuckDB would take several times as long to make one."""
    arrays = [
        pa.array([row[index] for row in rows], _PLAIN[kind])
        for index, (_, kind) in enumerate(types)
    ]
    fields = [pa.field(name, array.type) for (name, _), array in zip(types, arrays, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def normalise(table: pa.Table, columns: Sequence[pb.ColumnType]) -> pa.Table:
    """The table in the few Arrow types that the module's docstring names."""
    arrays = [
        _plain(table.column(index), column.type == "variant")
        for index, column in enumerate(columns)
    ]
    fields = [
        pa.field(column.name, array.type) for column, array in zip(columns, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _plain(column: pa.ChunkedArray, is_variant: bool) -> pa.ChunkedArray:
    kind = column.type
    types = pa.types
    if is_variant and not types.is_string(kind):
        texts = [None if v is None else orjson.dumps(v).decode() for v in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if types.is_uint64(kind):
        return column.cast(pa.decimal128(20, 0))
    if types.is_integer(kind):
        return column.cast(pa.int64())
    if types.is_floating(kind):
        return column.cast(pa.float64())
    if types.is_null(kind) or types.is_dictionary(kind) or types.is_large_string(kind):
        return column.cast(pa.string())
    if types.is_interval(kind):
        texts = [None if v is None else str(v) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if types.is_timestamp(kind):
        unit = "us" if kind.unit in ("s", "ms") else kind.unit
        return column.cast(pa.timestamp(unit, "UTC" if kind.tz else None))
    return column


def to_stream(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_stream(data: bytes) -> pa.Table:
    """Raises pyarrow.ArrowInvalid on anything that is not a whole stream."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def texts(table: pa.Table, index: int) -> pa.Array:
    """A column as one array of texts."""
    column = table.column(index).combine_chunks()
    return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
