"""Texts with an offset, where a timestamp with a time zone is expected. Pure.

DuckDB reads `2024-01-01 00:00:00 +0200` only where fakesnow sees the text being cast, so the cast is written
out.
"""

import re
from collections.abc import Collection, Mapping, Sequence

from sqlglot import Expr, exp

_WITH_OFFSET = re.compile(r"\s*\d{4}-\d\d-\d\d[ T][\d:.]+\s*[+-]\d\d:?(?:\d\d)?\s*")
_COMPARE = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)


def read_offsets(statement: Expr, types: Mapping[str, str], target: Sequence[str]) -> Expr:
    """`types`: DuckDB's type of each column in reach, by upper-case name. `target`: the columns of the table
    that an INSERT without a list of columns fills.
    """
    zoned = {name for name, kind in types.items() if kind == "TIMESTAMP WITH TIME ZONE"}
    if not zoned:
        return statement
    for node in list(statement.find_all(*_COMPARE)):
        sides = list(node.iter_expressions())
        if any(isinstance(s, exp.Column) and s.name.upper() in zoned for s in sides):
            for side in sides:
                _cast(side)
    for insert in list(statement.find_all(exp.Insert)):
        places = _places(insert, target)
        for row in _rows(insert):
            for name, item in zip(places, row, strict=False):
                if name in zoned:
                    _cast(item.unalias())
    return statement


def _places(insert: exp.Insert, target: Sequence[str]) -> list[str]:
    """Names of the columns that are filled, in order."""
    named = insert.this.expressions if isinstance(insert.this, (exp.Schema, exp.Tuple)) else []
    return [one.name.upper() for one in named] or list(target)


def _rows(insert: exp.Insert) -> Collection[list[Expr]]:
    source = insert.expression
    match source:
        case exp.Values():
            return [_items(row) for row in source.expressions]
        case exp.Select():
            return [source.expressions]
        case exp.Tuple():  # of a MERGE
            return [source.expressions]
        case _:
            return []


def _items(row: Expr) -> list[Expr]:
    return row.expressions if isinstance(row, exp.Tuple) else [row]


def _cast(node: Expr) -> None:
    if isinstance(node, exp.Literal) and node.is_string and _WITH_OFFSET.fullmatch(node.name):
        node.replace(exp.cast(node.copy(), exp.DataType.Type.TIMESTAMPTZ))
