"""BINARY values and texts: hexadecimal digits on both ways, as Snowflake's default formats say. Pure."""

from collections.abc import Mapping

from sqlglot import Expr, exp

_BINARY = (exp.DataType.Type.BINARY, exp.DataType.Type.VARBINARY)
_WRITTEN = {"HEX": "hex", "BASE64": "to_base64", "UTF-8": "decode", "UTF8": "decode"}
_MADE = (exp.Unhex, exp.ToBinary, exp.HexString)


def without_lengths(statement: Expr) -> Expr:
    """BINARY(8) holds what BINARY holds: DuckDB's type has no length."""
    for kind in list(statement.find_all(exp.DataType)):
        if kind.this in _BINARY:
            kind.set("expressions", [])
    return statement


def in_hexadecimal(statement: Expr, types: Mapping[str, str]) -> Expr:
    """`types`: DuckDB's type of each column in reach, by upper-case name."""
    for made in list(statement.find_all(exp.ToBinary)):
        if made.args.get("format"):
            continue
        # Without one, sqlglot's call is DuckDB's, which makes a text of bits.
        if _is_binary(made.this, types):
            made.replace(made.this.copy())
        else:
            made.set("format", exp.Literal.string("HEX"))
    for node in list(statement.find_all(exp.Cast, exp.ToChar)):
        value = node.this
        if isinstance(node, exp.ToChar) and (function := _named(node.args.get("format"))):
            node.replace(exp.Anonymous(this=function, expressions=[value.copy()]))
            continue
        if isinstance(node, exp.ToChar) or node.to.this in exp.DataType.TEXT_TYPES:
            if _is_binary(value, types) and not node.args.get("format"):
                node.replace(exp.Anonymous(this="hex", expressions=[value.copy()]))
        elif node.to.this in _BINARY and _is_text(value, types):
            read: Expr = exp.Anonymous(this="unhex", expressions=[value.copy()])
            node.replace(exp.Try(this=read) if isinstance(node, exp.TryCast) else read)
    return statement


def _named(given: object) -> str | None:
    """DuckDB's function for a format of BINARY, where the text is one."""
    return _WRITTEN.get(given.name.upper()) if isinstance(given, exp.Literal) else None


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
