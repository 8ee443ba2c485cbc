"""Texts cut to the length that they are cast to. Pure."""

from sqlglot import Expr, exp

# CHAR alone is CHAR(1), as a column and in a cast.
_SINGLE = (exp.DataType.Type.CHAR, exp.DataType.Type.NCHAR)
# As long as a VARCHAR without a length: nothing to cut.
_LONGEST = 16_777_216


def cut(statement: Expr) -> Expr:
    """`'abcd'::VARCHAR(3)` is `abc`; DuckDB's type has no length. TRY_CAST has sqlglot's own rule."""
    # From the leaves up: one may stand within another.
    for node in reversed(list(statement.find_all(exp.Cast))):
        if isinstance(node, exp.TryCast) or (most := _length(node.to)) is None:
            continue
        length = exp.Literal.number(most)
        shortened = exp.Anonymous(this="left", expressions=[node.copy(), length])
        if node is statement:
            return shortened
        node.replace(shortened)
    return statement


def _length(kind: exp.DataType) -> int | None:
    """None: the text stays whole."""
    if kind.this not in exp.DataType.TEXT_TYPES:
        return None
    if not kind.expressions:
        return 1 if kind.this in _SINGLE else None
    most = int(kind.expressions[0].name)
    return most if most < _LONGEST else None
