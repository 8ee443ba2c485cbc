"""A statement that loses the calls of its outermost select list, and gets their answers instead. Pure.

`inner` gives the calls' arguments and whatever else of a row is needed; when the answers have come, `rebuild`
puts the rows together from a relation. `routes.decide` says for which statements this is the same thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import Expr, exp

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.service_functions import selected
from snowcave.warehouse.service_functions.calls import Found
from snowcave.warehouse.service_functions.wire import from_wire, text, wire_form

# Database and schema of relations that hold for one statement.
SCHEMA = ("TEMP", "MAIN")
_RELATION = "_SC_CALLED_"


@dataclass(frozen=True)
class Taken:
    """A statement whose select list lost its calls."""

    statement: Expr
    select: exp.Select
    inner: exp.Select
    # For each call: its function, and the columns of `inner` that hold its arguments.
    calls: list[tuple[pb.FunctionBinding, list[str]]]
    # Columns of `inner` that are arguments only.
    arguments: frozenset[str]
    # Outer items in order; None stands for the star's columns.
    items: list[Expr | None] = field(default_factory=list[Expr | None])
    # What follows the items and FROM in the outer query.
    clauses: dict[str, Expr] = field(default_factory=dict[str, Expr])


def take(statement: Expr, found: Sequence[Found]) -> Taken:
    """Take out the innermost calls of a statement whose route is AHEAD; those around them are next."""
    select = selected.outermost(statement)
    assert select is not None
    ready = [call for call in found if not any(_is_inside(o.node, call.node) for o in found)]
    return _Taking(statement, select, ready).taken()


def relation(number: int) -> str:
    """The name of the relation that a statement's calls are answered in, which may have several."""
    return f"{_RELATION}{number}"


def is_left(name: str, statement: Expr) -> bool:
    """Whether a relation has answers that the statement has no use for any more."""
    return name.startswith(_RELATION) and all(
        t.name != name for t in statement.find_all(exp.Table)
    )


def rebuild(taken: Taken, columns: Sequence[str], relation: str) -> Expr:
    """The statement over the relation, which has `columns` and one `_SC_R<n>` for each call."""
    hidden = taken.arguments
    own = [name for name in columns if name not in hidden and not name.startswith("_SC_")]
    items: list[Expr] = []
    for item in taken.items:
        if item is None:
            items += [exp.column(exp.to_identifier(name, quoted=True)) for name in own]
        else:
            items.append(item)
    outer = exp.Select(expressions=items).from_(temporary(relation))
    for key, value in taken.clauses.items():
        outer.set(key, value)
    if taken.select is taken.statement:
        return outer
    taken.select.replace(outer)
    return taken.statement


def temporary(name: str) -> exp.Table:
    """A relation of this session, whatever its current schema is."""
    return exp.table_(name, db=SCHEMA[1], catalog=SCHEMA[0])


