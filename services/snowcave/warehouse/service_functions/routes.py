"""How the service functions of a statement are called: decided once, for all of its calls together. Pure.

AHEAD     The calls stand in the select list of the outermost query and nowhere else, each row of FROM and
          WHERE gives one row of the result, and nothing of the query depends on an answer but the items
          themselves and the order. Arguments are made first, sent in large batches, and within a LIMIT that
          does not wait for answers.
LIFTED    Calls stand in WHERE, GROUP BY, ORDER BY or aggregates of the outermost query, and some of them can
          be made in the same way, before the rest of it: see `lifting`.
VOLATILE  DuckDB calls an Arrow function wherever a call stands, and knows that it must not move it.
STABLE    The same, where DuckDB would refuse what might answer differently the next time: an alias of a call
          that is used elsewhere, a call in a window. Equal calls of one statement give equal answers.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto

from sqlglot import Expr, exp

from snowcave.warehouse.service_functions import liftable, lifting, selected
from snowcave.warehouse.service_functions.calls import Found

_GROUPING = ("group", "having", "qualify", "distinct", "windows", "connect")


class Route(Enum):
    AHEAD = auto()
    LIFTED = auto()
    VOLATILE = auto()
    STABLE = auto()


def decide(statement: Expr, found: Sequence[Found]) -> Route:
    """`found` are all calls of the statement."""
    select = selected.outermost(statement)
    nodes = [call.node for call in found]
    if select is not None and _is_separable(select, nodes):
        return Route.AHEAD
    if any(n.find_ancestor(exp.Window) for n in nodes):
        return Route.STABLE
    if any(_reuses_calls(s, nodes) for s in statement.find_all(exp.Select)):
        return Route.STABLE
    return Route.LIFTED if lifting.next_round(statement, found) else Route.VOLATILE


def _is_separable(select: exp.Select, nodes: Sequence[Expr]) -> bool:
    """Whether the answers may come after everything else of the query."""
    return (
        _is_plain(select)
        and all(_is_in_item(node, select) for node in nodes)
        and not _uses_aliases(select)
        and _is_order_known(select)
    )


def _is_plain(select: exp.Select) -> bool:
    """Whether each row of FROM and WHERE gives one row of the result."""
    if any(select.args.get(key) for key in _GROUPING):
        return False
    stars = [item for item in select.expressions if selected.is_star(item)]
    if stars and (len(stars) > 1 or select.args.get("joins") or _is_changed(stars[0])):
        return False
    return not any(
        isinstance(item, exp.Aliases) or _makes_rows_one(item, select)
        for item in select.expressions
    )


def _is_changed(star: Expr) -> bool:
    """EXCLUDE, RENAME, REPLACE and their like."""
    whole = star.this if isinstance(star, exp.Column) else star
    return any(whole.args.values())


def _makes_rows_one(item: Expr, select: exp.Select) -> bool:
    found = item.find_all(exp.AggFunc, exp.Window)
    return any(node.find_ancestor(exp.Select) is select for node in found)


def _is_in_item(call: Expr, select: exp.Select) -> bool:
    """Whether the call is made for every row, as part of an item."""
    node = call
    while node.parent is not None and node.parent is not select:
        node = node.parent
        if isinstance(node, (exp.Star, *liftable.CONDITIONAL)):
            return False
    return node.parent is select and node.arg_key == "expressions" and node.find(exp.Query) is None


def _uses_aliases(select: exp.Select) -> bool:
    """Whether anything may mean an item by its alias, apart from a whole term of ORDER BY.

    An alias that its own item uses, as in `f(x) AS x`, is the name of a column, and columns come first.
    """
    aliases = {
        selected.name_of(item)
        for item in select.expressions
        if isinstance(item, exp.Alias) and selected.name_of(item) not in _names(item.this)
    }
    return any(name in aliases for name in _used(select)) or any(
        name in {selected.name_of(i) for i in select.expressions if isinstance(i, exp.Alias)}
        for name in _within_order(select)
    )


def _reuses_calls(select: exp.Select, nodes: Sequence[Expr]) -> bool:
    """Whether an item with a call may be meant by its alias elsewhere in the query."""
    wanted = {id(node) for node in nodes}
    aliases = {
        selected.name_of(item)
        for item in select.expressions
        if isinstance(item, exp.Alias) and any(id(n) in wanted for n in item.walk())
    }
    used = {*_used(select), *_within_order(select)}
    return bool(aliases & used)


def _used(select: exp.Select) -> Iterator[str]:
    """Names without a table before them, but for those in ORDER BY and whole terms of GROUP BY."""
    for key, value in select.args.items():
        if key in ("order", "group"):
            terms = value.expressions if value else []
            skipped = key == "order"
            parts = [] if skipped else [t for t in terms if not isinstance(t, exp.Column)]
        else:
            parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, Expr):
                yield from _names(part)


def _within_order(select: exp.Select) -> Iterator[str]:
    """Names in those terms of ORDER BY that are more than a name."""
    order = select.args.get("order")
    for term in order.expressions if order else []:
        if not isinstance(term.this, exp.Column):
            yield from _names(term)


def _names(node: Expr) -> set[str]:
    return {selected.name_of(c) for c in node.find_all(exp.Column) if not c.table}


def _is_order_known(select: exp.Select) -> bool:
    """A position counts the columns of a star, which are not known here."""
    order = select.args.get("order")
    if order is None or not any(selected.is_star(item) for item in select.expressions):
        return True
    return not any(isinstance(term.this, exp.Literal) for term in order.expressions)
