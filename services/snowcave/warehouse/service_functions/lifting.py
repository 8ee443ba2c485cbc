"""Calls beyond a plain select list, lifted out of it: in WHERE, GROUP BY, ORDER BY and in aggregates. Pure.

DuckDB asks an Arrow function for 2048 rows at a time. So arguments are made by a query of their own over the
same FROM, beside the columns that the statement needs of a row, and the statement runs over both.

A statement is lifted in rounds, each of which leaves one with fewer calls:

- the cheapest condition of WHERE with calls, after those without any: the next one is asked about fewer rows;
- then the calls in aggregates and in terms of GROUP BY, or those of DISTINCT;
- or else those of ORDER BY; what is left in the select list then comes within LIMIT, by `taking`.

Nothing is asked twice that DuckDB would ask once: equal aggregates share their answers, and what is a term of
GROUP BY, or an item and a term of ORDER BY, shares them with it. All that cannot be told from the text alone
stays as it is, such as calls in branches, and names that may be a column's or an alias's.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import Expr, exp

from snowcave.warehouse.service_functions import liftable, selected
from snowcave.warehouse.service_functions.calls import Found


@dataclass(frozen=True)
class Round:
    """`shared`: calls of one entry have one answer. `before`: conditions for the inner query."""

    shared: list[list[Found]]
    before: list[Expr] = field(default_factory=list[Expr])
    after: list[Expr] = field(default_factory=list[Expr])


def next_round(statement: Expr, found: Sequence[Found]) -> Round | None:
    """What of the statement's calls can be lifted now; `found` are all of them."""
    select = selected.outermost(statement)
    if select is None or not all(liftable.is_own(call.node, select) for call in found):
        return None
    conditions = liftable.conditions(select.args.get("where"))
    before = [c for c in conditions if not _within(c, found)]
    after = [c for c in conditions if _within(c, found)]
    if not liftable.is_known(select, before, after):
        return None
    ready = [call for call in found if not _within(call.node, found, without=call)]
    if after:
        shared = _of_where(after, found, ready)
    elif liftable.is_aggregated(select):
        shared = _of_aggregates(select, found, ready)
    elif select.args.get("distinct"):
        shared = _of_items(select, range(len(select.expressions)), ready)
    else:
        shared = _of_order(select, ready)
    return Round(shared, before, after) if shared else None


def _within(node: Expr, found: Sequence[Found], without: Found | None = None) -> list[Found]:
    """In the order in which they stand there, the same for equal texts."""
    order = {id(n): number for number, n in enumerate(node.walk())}
    inside = [c for c in found if c is not without and id(c.node) in order]
    return sorted(inside, key=lambda call: order[id(call.node)])


def _is_always_made(call: Found, holder: Expr) -> bool:
    node = call.node
    while node is not holder:
        assert node.parent is not None
        node = node.parent
        if isinstance(node, liftable.CONDITIONAL):
            return False
    return True


def _of_where(
    after: Sequence[Expr], found: Sequence[Found], ready: Sequence[Found]
) -> list[list[Found]]:
    """Of the condition that DuckDB would begin with: the others are left for the rows that it leaves."""
    texts = [{_text(call.node) for call in _within(c, found)} for c in after]
    # DuckDB makes one of two comparisons of the same where it can, and then makes the call once.
    if sum(map(len, texts)) > len(set().union(*texts)):
        return []
    first = min(after, key=lambda condition: len(_within(condition, found)))
    return [[c] for c in _within(first, ready) if _is_always_made(c, first)]


def _of_aggregates(
    select: exp.Select, found: Sequence[Found], ready: Sequence[Found]
) -> list[list[Found]]:
    group = select.args.get("group")
    if group is not None and group.find(exp.Rollup, exp.Cube, exp.GroupingSets):
        return []
    if group is None and any(_within(term.this, found) for term in liftable.terms(select)):
        return []  # a single row needs no order, and DuckDB makes no call for it
    calling = [_text(term) for term in _group_terms(select) if _within(term, found)]
    if len(calling) != len(set(calling)):
        return []
    texts = {_text(term) for term in _group_terms(select)}
    shared: defaultdict[tuple[str, int], list[Found]] = defaultdict(list)
    for call in found:
        holder = _aggregate(call.node, select) or _grouped(call.node, select, texts)
        if holder is None:
            if calling:
                return []
            continue
        if call in ready and _is_always_made(call, holder):
            place = _within(holder, found).index(call)
            shared[_text(holder), place].append(call)
    return list(shared.values())


def _aggregate(call: Expr, select: exp.Select) -> Expr | None:
    """The aggregate that it is an argument of."""
    node, holder = call, None
    while node.parent is not None and node.parent is not select:
        node = node.parent
        if isinstance(node, exp.WithinGroup) or (
            isinstance(node, exp.AggFunc) and not isinstance(node, exp.Grouping)
        ):
            holder = node
    return holder


def _group_terms(select: exp.Select) -> list[Expr]:
    group = select.args.get("group")
    if group is None:
        return []
    items = [item.unalias() for item in select.expressions]
    if group.args.get("all"):
        return [item for item in items if not item.find(exp.AggFunc)]
    names = {selected.name_of(i): n for n, i in enumerate(select.expressions)}
    terms: list[Expr] = []
    for term in group.expressions:
        at = selected.position(term, names, len(items)) if isinstance(term, exp.Literal) else None
        terms.append(term if at is None else items[at])
    return terms


def _grouped(call: Expr, select: exp.Select, texts: set[str]) -> Expr | None:
    """The largest expression around it that is a term of GROUP BY."""
    node, holder = call, None
    while node is not select:
        if _text(node) in texts:
            holder = node
        assert node.parent is not None
        node = node.parent
    return holder


def _of_items(
    select: exp.Select, wanted: Sequence[int], ready: Sequence[Found]
) -> list[list[Found]]:
    """Calls of these items, and of equal terms of ORDER BY."""
    shared: list[list[Found]] = []
    for number in wanted:
        item = select.expressions[number].unalias()
        same = [t.this for t in liftable.terms(select) if _first_equal(t.this, select) == number]
        columns = zip(_within(item, ready), *(_within(term, ready) for term in same), strict=True)
        shared += [list(calls) for calls in columns if _is_always_made(calls[0], item)]
    return shared


def _of_order(select: exp.Select, ready: Sequence[Found]) -> list[list[Found]]:
    shared: list[list[Found]] = []
    equal: set[int] = set()
    for term in (t.this for t in liftable.terms(select)):
        calls = _within(term, ready)
        if not calls:
            continue
        if (number := _first_equal(term, select)) is not None:
            equal.add(number)
        else:
            shared += [[call] for call in calls if _is_always_made(call, term)]
    return shared + _of_items(select, sorted(equal), ready)


def _first_equal(term: Expr, select: exp.Select) -> int | None:
    text = _text(term)
    for number, item in enumerate(select.expressions):
        if not selected.is_star(item) and _text(item.unalias()) == text:
            return number
    return None


def _text(node: Expr) -> str:
    """The same for expressions that differ in the spelling of names only."""
    copied = exp.Paren(this=node.copy())
    for column in list(copied.find_all(exp.Column)):
        column.replace(exp.column(exp.to_identifier(liftable.key(column), quoted=True)))
    return copied.sql(dialect="snowflake")
