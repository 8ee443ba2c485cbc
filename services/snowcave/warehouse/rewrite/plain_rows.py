"""INSERT of many plain rows: fakesnow's some seventy walks over the tree need not see each of them. Pure."""

from sqlglot import Expr, exp

_MANY = 20


def set_aside(statement: Expr) -> list[Expr]:
    """Takes the rows out of the statement, but for the first; empty where it is none of these."""
    source = statement.expression if isinstance(statement, exp.Insert) else None
    if not isinstance(source, exp.Values) or len(source.expressions) <= _MANY:
        return []
    rows = list(source.expressions)
    if not all(_is_plain(row) for row in rows):
        return []
    source.set("expressions", rows[:1])
    return rows


def put_back(translated: Expr, rows: list[Expr]) -> None:
    if rows:
        translated.expression.set("expressions", rows)


def _is_plain(row: Expr) -> bool:
    return isinstance(row, exp.Tuple) and all(_is_constant(item) for item in row.expressions)


def _is_constant(item: Expr) -> bool:
    if isinstance(item, exp.Neg):
        item = item.this
    return isinstance(item, (exp.Literal, exp.Null, exp.Boolean))
