"""What services answer, read and checked. Pure.

Answers leave as one column of texts: the value itself where it is a text and the function returns one,
otherwise its JSON.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute

from snowcave.functions import exact, plain_texts
from snowcave.functions.plain_texts import PlainTexts
from snowcave.functions.wire import base_type, numbers

compute: Any = pyarrow.compute

_SEMI_STRUCTURED = {"VARIANT", "OBJECT", "ARRAY", "MAP"}


class BadAnswer(Exception):
    """The service answered 200, but not as the documents say. The text says what was wrong."""


Answers = pa.Array | PlainTexts


def decode(body: bytes, rows: int, returns: str) -> Answers:
    """The answers of a batch, as texts. Raises BadAnswer where that can be told from this one alone."""
    if (
        plain := None if _is_semi_structured(returns) else plain_texts.read(body, rows)
    ) is not None:
        return plain
    return decode_closely(body, rows, returns)


def decode_closely(body: bytes, rows: int, returns: str) -> pa.Array:
    """Raises BadAnswer."""
    semi_structured = _is_semi_structured(returns)
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(f"the response is not JSON ({error})") from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise BadAnswer('the response has no array "data"')
    if len(data) != rows:
        raise BadAnswer(f"the response has {len(data)} rows, the request had {rows}")
    try:
        values = _values(data)
        _check_kind(values, base_type(returns))
        if exact.is_needed(body):
            values = _values(exact.loads(body)["data"])
        return texts(values, semi_structured=semi_structured)
    except exact.TooDeep as error:
        raise BadAnswer("the response has arrays or objects nested too deeply") from error


# What a whole answer is, of functions that return one of these.
_KINDS: Mapping[str, type] = {"ARRAY": list, "OBJECT": dict}


def _check_kind(values: list[Any], returns: str) -> None:
    """All together; one by one only to say what is wrong. Raises BadAnswer and exact.TooDeep."""
    kind = _KINDS.get(returns)
    if kind is None or set(map(type, values)) <= {kind, type(None)}:
        return
    index, value = next(
        (index, value)
        for index, value in enumerate(values)
        if value is not None and type(value) is not kind
    )
    shown = exact.text(value)[:40]
    raise BadAnswer(f"row {index} is {shown}, which is no {returns}")


def _is_semi_structured(returns: str) -> bool:
    return base_type(returns) in _SEMI_STRUCTURED


def _values(data: list[Any]) -> list[Any]:
    """The second part of each row. All are looked at together; one by one only to say what is wrong."""
    if set(map(type, data)) <= {list}:
        try:
            given = [number for number, _ in data]
        except ValueError:
            given = []
        if set(map(type, given)) <= {int} and given == numbers(len(data)):
            return [value for _, value in data]
    return [_cell(row, index) for index, row in enumerate(data)]


def _cell(row: object, index: int) -> object:
    if not isinstance(row, list) or len(row) != 2:
        raise BadAnswer(f"row {index} is not an array of a row number and one value")
    number, value = row
    if type(number) is not int or number != index:
        shown = exact.text(number)[:40]
        raise BadAnswer(f"row {index} carries the row number {shown}")
    return value


def texts(cells: list[Any], *, semi_structured: bool) -> pa.Array:
    """Answers as texts that the warehouse casts to what the function returns. Raises exact.TooDeep."""
    if not semi_structured:
        try:
            return pa.array(cells, pa.string())
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            return pa.array([_text(cell) for cell in cells], pa.string())
    return pa.array([None if cell is None else exact.text(cell) for cell in cells], pa.string())


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if type(cell) is int:  # of any size
        return str(cell)
    return exact.text(cell)


def join(answers: Sequence[Answers], closely: Callable[[int, PlainTexts], pa.Array]) -> pa.Array:
    """One after the other. `closely` reads the one in this place, which may not be what it seemed to be.

    Raises what that raises.
    """
    found: list[pa.Array] = []
    for are_plain, run in groupby(enumerate(answers), lambda one: isinstance(one[1], PlainTexts)):
        places, parts = zip(*run, strict=True)
        if not are_plain:
            found += parts
        elif (texts := plain_texts.array(parts)) is not None:
            found.append(texts)
        else:
            found += map(closely, places, parts)
    return found[0] if len(found) == 1 else pa.concat_arrays(found)


def nulls(rows: int) -> pa.Array:
    return pa.nulls(rows, pa.string())


def scatter(answers: pa.Array, mask: pa.Array) -> pa.Array:
    """The answers back in their places, NULL elsewhere."""
    places = compute.subtract(compute.cumulative_sum(compute.cast(mask, pa.int64())), 1)
    return answers.take(compute.if_else(mask, places, None))


def check_md5(given: str | None, body: bytes) -> None:
    """Content-MD5, where the service sends it. Raises BadAnswer."""
    if not given:
        return
    try:
        wanted = base64.b64decode(given, validate=True)
    except binascii.Error as error:
        raise BadAnswer("the header Content-MD5 is not base64") from error
    if wanted != hashlib.md5(body, usedforsecurity=False).digest():
        raise BadAnswer("the body does not match its Content-MD5")


def check_encoding(given: str) -> None:
    """Content-Encoding: no request asks for one. Raises BadAnswer."""
    if given.lower() != "identity":
        raise BadAnswer(
            f"the response has Content-Encoding {given[:40]}, and answers have to come without one"
        )
