"""Items of a select list, and which of them an ORDER BY means. Pure."""

from sqlglot import Expr, exp


def outermost(statement: Expr) -> exp.Select | None:
    if isinstance(statement, exp.Select):
        return statement
    if isinstance(statement, (exp.Insert, exp.Create)):
        source = statement.expression
        return source if isinstance(source, exp.Select) else None
    return None


def is_star(item: Expr) -> bool:
    return isinstance(item, exp.Star) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def name_of(item: Expr) -> str:
    if isinstance(item, exp.Alias):
        alias = item.args["alias"]
        return alias.name if alias.args.get("quoted") else alias.name.upper()
    if isinstance(item, exp.Column):
        return item.name if item.this.quoted else item.name.upper()
    return item.sql(dialect="snowflake").upper()


def aliased(item: Expr) -> Expr:
    """The same nodes under an alias; they are told apart by identity."""
    name = exp.to_identifier(name_of(item), quoted=True)
    return exp.Alias(this=item, alias=name)


def position(term: Expr, names: dict[str, int], items: int) -> int | None:
    """Which item an ORDER BY term means, if any."""
    if isinstance(term, exp.Literal) and not term.is_string:
        number = int(term.name) - 1
        return number if 0 <= number < items else None
    if isinstance(term, exp.Column) and not term.table:
        return names.get(name_of(term))
    return names.get(term.sql(dialect="snowflake").upper())
