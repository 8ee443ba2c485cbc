"""Queries of the event table, narrowed to what they read before DuckDB plans them. Pure.

Two things DuckDB does not do by itself. A condition on RESOURCE_ATTRIBUTES is looked at for each of the few
different texts instead of for each row. And TIMESTAMP, which has no time zone, is compared with a moment that
has one by bringing the moment to the column's type, so that the comparison reaches the files' statistics.
"""

from collections.abc import Iterable, Mapping

from sqlglot import Expr, exp, parse_one

from snowcave.warehouse.engine import Context
from snowcave.warehouse.rewrite.tables import place_of

_ATTRIBUTES = "RESOURCE_ATTRIBUTES"
_TIMES = ("TIMESTAMP", "START_TIMESTAMP", "OBSERVED_TIMESTAMP")
_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)
# What may not be moved into another query, or be taken for a constant.
_TIED = (exp.Query, exp.Window, exp.AggFunc, exp.Placeholder, exp.Parameter)


def narrow_events(
    statement: Expr,
    context: Context,
    table: tuple[str, str, str],
    columns: Mapping[str, str],
    rows: str,
    resources: str,
) -> Expr:
    """`columns` of `rows f` joined with `resources r` make up the event table, which is `table`."""
    for select in list(statement.find_all(exp.Select)):
        source = _only_source(select)
        if source is None or place_of(source, context) != table or _is_qualified(select):
            continue
        where = select.args.get("where")
        conditions = list(where.this.flatten()) if where and _is_and(where.this) else []
        if where and not conditions:
            conditions = [where.this]
        moved = [one for one in conditions if _is_about_resources(one)]
        kept = [_plain_times(one) for one in conditions if one not in moved]
        select.set("where", exp.Where(this=exp.and_(*kept, copy=False)) if kept else None)
        made = _rows(columns, rows, resources, moved)
        source.replace(exp.Subquery(this=made, alias=_alias(source)))
    return statement


def _only_source(select: exp.Select) -> exp.Table | None:
    source = select.args.get("from_")
    if source is None or select.args.get("joins") or select.args.get("laterals"):
        return None
    table = source.this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    plain = ("joins", "laterals", "pivots", "when", "sample", "changes")
    return None if any(table.args.get(name) for name in plain) else table


def _is_qualified(select: exp.Select) -> bool:
    """By schema: such names would not find the table in disguise."""
    return any(column.args.get("db") for column in select.find_all(exp.Column))


def _is_and(condition: Expr) -> bool:
    return isinstance(condition, exp.And)


def _is_about_resources(condition: Expr) -> bool:
    names = {column.name.upper() for column in condition.find_all(exp.Column)}
    return names == {_ATTRIBUTES} and condition.find(*_TIED) is None


def _plain_times(condition: Expr) -> Expr:
    bare = condition.unnest()
    if isinstance(bare, _COMPARISONS):
        for side, other in (("this", "expression"), ("expression", "this")):
            if _is_time(bare.args[side]) and _is_constant(bare.args[other]):
                bare.set(other, _without_zone(bare.args[other]))
    elif isinstance(bare, exp.Between) and _is_time(bare.this):
        for bound in ("low", "high"):
            if _is_constant(bare.args[bound]):
                bare.set(bound, _without_zone(bare.args[bound]))
    return condition


def _is_time(side: Expr) -> bool:
    return isinstance(side, exp.Column) and side.name.upper() in _TIMES


def _is_constant(side: Expr) -> bool:
    """A text is read as a moment without a zone anyway."""
    return not isinstance(side, exp.Literal) and side.find(exp.Column, exp.Query) is None


def _without_zone(side: Expr) -> Expr:
    return exp.Cast(this=side.copy(), to=exp.DataType.build("TIMESTAMPNTZ"))


def _rows(columns: Mapping[str, str], rows: str, resources: str, moved: Iterable[Expr]) -> Expr:
    picked = ", ".join(f"{source} AS {name}" for name, source in columns.items())
    made = parse_one(
        f"SELECT {picked} FROM temp.main.{rows} AS f JOIN (SELECT number, attributes FROM (SELECT number, "
        f"attributes, attributes AS {_ATTRIBUTES} FROM temp.main.{resources}) AS t) AS r "
        "ON f.resource = r.number",
        dialect="duckdb",
    )
    about = made.find(exp.Join)
    assert about is not None
    chosen = about.this.this
    bare = [_unqualified(one) for one in moved]
    if bare:
        chosen.set("where", exp.Where(this=exp.and_(*bare, copy=False)))
    return made


def _unqualified(condition: Expr) -> Expr:
    alone = condition.copy()
    for column in alone.find_all(exp.Column):
        column.set("table", None)
    return alone


def _alias(source: exp.Table) -> exp.TableAlias:
    alias = source.args.get("alias")
    return alias or exp.TableAlias(this=exp.to_identifier(source.name))
