"""Arguments as anybody may send them, and as a router takes them.

What is passed on is whole, bounded when it is read, and of types that can be written as JSON. Each thing that
keeps it from being so has its sentence.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.types as types

from snowcave.api.grpc import arrow_frames
from snowcave.api.settings import RelaySettings
from snowcave.model.errors import ValueInvalid

compute: Any = pyarrow.compute

_SEMI_STRUCTURED = ("VARIANT", "ARRAY", "OBJECT", "MAP")
_NOT_ARROW = "The arguments are not an Arrow stream."


class Arguments:
    """Of one call, for a function with these types."""

    def __init__(self, declared: Sequence[str], settings: RelaySettings) -> None:
        self._declared = declared
        self._settings = settings

    def record_batches(self, stream: bytes) -> list[tuple[int, bytes]]:
        """Rows and stream of each record batch, as it came where that will do. Raises ValueInvalid."""
        try:
            return self._taken(stream)
        # The last ones are of names that are no text.
        except (pa.ArrowException, arrow_frames.Malformed, OSError, UnicodeDecodeError) as error:
            raise ValueInvalid(_NOT_ARROW) from error

    def _taken(self, stream: bytes) -> list[tuple[int, bytes]]:
        is_compressed = self._are_bounded(stream)
        with pa.ipc.open_stream(stream) as reader:
            self._check_types(reader.schema)
            found = list(reader)
        for batch in found:
            self._check_rows(batch)
            # Offsets that lead out of their buffers would be followed by whoever reads the values.
            batch.validate(full=True)
            self._check_values(batch)
        if len(found) == 1 and not is_compressed and not _has_notes(found[0].schema):
            return [(found[0].num_rows, stream)]
        return [(batch.num_rows, _as_stream(batch)) for batch in found]

    def _are_bounded(self, stream: bytes) -> bool:
        """Whether any of it is compressed. Raises ValueInvalid where it is too large when it is read."""
        total, is_compressed = 0, False
        for kind, size, compressed in arrow_frames.parts(stream):
            if kind == "dictionary":
                raise ValueInvalid("Arguments are sent without dictionaries: decode them first.")
            if kind not in ("schema", "record batch"):
                raise arrow_frames.Malformed
            total += size
            is_compressed |= compressed
            if total > self._settings.expanded_bytes:
                most = self._settings.expanded_bytes >> 20
                raise ValueInvalid(f"The arguments of one message are larger than {most} MB.")
        return is_compressed

    def _check_types(self, schema: pa.Schema) -> None:
        if len(schema) != len(self._declared):
            raise ValueInvalid(
                f"The function takes {_counted(len(self._declared), 'argument')}, "
                f"but the rows have {_counted(len(schema), 'column')}."
            )
        for number, (field, declared) in enumerate(zip(schema, self._declared, strict=True)):
            nested = declared.partition("(")[0].upper() in _SEMI_STRUCTURED
            if not (_is_sent(field.type) or (nested and _is_json(field.type))):
                raise ValueInvalid(
                    f"Argument {number + 1} is {declared}: Arrow's {field.type} cannot be sent for it."
                )

    def _check_rows(self, batch: pa.RecordBatch) -> None:
        """Those of nothing but nulls take no bytes at all; nor do elements of lists."""
        if not 0 <= batch.num_rows <= self._settings.rows:
            most = self._settings.rows
            raise ValueInvalid(f"A record batch of arguments has {most} rows at most.")

    def _check_values(self, batch: pa.RecordBatch) -> None:
        most = self._settings.rows
        for number, column in enumerate(batch.columns):
            if _elements(column, most) > most:
                raise ValueInvalid(f"Argument {number + 1} has more than {most} elements.")
            if types.is_temporal(column.type):
                _check_times(column, number + 1)


def _is_sent(kind: pa.DataType) -> bool:
    """Whether values of the type have a form in JSON, as a function's arguments."""
    return _is_plain(kind) or any(
        is_kind(kind)
        for is_kind in (
            *(types.is_decimal, types.is_binary, types.is_large_binary),
            *(types.is_date, types.is_time, types.is_timestamp),
        )
    )


def _is_plain(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            *(types.is_null, types.is_boolean, types.is_integer, types.is_float32),
            *(types.is_float64, types.is_string, types.is_large_string),
        )
    )


def _is_json(kind: pa.DataType) -> bool:
    if types.is_struct(kind):
        names = {field.name for field in kind.fields}
        return len(names) == kind.num_fields and all(_is_json(f.type) for f in kind.fields)
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_json(kind.value_type)
    return _is_plain(kind)


def _elements(column: pa.Array, most: int) -> int:
    """Of a column and all that is in it; not all are counted beyond `most`."""
    counted, waiting = 0, [column]
    while waiting and counted <= most:
        one = waiting.pop()
        counted += len(one)
        if types.is_struct(one.type):
            waiting += [one.field(n) for n in range(one.type.num_fields)]
        elif types.is_list(one.type) or types.is_large_list(one.type):
            waiting.append(one.flatten())
    return counted


def _check_times(column: pa.Array, number: int) -> None:
    """Whether they are times to Python, too."""
    kind = column.type
    try:
        if (types.is_timestamp(kind) or types.is_time(kind)) and kind.unit == "ns":
            is_timestamp = types.is_timestamp(kind)
            column = column.cast(pa.timestamp("us", kind.tz) if is_timestamp else pa.time64("us"))
        compute.min_max(column).as_py()
    except (pa.ArrowException, ArithmeticError, ValueError, LookupError) as error:
        raise ValueInvalid(
            f"Argument {number} has times that cannot be sent: beyond the years 1 to 9999, finer than a "
            "microsecond, or in a time zone that is not known. Send them as texts."
        ) from error


def _has_notes(schema: pa.Schema) -> bool:
    """They are for the warehouse to make: they say that a text is JSON already."""
    return bool(schema.metadata) or any(field.metadata for field in schema)


def _as_stream(batch: pa.RecordBatch) -> bytes:
    names = [f"a{number}" for number in range(batch.num_columns)]
    # A batch without columns has rows all the same, which a new one would not have.
    bare = pa.RecordBatch.from_arrays(batch.columns, names) if names else batch
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, bare.schema) as writer:
        writer.write_batch(bare)
    return sink.getvalue().to_pybytes()


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
