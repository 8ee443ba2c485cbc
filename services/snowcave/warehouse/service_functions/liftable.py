"""Whether a query's text says enough for its calls to be lifted: see `lifting`. Pure.

Whatever stands over the answers sees the columns of the inner query alone. So each name must be a column's
and no alias's, and where two names mean one column, as in GROUP BY and the select list, that must be seen.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlglot import Expr, exp
from sqlglot.dialects.snowflake import Snowflake

from snowcave.warehouse.service_functions import selected

# Their branches are evaluated for some rows only, and a service must not see the others.
CONDITIONAL = (
    *(exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Nvl2, exp.DecodeCase),
    *(exp.And, exp.Or, exp.Filter, exp.Lambda, exp.Query),
)
_KNOWN = {
    *("expressions", "from_", "where", "group", "having", "order"),
    *("limit", "offset", "distinct", "with_"),
}
# As DuckDB's plan as JSON names operations, and says that there is none.
_JOINING = re.compile(r'"type":\s*"LOGICAL_\w*(?:JOIN|PRODUCT)')
_REFUSED = re.compile(r'"error":\s*true')
# What the statement goes on with; the rest is the inner query's.
OUTER = ("group", "having", "order", "limit", "offset", "distinct")
# Nothing that stands in a lifted statement may have another scope, or a name that is no column's.
_STRANGE = (exp.Query, exp.Window, exp.Lambda, exp.Parameter, exp.Placeholder, exp.Filter)
_DATE_PARTS = {*Snowflake.DATE_PART_MAPPING, *Snowflake.DATE_PART_MAPPING.values()}


def key(column: exp.Column) -> str:
    """The same for all spellings of a column of a single table."""
    return column.name.lower()


def is_alias(term: Expr, select: exp.Select) -> bool:
    """Whether a term of ORDER BY is an item by its name, which goes before the name of a column."""
    names = {selected.name_of(item) for item in select.expressions if not selected.is_star(item)}
    return isinstance(term, exp.Column) and not term.table and selected.name_of(term) in names


def is_aggregated(select: exp.Select) -> bool:
    parts = [*select.expressions, select.args.get("having"), select.args.get("order")]
    return bool(select.args.get("group") or select.args.get("having")) or any(
        part is not None and part.find(exp.AggFunc) for part in parts
    )


def source(statement: Expr) -> exp.Select:
    """The rows of FROM."""
    select = selected.outermost(statement)
    assert select is not None
    rows = exp.Select(expressions=[exp.Star()])
    for name in ("with_", "from_"):
        if (value := select.args.get(name)) is not None:
            rows.set(name, value.copy())
    return rows


def may_join(plan: str) -> bool:
    """Whether FROM, a view perhaps, may be a join, of whose tables one alone has fewer rows to call for.

    DuckDB finds such places for its functions; the rows of the join may be many times as many.
    """
    return _JOINING.search(plan) is not None or is_refused(plan)


def is_refused(plan: str) -> bool:
    return _REFUSED.search(plan) is not None


def conditions(clause: Expr | None) -> list[Expr]:
    """Of WHERE and the like: what has to hold, all of it."""
    if clause is None:
        return []
    whole = clause.this
    return list(whole.flatten(unnest=False)) if isinstance(whole, exp.And) else [whole]


def terms(select: exp.Select) -> list[Expr]:
    order = select.args.get("order")
    return order.expressions if order else []


def is_own(call: Expr, select: exp.Select) -> bool:
    """Whether it stands in this query and not in one within it, nor in FROM."""
    if call.find_ancestor(exp.Query) is not select:
        return False
    node = call
    while node.parent is not None and node.parent is not select:
        node = node.parent
    return node.arg_key in ("expressions", "where", "group", "having", "order")


def is_known(select: exp.Select, before: Sequence[Expr], after: Sequence[Expr]) -> bool:
    if any(value and name not in _KNOWN for name, value in select.args.items()):
        return False
    if select.args.get("from_") is None or takes_nothing(select):
        return False
    if after and not needs_all_rows(select):
        return False
    parts = list(_parts(select, after))
    return (
        _has_plain_stars(select, parts)
        and not any(_is_strange(part) for part in parts)
        and not _may_mean_aliases(select, [*parts, *before])
        and _are_columns_told_apart(parts)
    )


def _parts(select: exp.Select, after: Sequence[Expr]) -> Iterator[Expr]:
    """What will stand over the answers: items without their names, conditions, terms, HAVING."""
    yield from (item.unalias() for item in select.expressions if not selected.is_star(item))
    yield from after
    for name in ("group", "having"):
        if (value := select.args.get(name)) is not None:
            yield value
    yield from (term.this for term in terms(select) if not is_alias(term.this, select))


def _is_strange(part: Expr) -> bool:
    if part.find(*_STRANGE):
        return True
    if any(not isinstance(star.parent, exp.Count) for star in part.find_all(exp.Star)):
        return True
    return any(_is_no_column(column) for column in part.find_all(exp.Column))


def _is_no_column(column: exp.Column) -> bool:
    """A sequence's next number, or a word like MONTH in TRUNC(d, MONTH)."""
    name, around = column.name.upper(), column.parent
    if name == "NEXTVAL":
        return True
    return (
        name in _DATE_PARTS
        and isinstance(around, exp.Anonymous)
        and around.name.upper() == "TRUNC"
    )


def takes_nothing(select: exp.Select) -> bool:
    """LIMIT 0 asks for the columns, and no call is made for it."""
    limit = select.args.get("limit")
    return limit is not None and (
        not isinstance(limit, exp.Limit)
        or not isinstance(limit.expression, exp.Literal)
        or limit.expression.name == "0"
    )


def needs_all_rows(select: exp.Select) -> bool:
    """Whether no LIMIT ends the query before all of its rows are looked at."""
    blocks = ("order", "group", "distinct")
    return (
        not select.args.get("limit")
        or any(select.args.get(name) for name in blocks)
        or is_aggregated(select)
    )


def _has_plain_stars(select: exp.Select, parts: Sequence[Expr]) -> bool:
    """None, or one of a single table whose columns no position counts."""
    stars = [item for item in select.expressions if selected.is_star(item)]
    if not stars:
        return True
    whole = stars[0].this if isinstance(stars[0], exp.Column) else stars[0]
    return (
        len(stars) == 1
        and not any(whole.args.values())
        and not is_aggregated(select)
        and not select.args.get("distinct")
        and not any(isinstance(part, exp.Literal) for part in parts)
        # A star's column may have the name that a term of ORDER BY means.
        and not any(
            isinstance(t.this, exp.Column) and is_alias(t.this, select) for t in terms(select)
        )
    )


def _may_mean_aliases(select: exp.Select, parts: Sequence[Expr]) -> bool:
    """Whether a name may be an item's that is not just the column of that name."""
    aliases = {
        selected.name_of(item)
        for item in select.expressions
        if isinstance(item, exp.Alias)
        and not (
            isinstance(item.this, exp.Column)
            and selected.name_of(item.this) == selected.name_of(item)
        )
    }
    if any(isinstance(item, exp.Aliases) for item in select.expressions):
        return True
    return any(
        not c.table and c.name.upper() in {name.upper() for name in aliases}
        for part in parts
        for c in part.find_all(exp.Column)
    )


def _are_columns_told_apart(parts: Sequence[Expr]) -> bool:
    """Whether equal names are those of one table."""
    spelled: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for part in parts:
        for column in part.find_all(exp.Column):
            *holders, name = [p.name.lower() for p in column.parts]
            spelled[name].add(tuple(holders))
    return all(len(holders - {()}) <= 1 for holders in spelled.values())
