"""Queries of the event table, narrowed to what they read before DuckDB plans them. Pure.

Three things that DuckDB does not do by itself. A condition on RESOURCE_ATTRIBUTES is looked at for each of
the few different texts instead of for each row, and not at all where all of them meet it. TIMESTAMP, having
no time zone, is compared with a moment that has one by bringing the moment to the column's type, so that the
comparison reaches the files' statistics. And the newest rows are chosen before anything is joined to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import Expr, exp, parse_one

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.macros import call
from snowcave.warehouse.rewrite.tables import place_of

Place = tuple[str, str, str]

_ATTRIBUTES = "RESOURCE_ATTRIBUTES"
_TIMES = ("TIMESTAMP", "START_TIMESTAMP", "OBSERVED_TIMESTAMP")
_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)
# What may not be moved into another query, or be taken for a constant.
TIED = (exp.Query, exp.Window, exp.AggFunc, exp.Placeholder, exp.Parameter)
# What a query may not have if its newest rows are to be chosen first.
_WHOLE = ("group", "having", "qualify", "windows", "distinct", "offset", "connect", "match")
# Columns that are not in the rows as they are in the table.
_JOINED = (_ATTRIBUTES, "RESOURCE")


@dataclass(frozen=True, slots=True)
class EventTable:
    """`columns` of `<rows> f` joined with `<resources> r` are the tables; `parts` are the rows.

    `numbers`: by place, which of the resources are the table's; None: all.
    """

    numbers: Mapping[Place, int | None]
    columns: Mapping[str, str]
    rows: str
    parts: Sequence[str]
    resources: str


# Whether all resources meet a condition on RESOURCE_ATTRIBUTES.
AllMeet = Callable[[Expr], bool]


def narrow_events(
    statement: Expr, context: Context, events: EventTable, all_meet: AllMeet
) -> Expr:
    """Queries only: what defines something is kept in its own words."""
    if not isinstance(statement, exp.Query):
        return statement
    for select in list(statement.find_all(exp.Select)):
        source = only_source(select)
        place = place_of(source, context)
        if source is None or place not in events.numbers or _is_qualified(select):
            continue
        conditions = conditions_of(select)
        about = [one for one in conditions if _is_about_resources(one)]
        kept = [_plain_times(one) for one in conditions if one not in about]
        chosen = [one for one in map(_unqualified, about) if not all_meet(one)]
        chosen += _belonging(events.numbers[place])
        rows: Expr = _table(events.rows)
        if not chosen and _takes_newest(select, kept):
            rows = _newest(select, kept, events.parts)
        select.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)
        made = exp.Subquery(this=_joined(events, rows, chosen), alias=_alias(source))
        source.replace(made)
    return statement


def name_events(statement: Expr, context: Context, events: EventTable) -> Expr:
    """Event tables that are no views of the engine's, wherever a statement reads them: as queries."""
    ctes = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    # Sequences and functions have names of their own.
    made = statement.this.find(exp.Table) if isinstance(statement, exp.Create) else None
    for table in list(statement.find_all(exp.Table)):
        if (
            table is made
            or not isinstance(table.this, exp.Identifier)
            or (not table.db and table.name.upper() in ctes)
        ):
            continue
        place = place_of(table, context)
        if place in events.numbers:
            rows = _joined(events, _table(events.rows), _belonging(events.numbers[place]))
            table.replace(exp.Subquery(this=rows, alias=_alias(table)))
    return statement


def _belonging(number: int | None) -> list[Expr]:
    if number is None:
        return []
    return [exp.EQ(this=exp.column("event_table"), expression=exp.Literal.number(number))]


def conditions_of(select: exp.Select) -> list[Expr]:
    where = select.args.get("where")
    if where is None:
        return []
    return list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]


def only_source(select: exp.Select) -> exp.Table | None:
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


def _is_about_resources(condition: Expr) -> bool:
    names = {column.name.upper() for column in condition.find_all(exp.Column)}
    return names == {_ATTRIBUTES} and condition.find(*TIED) is None


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
    # DuckDB's own cast: fakesnow's is a macro of a database, and there may be none.
    return call("without_zone", side.copy())


def _joined(events: EventTable, rows: Expr, chosen: Sequence[Expr]) -> Expr:
    picked = ", ".join(f"{source} AS {name}" for name, source in events.columns.items())
    made = parse_one(
        f"SELECT {picked} FROM rows AS f JOIN (SELECT number, attributes FROM "
        f"(SELECT number, attributes, event_table, attributes AS {_ATTRIBUTES} "
        f"FROM temp.main.{events.resources}) AS t) AS r ON f.resource = r.number",
        dialect="duckdb",
    )
    named, join = made.find(exp.Table), made.find(exp.Join)
    assert named is not None
    assert join is not None
    named.replace(exp.alias_(rows, "f", table=True))
    if chosen:
        join.this.this.set("where", exp.Where(this=exp.and_(*chosen)))
    return made


def _takes_newest(select: exp.Select, kept: Sequence[Expr]) -> bool:
    """By time and up to a limit, of rows that are chosen by what is in them."""
    order, limit = select.args.get("order"), select.args.get("limit")
    if order is None or limit is None or any(select.args.get(name) for name in _WHOLE):
        return False
    if not isinstance(limit.expression, exp.Literal):
        return False
    renamed = {one.alias.upper() for one in select.expressions if isinstance(one, exp.Alias)}
    by_time = all(
        _is_time(one.this) and one.this.name.upper() not in renamed for one in order.expressions
    )
    plain = not any(one.find(exp.AggFunc, exp.Window, exp.Query) for one in select.expressions)
    return by_time and plain and all(_is_about_rows(one) for one in kept)


def _is_about_rows(condition: Expr) -> bool:
    names = {column.name.upper() for column in condition.find_all(exp.Column)}
    return names.isdisjoint(_JOINED) and condition.find(*TIED) is None


def _newest(select: exp.Select, kept: Sequence[Expr], parts: Sequence[str]) -> Expr:
    """Of each part its newest: the newest of all are among them."""
    chosen = exp.and_(*[_unqualified(one) for one in kept]) if kept else exp.true()
    order = _unqualified(select.args["order"])
    limit = select.args["limit"].copy()
    taken: list[Expr] = []
    for part in parts:
        one = exp.select("*").from_(_table(part)).where(chosen.copy())
        one.set("order", order.copy())
        one.set("limit", limit.copy())
        taken.append(one.subquery())
    together = taken[0]
    for one in taken[1:]:
        together = exp.Union(this=together, expression=one, distinct=False)
    return exp.Subquery(this=together)


def _table(name: str) -> exp.Table:
    return exp.table_(name, db="main", catalog="temp")


def _unqualified(condition: Expr) -> Expr:
    alone = condition.copy()
    if isinstance(alone, exp.Column):
        alone.set("table", None)
    for column in alone.find_all(exp.Column):
        column.set("table", None)
    return alone


def _alias(source: exp.Table) -> exp.TableAlias:
    alias = source.args.get("alias")
    return alias or exp.TableAlias(this=exp.to_identifier(source.name))