class _Taking:
    """Builds `Taken`."""

    def __init__(self, statement: Expr, select: exp.Select, calls: Sequence[Found]) -> None:
        self._statement = statement
        self._select = select
        self._calls = calls
        self._projected: list[Expr] = []
        self._carried: dict[str, str] = {}
        self._arguments: list[str] = []

    def taken(self) -> Taken:
        answers: dict[int, Expr] = {}
        calls: list[tuple[pb.FunctionBinding, list[str]]] = []
        for number, call in enumerate(self._calls):
            calls.append((call.function, self._project_arguments(number, call)))
            answer = exp.column(f"_SC_R{number}")
            answers[id(call.node)] = from_wire(answer, call.function.returns)
        marks = set(answers)
        asked = [any(id(n) in marks for n in item.walk()) for item in self._select.expressions]
        inner_order, order = self._sorting(asked)
        items = [
            self._outer_item(number, item, answers if has else None)
            for number, (item, has) in enumerate(zip(self._select.expressions, asked, strict=True))
        ]
        inner = self._inner(inner_order, keep_limit=order is None)
        return Taken(
            statement=self._statement,
            select=self._select,
            inner=inner,
            calls=calls,
            arguments=frozenset(self._arguments),
            items=items,
            clauses={} if order is None else self._later(order),
        )

    def _later(self, order: exp.Order) -> dict[str, Expr]:
        later: dict[str, Expr] = {"order": order}
        for key in ("limit", "offset"):
            if (value := self._select.args.get(key)) is not None:
                later[key] = value
        return later

    def _project_arguments(self, number: int, call: Found) -> list[str]:
        names: list[str] = []
        pairs = zip(call.arguments, call.function.argument_types, strict=True)
        for position, (argument, declared) in enumerate(pairs):
            names.append(self._add(f"_SC_A{number}_{position}", wire_form(argument, declared)))
        if not names:  # a column that only counts the rows
            names.append(self._add(f"_SC_A{number}_0", text(exp.Null())))
        self._arguments += names
        return names

    def _add(self, name: str, value: Expr) -> str:
        self._projected.append(exp.alias_(value, name))
        return name

    def _outer_item(self, number: int, item: Expr, answers: dict[int, Expr] | None) -> Expr | None:
        if selected.is_star(item):
            self._projected.append(item.copy())
            return None
        if answers is None:
            name = self._add(f"_SC_I{number}", item.unalias().copy())
            return exp.alias_(
                exp.column(name), exp.to_identifier(selected.name_of(item), quoted=True)
            )
        named = item if isinstance(item, exp.Alias) else selected.aliased(item)
        return self._substituted(named, answers)

    def _substituted(self, node: Expr, answers: dict[int, Expr]) -> Expr:
        """The item with answers for calls and carried columns for columns."""
        if (answer := answers.get(id(node))) is not None:
            return answer
        if isinstance(node, exp.Column):
            key = node.sql(dialect="snowflake")
            if key not in self._carried:
                name = f"_SC_C{len(self._carried)}"
                self._carried[key] = self._add(name, node.copy())
            return exp.column(self._carried[key])
        for key, value in list(node.args.items()):
            if isinstance(value, Expr):
                node.set(key, self._substituted(value, answers))
            elif isinstance(value, list):
                node.set(
                    key,
                    [self._substituted(v, answers) if isinstance(v, Expr) else v for v in value],
                )
        return node

    def _sorting(self, asked: list[bool]) -> tuple[exp.Order | None, exp.Order | None]:
        """(order of inner, order of outer)."""
        order = self._select.args.get("order")
        if order is None:
            return None, None
        items = self._select.expressions
        names = {
            selected.name_of(item): n for n, item in enumerate(items) if not selected.is_star(item)
        }
        positions = [selected.position(term.this, names, len(items)) for term in order.expressions]
        if not any(p is not None and asked[p] for p in positions):
            return self._inner_order(order, positions), None
        return None, self._outer_order(order, positions, asked)

    def _inner_order(self, order: exp.Order, positions: list[int | None]) -> exp.Order:
        terms: list[Expr] = []
        for term, position in zip(order.expressions, positions, strict=True):
            moved = term.copy()
            if position is not None:
                moved.set("this", self._select.expressions[position].unalias().copy())
            terms.append(moved)
        return exp.Order(expressions=terms)

    def _outer_order(
        self, order: exp.Order, positions: list[int | None], asked: list[bool]
    ) -> exp.Order:
        terms: list[Expr] = []
        for number, (term, position) in enumerate(zip(order.expressions, positions, strict=True)):
            moved = term.copy()
            if position is not None and asked[position]:
                name = selected.name_of(self._select.expressions[position])
                moved.set("this", exp.column(exp.to_identifier(name, quoted=True)))
            else:
                source = self._select.expressions[position] if position is not None else term.this
                name = self._add(f"_SC_O{number}", source.unalias().copy())
                moved.set("this", exp.column(name))
            terms.append(moved)
        return exp.Order(expressions=terms)

    def _inner(self, order: exp.Order | None, *, keep_limit: bool) -> exp.Select:
        inner = self._select.copy()
        inner.set("expressions", self._projected)
        inner.set("order", order)
        if not keep_limit:
            inner.set("limit", None)
            inner.set("offset", None)
        return inner


def _is_inside(inner: Expr, outer: Expr) -> bool:
    node = inner.parent
    while node is not None:
        if node is outer:
            return True
        node = node.parent
    return False
