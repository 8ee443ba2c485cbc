"""TO_CHAR with a format, and the format of timestamps where none is named. Pure.

sqlglot translates the format only where it knows from the statement itself that the value is a date; for a
column it would drop it.
"""

import re
from collections.abc import Mapping

from sqlglot import Expr, exp

from snowcave.warehouse.engine.macros import call
from snowcave.warehouse.rewrite import number_texts

_TIMESTAMPS = {
    exp.DataType.Type.TIMESTAMP,
    exp.DataType.Type.TIMESTAMPNTZ,
    exp.DataType.Type.TIMESTAMPLTZ,
    exp.DataType.Type.TIMESTAMPTZ,
}
_PARTS = {
    "YYYY": "%Y",
    "YY": "%y",
    "MMMM": "%B",
    "MON": "%b",
    "MM": "%m",
    "DD": "%d",
    "DY": "%a",
    "HH24": "%H",
    "HH12": "%I",
    "AM": "%p",
    "PM": "%p",
    "MI": "%M",
    "SS": "%S",
    "FF0": "",
    "FF3": "%g",
    "FF6": "%f",
    "FF9": "%n",
    "FF": "%n",
    "TZHTZM": "%z",
    "TZH:TZM": "%z",
}
_PART = re.compile('"([^"]*)"|' + "|".join(sorted(_PARTS, key=len, reverse=True)), re.IGNORECASE)
_OF_NUMBERS = re.compile(r"(?=.*[90X])(?:FM)?[90$,.SGDLMIBX\s]+", re.IGNORECASE)
# How sqlglot writes the fractions of a second that Python's formats lack.
_FRACTIONS = {"%f_nine": "%n", "%f_three": "%g", "%f_zero": "", "%-z": "%z", "%:z": "%z"}


def write_times(statement: Expr) -> Expr:
    for node in list(statement.find_all(exp.ToChar, exp.TimeToStr)):
        given = node.args.get("format")
        if not isinstance(given, exp.Literal) or not given.is_string:
            continue
        if isinstance(node, exp.TimeToStr):
            _fractions(given)
        elif _OF_NUMBERS.fullmatch(given.name):
            node.replace(number_texts.written(node.this, given.name))
        else:
            written = exp.Literal.string(duck_format(given.name))
            node.replace(exp.Anonymous(this="strftime", expressions=[node.this.copy(), written]))
    return statement


def write_defaults(statement: Expr, types: Mapping[str, str]) -> Expr:
    """Timestamps as texts where no format is named: `2024-02-29 13:04:05.678 +0100`.

    `types`: DuckDB's type of each column in reach, by upper-case name.
    """
    for node in list(statement.find_all(exp.Cast, exp.ToChar)):
        is_text = isinstance(node, exp.ToChar) or node.to.this in exp.DataType.TEXT_TYPES
        if is_text and not node.args.get("format") and _is_timestamp(node.this, types):
            node.replace(call("time_text", node.this.copy()))
    return statement


def _is_timestamp(node: Expr, types: Mapping[str, str]) -> bool:
    inner = node.unnest()
    if isinstance(inner, exp.Column):
        return types.get(inner.name.upper(), "").startswith("TIMESTAMP")
    if isinstance(inner, exp.Cast):
        return inner.to.this in _TIMESTAMPS
    return isinstance(inner, exp.CurrentTimestamp)


def duck_format(text: str) -> str:
    """`YYYY-MM-DD HH24:MI` → `%Y-%m-%d %H:%M`"""

    def part(match: re.Match[str]) -> str:
        quoted = match[1]
        return quoted.replace("%", "%%") if quoted is not None else _PARTS[match[0].upper()]

    return _PART.sub(part, text.replace("%", "%%"))


def _fractions(given: exp.Literal) -> None:
    text = given.name
    for theirs, ours in _FRACTIONS.items():
        text = text.replace(theirs, ours)
    given.set("this", text)
