"""Rows of arguments as Arrow, and Arrow as messages. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, cast

import pyarrow as pa
import pyarrow.types as types

from snowcave.kit.fitting import fitting
from snowcave.model.errors import ValueInvalid

Row = Sequence[Any]
# They have values, but not in an order, or are one themselves.
_NO_ROWS = (str, bytes, Mapping, Set)

# Rows of a message, and bytes unless a single row has more; api takes 16 MB.
_ROWS = 8192
_BYTES = 4 << 20


def batches(rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """Raises ValueInvalid, naming the first row that is none."""
    held: list[Row] = []
    sent = 0
    for row in rows:
        _check(row, held[0] if held else None, sent + len(held))
        held.append(row)
        if len(held) == _ROWS:
            yield _batch(held, sent)
            sent, held = sent + len(held), []
    if held:
        yield _batch(held, sent)


def messages(batch: pa.RecordBatch) -> Iterator[bytes]:
    sent = _plain(batch)
    for start in range(0, sent.num_rows, _ROWS):
        for piece in fitting(sent.slice(start, _ROWS), _BYTES):
            yield _as_stream(piece)


def _check(row: Any, first: Row | None, number: int) -> None:
    if isinstance(row, _NO_ROWS) or not isinstance(row, Collection):
        kind = type(row).__name__
        raise ValueInvalid(f"Row {number} is a {kind}: a row is a list or tuple of arguments.")
    given = cast("Row", row)
    if first is not None and len(given) != len(first):
        raise ValueInvalid(
            f"Row {number} has {len(given)} values, but the rows before it have {len(first)}."
        )


def _batch(rows: Sequence[Row], before: int) -> pa.RecordBatch:
    if not len(rows[0]):  # of a function without arguments
        return pa.RecordBatch.from_arrays([pa.nulls(len(rows))], ["none"]).select([])
    columns: list[pa.Array] = []
    for number, values in enumerate(zip(*rows, strict=True)):
        try:
            columns.append(pa.array(values))
        except (pa.ArrowException, OverflowError) as error:
            raise ValueInvalid(
                f"Argument {number + 1} of rows {before} to {before + len(rows) - 1} has values that do "
                f"not go together: {error}"
            ) from error
    return pa.RecordBatch.from_arrays(columns, [f"a{n}" for n in range(len(columns))])


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without what Arrow has for its own sake: dictionaries, as of pandas' categories, and views."""
    columns = [_decoded(column) for column in batch.columns]
    if not any(new is not old for new, old in zip(columns, batch.columns, strict=True)):
        return batch
    return pa.RecordBatch.from_arrays(columns, [f"a{n}" for n in range(len(columns))])


def _decoded(column: pa.Array) -> pa.Array:
    if types.is_dictionary(column.type):
        return _decoded(column.dictionary_decode())
    if types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column


def _as_stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
