"""Texts that a service function answers, as Arrow columns of what it returns."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from snowcave.model.errors import ValueInvalid

_MOST_DIGITS = 38


def typed(texts: pa.Array, returns: str) -> pa.Array:
    """Answers as the function's type; JSON, times of day and timestamps with a zone stay texts.

    Numbers are rounded to the declared scale; those without one have 64 bits. Raises ValueInvalid.
    """
    base, _, rest = returns.upper().partition("(")
    match base.strip():
        case "NUMBER" | "DECIMAL" | "NUMERIC" | "INT" | "INTEGER" | "BIGINT":
            return _numbers(texts, returns, rest.rstrip(")"))
        case "FLOAT" | "DOUBLE" | "REAL":
            return _cast(texts, returns, pa.float64())
        case "BOOLEAN":
            return _cast(texts, returns, pa.bool_())
        case "DATE":
            return _cast(texts, returns, pa.date32())
        case "TIMESTAMP" | "TIMESTAMP_NTZ" | "DATETIME":
            return _timestamps(texts, returns)
        case "BINARY" | "VARBINARY":
            return _each(texts, returns, bytes.fromhex, pa.binary())
        case _:
            return texts


def _numbers(texts: pa.Array, returns: str, precision_and_scale: str) -> pa.Array:
    precision, _, scale = precision_and_scale.partition(",")
    places = int(scale or 0)
    kind = pa.decimal128(int(precision or _MOST_DIGITS), places) if places else pa.int64()
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:  # with more places, or too large
        step = Decimal(1).scaleb(-places)

        def rounded(text: str) -> Decimal | int:
            value = Decimal(text).quantize(step, ROUND_HALF_UP)
            return value if places else int(value)

        return _each(texts, returns, rounded, kind)


def _timestamps(texts: pa.Array, returns: str) -> pa.Array:
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:  # with nanoseconds, which fewer years have
        found = _cast(texts, returns, pa.timestamp("ns"))
        return found.cast(pa.timestamp("us"), safe=False)


def _cast(texts: pa.Array, returns: str, kind: pa.DataType) -> pa.Array:
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return _each(texts, returns, lambda text: pa.scalar(text).cast(kind).as_py(), kind)


def _each(
    texts: pa.Array, returns: str, read: Callable[[str], Any], kind: pa.DataType
) -> pa.Array:
    """One by one, so that the one that cannot be read is named."""

    def one(text: str | None) -> Any:
        if text is None:
            return None
        try:
            return pa.scalar(read(text), kind).as_py()
        except (pa.ArrowInvalid, InvalidOperation, ValueError, OverflowError) as error:
            shown = text if len(text) <= 100 else f"{text[:100]}…"
            raise ValueInvalid(
                f"The service answered '{shown}', which is no {returns}."
            ) from error

    return pa.array([one(text) for text in texts.to_pylist()], kind)
