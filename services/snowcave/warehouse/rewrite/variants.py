"""Semi-structured values where a text or a number is meant. Pure."""

from collections.abc import Collection
from typing import cast

from sqlglot import Expr, exp

_COMPARE = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Between, exp.In)
_TEXT_ONLY = (
    exp.Like,
    exp.ILike,
    exp.RegexpLike,
    exp.Contains,
    exp.StartsWith,
    exp.EndsWith,
    exp.DPipe,
    exp.Concat,
    exp.Length,
    exp.Trim,
    exp.Substring,
    exp.ToChar,
)


def asks_for_types(statement: Expr) -> bool:
    """Whether the types of columns can make a difference to what a statement is taken to mean."""
    others = (exp.Cast, exp.Binary, exp.Insert, exp.ToBinary)
    return statement.find(*_COMPARE, *_TEXT_ONLY, *others) is not None


def compare_variants(statement: Expr, json_columns: Collection[str]) -> Expr:
    """Semi-structured values compare by their content where the other side is a text or a number.

    `json_columns`: upper-case names of the columns in reach that hold semi-structured values.
    """
    for node in list(statement.find_all(*_COMPARE)):
        sides = [s for s in (node.this, *_others(node)) if isinstance(s, Expr)]
        kind = _scalar_kind(sides)
        if kind:
            for side in sides:
                _as_scalar(side, kind, json_columns)
    for node in list(statement.find_all(*_TEXT_ONLY)):
        for child in list(node.iter_expressions()):
            _as_scalar(child, "text", json_columns)
    for cast_ in list(statement.find_all(exp.Cast)):
        if cast_.to.this in exp.DataType.TEXT_TYPES:
            _as_scalar(cast_.this, "text", json_columns, paths=False)
    return statement


def _others(node: Expr) -> list[Expr]:
    match node:
        case exp.Between():
            return [node.args["low"], node.args["high"]]
        case exp.In():
            return list(node.expressions)
        case _:
            return [node.expression]


def _scalar_kind(sides: list[Expr]) -> str:
    """text or number, where one side is plainly that."""
    for side in sides:
        plain = side.unnest()
        if isinstance(plain, exp.Literal):
            return "text" if plain.is_string else "number"
        if isinstance(plain, exp.Neg) and isinstance(plain.this, exp.Literal):
            return "number"
        if isinstance(plain, (exp.Upper, exp.Lower, exp.Concat, exp.DPipe, exp.Placeholder)):
            return "text"
        if isinstance(plain, exp.Cast) and plain.to.this in exp.DataType.TEXT_TYPES:
            return "text"
    return ""


def _as_scalar(
    node: Expr, kind: str, json_columns: Collection[str], *, paths: bool = True
) -> None:
    inner = node.unnest()
    is_path = isinstance(inner, exp.JSONExtract) or _is_key(inner)
    is_column = isinstance(inner, exp.Column) and inner.name.upper() in json_columns
    if not (is_column or isinstance(inner, exp.ParseJSON) or (is_path and paths)):
        return
    if is_path:
        text = cast(Expr, exp.Cast(this=inner.copy(), to=exp.DataType.build("TEXT")))
    else:
        root = exp.JSONPath(expressions=[exp.JSONPathRoot()])
        text = exp.Paren(this=exp.JSONExtractScalar(this=inner.copy(), expression=root))
    if kind == "number":
        text = exp.TryCast(this=text, to=exp.DataType.build("DOUBLE"))
    node.replace(text)


def _is_key(node: Expr) -> bool:
    """`v['key']`"""
    return isinstance(node, exp.Bracket) and any(e.is_string for e in node.expressions)
