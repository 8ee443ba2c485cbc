"""Values that are not what they are cast to, in Snowflake's words. Pure."""

import re

from snowcave.model.errors import Kind, RemoteError

# The columns that answers of service functions come in, and the place in the query, are nobody's business.
_TAIL = re.compile(
    r"(?: when casting from source column \S+)?(?:\n\nLINE \d+:.*|\n If this error.*)?\Z",
    re.DOTALL,
)
_VALUE = r"(?:string )?['\"](?P<value>.*)['\"]"
_NUMBER = r"U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER|\d+)?|DECIMAL\(.*\)|DOUBLE|FLOAT|HUGEINT"
# What DuckDB says, and as what a value is not recognized.
_SAID: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"Could not convert {_VALUE} to BOOL(?:EAN)?", re.DOTALL), "Boolean value"),
    (re.compile(rf"Could not convert {_VALUE} to (?:{_NUMBER})", re.DOTALL), "Numeric value"),
    (re.compile(rf"(?:invalid )?date field .*?: {_VALUE}(?:, expected .*)?", re.DOTALL), "Date"),
    (re.compile(rf"(?:invalid )?timestamp field .*?: {_VALUE}(?:, .*)?", re.DOTALL), "Timestamp"),
    (re.compile(rf"(?:invalid )?time field .*?: {_VALUE}(?:, expected .*)?", re.DOTALL), "Time"),
)
_CODES = {
    "Boolean value": (100037, "22018"),
    "Numeric value": (100038, "22018"),
    "Date": (100040, "22007"),
    "Timestamp": (100035, "22007"),
    "Time": (100108, "22007"),
}
_OUT_OF_RANGE = re.compile(
    r"(?:Type \S+ with value|Could not cast value|Casting value) \"?(?P<value>[^\s\"]+)\"? .*"
)
_IS_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")


def translated(said: str) -> RemoteError:
    """Of the whole text of a ConversionException."""
    detail = _TAIL.sub("", said.partition(": ")[2])
    for pattern, what in _SAID:
        if found := pattern.fullmatch(detail):
            value = found["value"]
            if what == "Numeric value" and _IS_NUMBER.fullmatch(value):
                return _out_of_range(value)
            code, sqlstate = _CODES[what]
            return RemoteError(Kind.INVALID, code, sqlstate, f"{what} '{value}' is not recognized")
    if found := _OUT_OF_RANGE.fullmatch(detail):
        return _out_of_range(found["value"])
    return RemoteError(Kind.INVALID, 100035, "22007", detail.split("\n")[0])


def _out_of_range(value: str) -> RemoteError:
    return RemoteError(Kind.INVALID, 100039, "22003", f"Numeric value '{value}' is out of range")
