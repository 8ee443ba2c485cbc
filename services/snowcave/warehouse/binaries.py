"""BINARY values and texts: hexadecimal digits on both ways, as Snowflake's default formats say. Pure."""

from collections.abc import Mapping

from sqlglot import Expr, exp

_BINARY = (exp.DataType.Type.BINARY, exp.DataType.Type.VARBINARY)
_MADE = (exp.Unhex, exp.ToBinary, exp.HexString)


def without_lengths(statement: Expr) -> Expr:
    """BINARY(8) holds what BINARY holds: DuckDB's type has no length."""
    for kind in list(statement.find_all(exp.DataType)):
        if kind.this in _BINARY:
            kind.set("expressions", [])
    return statement


def in_hexadecimal(statement: Expr, types: Mapping[str, str]) -> Expr:
    """`types`: DuckDB's type of each column in reach, by upper-case name."""
    for node in list(statement.find_all(exp.Cast, exp.ToChar)):
        value = node.this
        if isinstance(node, exp.ToChar) or node.to.this in exp.DataType.TEXT_TYPES:
            if _is_binary(value, types) and not node.args.get("format"):
                node.replace(exp.Anonymous(this="hex", expressions=[value.copy()]))
        elif node.to.this in _BINARY and _is_text(value, types):
            node.replace(exp.Anonymous(this="unhex", expressions=[value.copy()]))
    return statement


def _is_binary(node: Expr, types: Mapping[str, str]) -> bool:
    inner = node.unnest()
    if isinstance(inner, exp.Column):
        return types.get(inner.name.upper()) == "BLOB"
    return isinstance(inner, _MADE)


def _is_text(node: Expr, types: Mapping[str, str]) -> bool:
    inner = node.unnest()
    if isinstance(inner, exp.Column):
        return types.get(inner.name.upper()) == "VARCHAR"
    return inner.is_string
