"""JSON whose numbers keep all of their digits, which floating-point numbers do not have. Pure."""

import json
import re
from typing import Any

import orjson

# What fewer characters say, a floating-point number says again.
_LONG = re.compile(rb"\d[\d.]{15,}")


class TooDeep(ValueError):
    """Arrays in arrays, or objects, beyond what can be read and written."""


def is_needed(body: bytes) -> bool:
    """Whether a number, or what looks like one in a text, may be rounded by a plain look at it."""
    return _LONG.search(body) is not None


def loads(body: bytes) -> Any:
    """Longer numbers are fragments, which `text` writes as they came. Raises TooDeep."""
    try:
        return json.loads(body, parse_float=orjson.Fragment, parse_int=_whole)
    except RecursionError as error:
        raise TooDeep from error


def text(value: object) -> str:
    """As JSON. Raises TooDeep."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise TooDeep from error


def _whole(digits: str) -> int | orjson.Fragment:
    return int(digits) if len(digits) < 19 else orjson.Fragment(digits)
