"""Terms of GROUP BY that are aliases, said by position, which means the same wherever calls are made. Pure.

An alias counts only where FROM has no column of its name, and the text does not tell whether it has one.
"""

from collections import Counter
from collections.abc import Collection

from sqlglot import Expr, exp

from snowcave.warehouse.service_functions import liftable, selected


def probes(statement: Expr) -> dict[str, exp.Select]:
    """By name, of terms that may be aliases: a query that can be run where FROM has such a column."""
    select = selected.outermost(statement)
    if select is None or select.args.get("from_") is None:
        return {}
    asked: dict[str, exp.Select] = {}
    for term in _terms(select):
        if selected.name_of(term) in _positions(select):
            rows = liftable.source(statement)
            rows.set("expressions", [term.copy()])
            asked[selected.name_of(term)] = rows
    return asked


def number(statement: Expr, aliases: Collection[str]) -> None:
    """Each of these terms becomes the position of its item."""
    select = selected.outermost(statement)
    if select is None:
        return
    positions = _positions(select)
    for term in _terms(select):
        if (name := selected.name_of(term)) in aliases:
            term.replace(exp.Literal.number(positions[name]))


def _terms(select: exp.Select) -> list[exp.Column]:
    group = select.args.get("group")
    terms = group.expressions if group is not None else []
    return [term for term in terms if isinstance(term, exp.Column) and not term.table]


def _positions(select: exp.Select) -> dict[str, int]:
    """From 1 on, of items with an alias of their own. After a star nobody knows any."""
    items = select.expressions
    if any(selected.is_star(item) for item in items):
        return {}
    names = Counter(selected.name_of(item) for item in items)
    return {
        selected.name_of(item): position
        for position, item in enumerate(items, 1)
        if isinstance(item, exp.Alias) and names[selected.name_of(item)] == 1
    }
