"""A statement that loses the calls of one round of `lifting`, and gets their answers instead. Pure.

Its inner query has FROM and the conditions without calls; everything else of it stands over the answers.
"""

from collections.abc import Sequence

from sqlglot import Expr, exp

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.service_functions import liftable, lifting, selected
from snowcave.warehouse.service_functions.calls import Found
from snowcave.warehouse.service_functions.taking import Taken
from snowcave.warehouse.service_functions.wire import from_wire, text, wire_form


def lift(statement: Expr, found: Sequence[Found]) -> Taken:
    """Of a statement whose route is LIFTED."""
    select, chosen = selected.outermost(statement), lifting.next_round(statement, found)
    assert select is not None
    assert chosen is not None
    return _Lifting(statement, select, chosen).taken()


class _Lifting:
    def __init__(self, statement: Expr, select: exp.Select, chosen: lifting.Round) -> None:
        self._statement = statement
        self._select = select
        self._round = chosen
        self._projected: list[Expr] = []
        self._carried: dict[str, str] = {}
        self._answers: dict[int, Expr] = {}

    def taken(self) -> Taken:
        select = self._select
        whole = select.copy()
        calls = [self._call(number, same) for number, same in enumerate(self._round.shared)]
        arguments = [name for _, names in calls for name in names]
        # Names and columns are looked up in what the client wrote, so nothing is changed before.
        aliases = [liftable.is_alias(term.this, select) for term in liftable.terms(select)]
        spelled = {id(c): liftable.key(c) for c in select.find_all(exp.Column)}
        items = [self._item(item, spelled) for item in select.expressions]
        clauses: dict[str, Expr] = {}
        for name in liftable.OUTER:
            if isinstance(value := select.args.get(name), Expr):
                clauses[name] = (
                    value if name in ("order", "distinct") else self._over(value, spelled)
                )
        for term, is_alias in zip(liftable.terms(select), aliases, strict=True):
            value = _quoted(term.this) if is_alias else self._over(term.this, spelled)
            term.set("this", value)
        if self._round.after:
            after = [self._over(condition, spelled) for condition in self._round.after]
            clauses["where"] = exp.Where(this=exp.and_(*after, copy=False))
        return Taken(
            statement=self._statement,
            select=select,
            inner=self._inner(whole),
            calls=calls,
            arguments=frozenset(arguments),
            items=items,
            clauses=clauses,
        )

    def _call(self, number: int, same: Sequence[Found]) -> tuple[pb.FunctionBinding, list[str]]:
        for call in same:
            answer = exp.column(f"_SC_R{number}")
            self._answers[id(call.node)] = from_wire(answer, call.function.returns)
        function = same[0].function
        pairs = zip(same[0].arguments, function.argument_types, strict=True)
        values = [wire_form(argument.copy(), declared) for argument, declared in pairs]
        names: list[str] = []
        for position, value in enumerate(values or [text(exp.Null())]):
            names.append(self._project(f"_SC_A{number}_{position}", value))
        return function, names

    def _project(self, name: str, value: Expr) -> str:
        self._projected.append(exp.alias_(value, name))
        return name

    def _item(self, item: Expr, spelled: dict[int, str]) -> Expr | None:
        if selected.is_star(item):
            self._projected.append(item.copy())
            return None
        name = exp.to_identifier(selected.name_of(item), quoted=True)
        return exp.Alias(this=self._over(item.unalias(), spelled), alias=name)

    def _over(self, node: Expr, spelled: dict[int, str]) -> Expr:
        """The expression with answers for calls and carried columns for columns."""
        if (answer := self._answers.get(id(node))) is not None:
            return answer
        if isinstance(node, exp.Column):
            return exp.column(self._carry(node, spelled[id(node)]))
        for name, value in list(node.args.items()):
            if isinstance(value, Expr):
                node.set(name, self._over(value, spelled))
            elif isinstance(value, list):
                node.set(
                    name, [self._over(v, spelled) if isinstance(v, Expr) else v for v in value]
                )
        return node

    def _carry(self, column: exp.Column, key: str) -> str:
        if key not in self._carried:
            name = f"_SC_C{len(self._carried)}"
            self._carried[key] = self._project(name, column.copy())
        return self._carried[key]

    def _inner(self, whole: exp.Select) -> exp.Select:
        whole.set("expressions", self._projected)
        for name in liftable.OUTER:
            whole.set(name, None)
        before = [condition.copy() for condition in self._round.before]
        whole.set("where", exp.Where(this=exp.and_(*before)) if before else None)
        return whole


def _quoted(term: Expr) -> Expr:
    return exp.column(exp.to_identifier(selected.name_of(term), quoted=True))
