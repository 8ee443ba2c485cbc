"""Positional bindings of the session protocol as values that DuckDB takes. Pure."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
from sqlglot import Expr, exp

from snowcave.model.errors import ValueInvalid
from snowcave.v1 import warehouse_pb2 as pb

# The name of the rows of array bindings.
RELATION = "_SC_BOUND"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def values(bindings: Sequence[pb.Binding]) -> list[Any]:
    """One value a binding. Raises ValueInvalid."""
    return [_value(binding.type, binding.values[0]) for binding in bindings if binding.values]


def is_array(bindings: Sequence[pb.Binding]) -> bool:
    return any(binding.is_array for binding in bindings)


def rows(bindings: Sequence[pb.Binding]) -> pa.Table:
    """Array bindings as a table with columns B0, B1, … Raises ValueInvalid."""
    lengths = {len(binding.values) for binding in bindings}
    if len(lengths) != 1:
        raise ValueInvalid("Array bindings must have the same number of values.")
    columns = {
        f"B{index}": pa.array(
            [_value(binding.type, value) for value in binding.values],
            _ARROW.get(_kind(binding.type)),
        )
        for index, binding in enumerate(bindings)
    }
    return pa.table(columns)


def spread(statement: Expr, relation: str) -> Expr:
    """`INSERT … VALUES (?, ?)` for many rows becomes one INSERT … SELECT over the relation.

    Raises ValueInvalid on any other statement.
    """
    source = statement.args.get("expression") if isinstance(statement, exp.Insert) else None
    if isinstance(source, exp.Values) and len(source.expressions) == 1:
        row = source.expressions[0]
        items = row.expressions if isinstance(row, exp.Tuple) else [row]
        select = exp.Select(expressions=[item.copy() for item in items])
    elif isinstance(source, exp.Select) and not source.args.get("from_"):
        select = source.copy()
    else:
        raise ValueInvalid("Array binding is supported for INSERT with one row of VALUES only.")
    _number(select, relation)
    statement.set("expression", select.from_(exp.table_(relation, db="MAIN", catalog="TEMP")))
    return statement


def _number(select: Expr, relation: str) -> None:
    for index, mark in enumerate(list(select.find_all(exp.Placeholder, bfs=False))):
        name = str(mark.this) if mark.this else ""
        position = int(name) - 1 if name.isdigit() else index
        mark.replace(exp.column(f"B{position}", table=relation))


def inline(statement: Expr, given: Sequence[Any]) -> Expr:
    """The values in the statement's place of `?`: for statements that are taken apart.

    Raises ValueInvalid where the statement asks for more than was given.
    """
    for mark, value in zip(
        list(statement.find_all(exp.Placeholder, bfs=False)), order(statement, given), strict=True
    ):
        mark.replace(_literal(value))
    return statement


def _literal(value: Any) -> Expr:
    match value:
        case datetime():
            kind = "TIMESTAMP_TZ" if value.tzinfo else "TIMESTAMP_NTZ"
            return exp.cast(exp.Literal.string(value.isoformat(" ")), kind, dialect="snowflake")
        case date():
            return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
        case time():
            return exp.cast(exp.Literal.string(value.isoformat()), "TIME")
        case bytes():
            return exp.Anonymous(this="UNHEX", expressions=[exp.Literal.string(value.hex())])
        case Decimal():
            return exp.Literal.number(format(value, "f"))
        case float():
            return exp.cast(exp.Literal.string(repr(value)), "DOUBLE")
        case _:
            return exp.convert(value)


def order(statement: Expr, given: Sequence[Any]) -> list[Any]:
    """The values in the order in which DuckDB meets them; `:2` becomes `?`.

    Raises ValueInvalid where the statement asks for more than was given.
    """
    marks = list(statement.find_all(exp.Placeholder, bfs=False))
    ordered: list[Any] = []
    for index, mark in enumerate(marks):
        name = str(mark.this) if mark.this else ""
        position = int(name) - 1 if name.isdigit() else index
        if not 0 <= position < len(given):
            raise ValueInvalid(f"SQL compilation error:\nBind variable :{position + 1} not set.")
        ordered.append(given[position])
        if name:
            mark.set("this", None)
    return ordered


def _kind(name: str) -> str:
    return name.upper() or "TEXT"


def _value(kind: str, bound: pb.BoundValue) -> Any:
    if bound.is_null:
        return None
    convert = _CONVERT.get(_kind(kind), str)
    try:
        return convert(bound.value)
    except (ValueError, InvalidOperation, binascii.Error, OverflowError) as error:
        raise ValueInvalid(f"Invalid value '{bound.value}' for binding type {kind}.") from error


def _number_of(text: str) -> int | Decimal:
    return int(text) if text.lstrip("+-").isdigit() else Decimal(text)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in {"true", "false", "1", "0"}:
        raise ValueError(text)
    return word in {"true", "1"}


def _date(text: str) -> date:
    if "-" in text[1:]:
        return date.fromisoformat(text)
    return (_EPOCH + timedelta(milliseconds=int(text))).date()


def _time(text: str) -> time:
    if ":" in text:
        return time.fromisoformat(text)
    return (_EPOCH + timedelta(microseconds=int(text) // 1000)).time()


def _instant(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(text) // 1000)


def _ntz(text: str) -> datetime:
    if not text.lstrip("-").isdigit():
        return datetime.fromisoformat(text).replace(tzinfo=None)
    return _instant(text).replace(tzinfo=None)


def _tz(text: str) -> datetime:
    nanos, _, minutes = text.partition(" ")
    if not nanos.lstrip("-").isdigit():
        return datetime.fromisoformat(text)
    zone = timezone(timedelta(minutes=int(minutes or 1440) - 1440))
    return _instant(nanos).astimezone(zone)


def _binary(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return base64.b64decode(text, validate=True)


_CONVERT: dict[str, Callable[[str], Any]] = {
    "FIXED": _number_of,
    "REAL": float,
    "BOOLEAN": _boolean,
    "DATE": _date,
    "TIME": _time,
    "TIMESTAMP_NTZ": _ntz,
    "TIMESTAMP_LTZ": _tz,
    "TIMESTAMP_TZ": _tz,
    "TIMESTAMP": _ntz,
    "BINARY": _binary,
}

# Where a column is all NULL the type must still be known.
_ARROW: dict[str, pa.DataType] = {
    "REAL": pa.float64(),
    "TEXT": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP_TZ": pa.timestamp("us", "UTC"),
    "BINARY": pa.binary(),
}
