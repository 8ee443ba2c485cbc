"""Calls in queries that others stand over: in FROM, in WITH, in UNION, in MERGE's USING. Pure.

The calls of such a query can be made first, as if it were the statement, where all of its rows are wanted
and all that a service says of them: no condition, join or LIMIT over it can do with fewer, and no item with
a call is left unused. That is told by the text alone; all else stays with the engine.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import Expr, exp

from snowcave.warehouse.service_functions import liftable, selected
from snowcave.warehouse.service_functions.calls import Found

# What a query may have that stands over another one's calls.
_KNOWN = {
    *("expressions", "from_", "joins", "where", "group", "having", "qualify"),
    *("order", "limit", "offset", "distinct", "with_"),
}
_SUMMED_UP = (exp.AggFunc, exp.Window)
_Ctes = Mapping[str, exp.CTE]


@dataclass(frozen=True)
class _Place:
    query: exp.Select
    # Those that stand over it, the nearest first.
    over: tuple[exp.Select, ...]
    # Those of WITH that it may name.
    ctes: _Ctes


def parts(statement: Expr, found: Sequence[Found]) -> Iterator[exp.Select]:
    """Queries whose calls may be made before everything that stands over them."""
    used = _references(statement)
    for place in _places(statement):
        calls = [call for call in found if is_within(call.node, place.query)]
        if calls and _is_first(place, calls, found, used) and _is_wanted(place, calls):
            yield place.query


def stand_alone(statement: Expr, query: exp.Select) -> None:
    """Give one of the `parts` what it names of WITH."""
    place = next(place for place in _places(statement) if place.query is query)
    if names := _reached(query, place.ctes):
        copies = [cte.copy() for name, cte in place.ctes.items() if name in names]
        query.set("with_", exp.With(expressions=copies))


# ---------------------------------------------------------------- where such queries stand


def _places(statement: Expr) -> Iterator[_Place]:
    if isinstance(statement, exp.Merge):
        using = statement.args["using"]
        if isinstance(using, exp.Subquery):
            yield from _below(using.this, (), {})
        return
    whole = statement
    if isinstance(statement, (exp.Create, exp.Insert)):
        whole = statement.expression
    for place in _below(whole, (), {}):
        if place.query is not selected.outermost(statement):
            yield place


def _below(query: object, over: tuple[exp.Select, ...], ctes: _Ctes) -> Iterator[_Place]:
    """The query itself, and those in FROM that it takes all rows of."""
    if not isinstance(query, exp.Query):
        return
    with_ = query.args.get("with_")
    if with_ is not None:
        if with_.args.get("recursive"):
            return
        ctes = {**ctes, **{_folded(cte.args["alias"]): cte for cte in with_.expressions}}
    if isinstance(query, exp.Subquery) and _is_bare(query):
        yield from _below(query.this, over, ctes)
    elif isinstance(query, exp.Union) and not over and not query.args.get("limit"):
        yield from _below(query.this, (), ctes)
        yield from _below(query.expression, (), ctes)
    elif isinstance(query, exp.Select):
        yield _Place(query, over, ctes)
        source = query.args.get("from_")
        if source is None or not _is_known(query):
            return
        if isinstance(source.this, exp.Subquery) and _is_bare(source.this):
            yield from _below(source.this.this, (query, *over), ctes)
        elif (cte := _cte(source.this, ctes)) is not None:
            before = {}
            for name, other in ctes.items():
                if other is cte:
                    break
                before[name] = other
            yield from _below(cte.this, (query, *over), before)


def _is_bare(node: Expr) -> bool:
    """Whether it has nothing but an alias, without names for its columns."""
    alias = node.args.get("alias")
    others = [value for name, value in node.args.items() if name not in ("this", "alias")]
    return not any(others) and not (isinstance(alias, exp.TableAlias) and alias.columns)


def _cte(table: Expr, ctes: _Ctes) -> exp.CTE | None:
    if not isinstance(table, exp.Table) or not _is_bare(table):
        return None
    cte = ctes.get(table.name.upper())
    return cte if cte is not None and not cte.args["alias"].columns else None


def _is_known(query: exp.Select) -> bool:
    joins = query.args.get("joins") or []
    return all(name in _KNOWN for name, value in query.args.items() if value) and all(
        join.side == "LEFT" and not isinstance(join.this, exp.Lateral) for join in joins
    )


# ---------------------------------------------------------------- what it needs from elsewhere


def _is_first(
    place: _Place, calls: Sequence[Found], found: Sequence[Found], used: Counter[str]
) -> bool:
    """Whether no call has to be made before, and nothing that it names is wanted elsewhere as well."""
    query = place.query
    if any(call.node.find_ancestor(exp.Query) is not query for call in calls):
        return False
    names = _reached(query, place.ctes)
    if names and query.args.get("with_"):
        return False
    bodies = [query, *(place.ctes[name] for name in names)]
    if any(is_within(call.node, body) for call in found for body in bodies[1:]):
        return False
    # What is computed twice might differ.
    inside = sum((_references(body) for body in bodies), Counter[str]())
    return all(inside[name] == used[name] for name in names) and _is_used_once(place, used)


def _is_used_once(place: _Place, used: Counter[str]) -> bool:
    """Whether each of WITH on the way down to it is named once."""
    for query in (place.query, *place.over):
        if isinstance(query.parent, exp.CTE) and used[_folded(query.parent.args["alias"])] != 1:
            return False
    return True


def _reached(query: Expr, ctes: _Ctes) -> set[str]:
    """What of WITH it names, and what that names."""
    reached: set[str] = set()
    waiting = [name for name in _references(query) if name in ctes]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for other in _references(ctes[name].this) if other in ctes]
    return reached


def _references(node: Expr) -> Counter[str]:
    return Counter(table.name.upper() for table in node.find_all(exp.Table) if not table.db)


def _folded(alias: Expr) -> str:
    """DuckDB takes names for the same that differ in case."""
    return alias.name.upper()


def is_within(node: Expr, holder: Expr) -> bool:
    """Whether a node is the other one or stands in it."""
    current: Expr | None = node
    while current is not None and current is not holder:
        current = current.parent
    return current is holder


# ---------------------------------------------------------------- what stands over it


def _is_wanted(place: _Place, calls: Sequence[Found]) -> bool:
    called = {
        selected.name_of(item).upper()
        for item in place.query.expressions
        if any(is_within(call.node, item) for call in calls)
    }
    # DuckDB begins with the one that a condition is about, and makes the others for the rows that it leaves.
    if _are_several(calls) and any(_conditions_of_rows(query) for query in place.over):
        return False
    opaque = called | _summed_up(place.query)
    for query in place.over:
        if not _takes_all_rows(query, opaque):
            return False
        opaque = {
            selected.name_of(item).upper()
            for item in query.expressions
            if not selected.is_star(item) and _names(item) & opaque
        } | (opaque if _star(query) else set[str]())
        opaque |= _summed_up(query)
    return all(_is_needed(name, place.over) for name in called)


def _are_several(calls: Sequence[Found]) -> bool:
    """Whether they are not all arguments of one."""
    nodes = [call.node for call in calls]
    return sum(all(n is o or not is_within(n, o) for o in nodes) for n in nodes) > 1


def _summed_up(query: exp.Select) -> set[str]:
    return {
        selected.name_of(item).upper()
        for item in query.expressions
        if not selected.is_star(item) and item.find(*_SUMMED_UP)
    }


def _takes_all_rows(query: exp.Select, opaque: set[str]) -> bool:
    """Whether no condition could be looked at before the calls: `opaque` are names that depend on them."""
    if liftable.takes_nothing(query) or not liftable.needs_all_rows(query):
        return False
    own = _summed_up(query)
    return all(
        _names(condition) & (opaque if clause == "where" else opaque | own)
        for clause, condition in _conditions_of_rows(query)
    )


def _conditions_of_rows(query: exp.Select) -> list[tuple[str, Expr]]:
    """With their clauses, those that DuckDB may look at before rows are grouped, or windows made."""
    return [
        (clause, condition)
        for clause in ("where", "having", "qualify")
        for condition in liftable.conditions(query.args.get(clause))
        if clause == "where" or not condition.find(*_SUMMED_UP)
    ]


def _is_needed(name: str, over: Sequence[exp.Select]) -> bool:
    """Whether the nearest query that stands over a column does anything with it that shows in the end."""
    if not over:
        return True
    query, further = over[0], over[1:]
    clauses = [query.args.get(clause) for clause in ("where", "having", "qualify", "group")]
    if not further or query.args.get("limit"):  # elsewhere an order need not be kept
        clauses.append(query.args.get("order"))
    if any(isinstance(clause, Expr) and name in _names(clause) for clause in clauses):
        return True
    if _star(query) and _is_needed(name, further):
        return True
    items = [item for item in query.expressions if not selected.is_star(item)]
    return any(
        name in _names(item)
        and (bool(query.args.get("distinct")) or _is_needed(_shown(item), further))
        for item in items
    )


def _star(query: exp.Select) -> bool:
    return any(selected.is_star(item) for item in query.expressions)


def _shown(item: Expr) -> str:
    return selected.name_of(item).upper()


def _names(node: Expr) -> set[str]:
    return {column.name.upper() for column in node.find_all(exp.Column)}
