"""Service functions in a statement: where they are called, and how the statement is taken apart. Pure.

Calls in the select list of the outermost query are taken out: `inner` gives their arguments and whatever
else of a row is needed; when the answers have come, `outer` puts the rows together from a relation. Calls
anywhere else become calls of an Arrow function that DuckDB runs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported, ValueInvalid
from snowcave.model.names import fold
from snowcave.v1 import warehouse_pb2 as pb

RELATION = "_SC_CALLED"
_PART = re.compile(r'"(?:[^"]|"")*"|[^.]+')
_SEMI_STRUCTURED = {"VARIANT", "OBJECT", "ARRAY", "MAP"}
# Their branches are evaluated for some rows only, and a service must not see the others.
_CONDITIONAL = (exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.And, exp.Or)


@dataclass(frozen=True)
class Found:
    """One call. `node` is the whole of it, with the schema before the name."""

    node: Expr
    arguments: list[Expr]
    function: pb.FunctionBinding


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
    order: exp.Order | None = None
    limit: Expr | None = None
    offset: Expr | None = None


def find(statement: Expr, functions: Sequence[pb.FunctionBinding]) -> list[Found]:
    """Calls of the given functions, inner ones before those that they stand in."""
    known = {spelling: f for f in functions for spelling in _spellings(f)}
    names = {spelling[-1] for spelling in known}
    found: list[Found] = []
    for node in statement.find_all(exp.Anonymous):
        if _folded(node) not in names:
            continue
        whole, path = _path(node)
        candidates = [f for f in functions if path in _spellings(f) and _fits(f, node.expressions)]
        if candidates:
            found.append(Found(whole, list(node.expressions), candidates[0]))
        elif path in known:
            raise ValueInvalid(
                "SQL compilation error:\nInvalid argument types for function "
                f"'{'.'.join(path)}': it takes {len(known[path].argument_types)} argument(s)."
            )
    return found[::-1]


def refuse_views(statement: Expr, found: Sequence[Found]) -> None:
    if found and isinstance(statement, exp.Create) and str(statement.args["kind"]) != "TABLE":
        raise Unsupported(f"service function in CREATE {statement.args['kind']}")


def _fits(function: pb.FunctionBinding, arguments: Sequence[Expr]) -> bool:
    return len(function.argument_types) == len(arguments)


def _spellings(function: pb.FunctionBinding) -> set[tuple[str, ...]]:
    given = {tuple(fold(part) for part in _PART.findall(text)) for text in function.spellings}
    return given | {(function.database, function.schema, function.name)}


def _folded(node: exp.Anonymous) -> str:
    this = node.this
    if isinstance(this, exp.Identifier):
        return this.name if this.quoted else this.name.upper()
    return str(this).upper()


def _path(node: exp.Anonymous) -> tuple[Expr, tuple[str, ...]]:
    """The call with what stands before its name, and the folded parts of that name."""
    whole: Expr = node
    parts = [_folded(node)]
    while isinstance(whole.parent, exp.Dot) and whole.parent.expression is whole:
        whole = whole.parent
        left = whole.this
        identifiers = list(left.find_all(exp.Identifier, bfs=False))
        parts[:0] = [i.name if i.quoted else i.name.upper() for i in identifiers]
    return whole, tuple(parts)


# ---------------------------------------------------------------- the wire's forms, in SQL


def wire_form(argument: Expr, declared: str) -> Expr:
    """The argument cast to its declared type and written as the text that goes over the wire."""
    base = _base(declared)
    if base in _SEMI_STRUCTURED:
        return _text(exp.Anonymous(this="TO_JSON", expressions=[argument.copy()]))
    typed = exp.cast(argument.copy(), declared, dialect="snowflake")
    if base in {"BINARY", "VARBINARY"}:
        return exp.Hex(this=typed)
    return typed if base in _TEXTS else _text(typed)


def is_json(declared: str) -> bool:
    """Whether the text of `wire_form` is JSON already."""
    base = _base(declared)
    return base in _SEMI_STRUCTURED or base in _NUMBERS or base == "BOOLEAN"


def from_wire(answer: Expr, returns: str) -> Expr:
    """An answer's text as what the function returns."""
    base = _base(returns)
    if base in _SEMI_STRUCTURED:
        return exp.ParseJSON(this=answer)
    if base in {"BINARY", "VARBINARY"}:
        return exp.Anonymous(this="UNHEX", expressions=[answer])
    return exp.cast(answer, returns, dialect="snowflake")


_TEXTS = {"VARCHAR", "STRING", "TEXT", "CHAR", "CHARACTER"}
_NUMBERS = {
    *(
        "NUMBER",
        "DECIMAL",
        "NUMERIC",
        "INT",
        "INTEGER",
        "BIGINT",
        "SMALLINT",
        "TINYINT",
        "BYTEINT",
    ),
    *("FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "REAL"),
}


def _base(declared: str) -> str:
    return declared.split("(")[0].split()[0].upper()


def _text(value: Expr) -> Expr:
    return exp.cast(value, "TEXT")


# ---------------------------------------------------------------- taking calls out of the select list


def take(statement: Expr, found: Sequence[Found]) -> Taken | None:
    """Take the innermost calls out of the outermost select list; None where that is not the same thing."""
    select = _outermost(statement)
    if select is None or not _is_plain(select):
        return None
    ready = [call for call in found if not any(_inside(o.node, call.node) for o in found)]
    mine = [call for call in ready if _is_item_of(call.node, select)]
    if not mine or not _is_free_of_aliases(select):
        return None
    return _Taking(statement, select, mine).taken()


def rebuild(taken: Taken, columns: Sequence[str]) -> Expr:
    """The statement over RELATION, which has `columns` and one `_SC_R<n>` for each call."""
    hidden = taken.arguments
    own = [name for name in columns if name not in hidden and not name.startswith("_SC_")]
    items: list[Expr] = []
    for item in taken.items:
        if item is None:
            items += [exp.column(exp.to_identifier(name, quoted=True)) for name in own]
        else:
            items.append(item)
    outer = exp.Select(expressions=items).from_(temporary(RELATION))
    for key, value in (("order", taken.order), ("limit", taken.limit), ("offset", taken.offset)):
        if value is not None:
            outer.set(key, value)
    if taken.select is taken.statement:
        return outer
    taken.select.replace(outer)
    return taken.statement


def temporary(name: str) -> exp.Table:
    """A relation of this session, whatever its current schema is."""
    return exp.table_(name, db="MAIN", catalog="TEMP")


class _Taking:
    """Builds `Taken`."""

    def __init__(self, statement: Expr, select: exp.Select, calls: Sequence[Found]) -> None:
        self._statement = statement
        self._select = select
        self._calls = calls
        self._projected: list[Expr] = []
        self._carried: dict[str, str] = {}
        self._arguments: list[str] = []

    def taken(self) -> Taken | None:
        answers: dict[int, Expr] = {}
        calls: list[tuple[pb.FunctionBinding, list[str]]] = []
        for number, call in enumerate(self._calls):
            calls.append((call.function, self._project_arguments(number, call)))
            answer = exp.column(f"_SC_R{number}")
            answers[id(call.node)] = from_wire(answer, call.function.returns)
        marks = set(answers)
        asked = [any(id(n) in marks for n in item.walk()) for item in self._select.expressions]
        sorting = self._sorting(asked)
        if sorting is None:
            return None
        inner_order, order = sorting
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
            order=order,
            limit=None if order is None else self._select.args.get("limit"),
            offset=None if order is None else self._select.args.get("offset"),
        )

    def _project_arguments(self, number: int, call: Found) -> list[str]:
        names: list[str] = []
        pairs = zip(call.arguments, call.function.argument_types, strict=True)
        for position, (argument, declared) in enumerate(pairs):
            names.append(self._add(f"_SC_A{number}_{position}", wire_form(argument, declared)))
        if not names:  # a column that only counts the rows
            names.append(self._add(f"_SC_A{number}_0", _text(exp.Null())))
        self._arguments += names
        return names

    def _add(self, name: str, value: Expr) -> str:
        self._projected.append(exp.alias_(value, name))
        return name

    def _outer_item(self, number: int, item: Expr, answers: dict[int, Expr] | None) -> Expr | None:
        if _is_star(item):
            self._projected.append(item.copy())
            return None
        if answers is None:
            name = self._add(f"_SC_I{number}", item.unalias().copy())
            return exp.alias_(exp.column(name), exp.to_identifier(_name_of(item), quoted=True))
        named = item if isinstance(item, exp.Alias) else _aliased(item)
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

    def _sorting(self, asked: list[bool]) -> tuple[exp.Order | None, exp.Order | None] | None:
        """(order of inner, order of outer); None where it cannot be told."""
        order = self._select.args.get("order")
        if order is None:
            return None, None
        items = self._select.expressions
        names = {_name_of(item): n for n, item in enumerate(items) if not _is_star(item)}
        positions = [_position(term.this, names, len(items)) for term in order.expressions]
        has_star = any(_is_star(item) for item in items)
        if has_star and any(isinstance(t.this, exp.Literal) for t in order.expressions):
            return None
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
                name = _name_of(self._select.expressions[position])
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


def _outermost(statement: Expr) -> exp.Select | None:
    if isinstance(statement, exp.Select):
        return statement
    if isinstance(statement, (exp.Insert, exp.Create)):
        source = statement.expression
        return source if isinstance(source, exp.Select) else None
    return None


def _is_plain(select: exp.Select) -> bool:
    """Whether each row of FROM and WHERE gives one row of the result."""
    if any(select.args.get(key) for key in ("group", "having", "qualify", "distinct", "windows")):
        return False
    stars = [item for item in select.expressions if _is_star(item)]
    if len(stars) > 1 or any(item.args.get("except_") for item in stars):
        return False
    for item in select.expressions:
        if isinstance(item, exp.Aliases):
            return False
        for node in item.find_all(exp.AggFunc, exp.Window):
            if node.find_ancestor(exp.Select) is select:
                return False
    return True


def _is_item_of(call: Expr, select: exp.Select) -> bool:
    node = call
    while node.parent is not None and node.parent is not select:
        node = node.parent
        if isinstance(node, (exp.Query, exp.Lambda, *_CONDITIONAL)):
            return False
    if node.parent is not select or node not in select.expressions:
        return False
    return node.arg_key == "expressions" and node.find(exp.Query) is None


def _is_free_of_aliases(select: exp.Select) -> bool:
    """No argument may mean another item by its alias: the items are not there when arguments are made."""
    aliases = {item.alias.upper() for item in select.expressions if isinstance(item, exp.Alias)}
    used = [c for item in select.expressions for c in item.find_all(exp.Column)]
    named = {_column_name(item) for item in select.expressions if isinstance(item, exp.Column)}
    clashing = {c.name.upper() for c in used if not c.table} & aliases
    return not (clashing - named)


def _column_name(column: exp.Column) -> str:
    return column.name.upper()


def _inside(inner: Expr, outer: Expr) -> bool:
    node = inner.parent
    while node is not None:
        if node is outer:
            return True
        node = node.parent
    return False


def _is_star(item: Expr) -> bool:
    return isinstance(item, exp.Star) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def _name_of(item: Expr) -> str:
    if isinstance(item, exp.Alias):
        alias = item.args["alias"]
        return alias.name if alias.args.get("quoted") else alias.name.upper()
    if isinstance(item, exp.Column):
        return item.name if item.this.quoted else item.name.upper()
    return item.sql(dialect="snowflake").upper()


def _aliased(item: Expr) -> Expr:
    """The same nodes under an alias; they are told apart by identity."""
    name = exp.to_identifier(_name_of(item), quoted=True)
    return exp.Alias(this=item, alias=name)


def _position(term: Expr, names: dict[str, int], items: int) -> int | None:
    """Which item an ORDER BY term means, if any."""
    if isinstance(term, exp.Literal) and not term.is_string:
        number = int(term.name) - 1
        return number if 0 <= number < items else None
    if isinstance(term, exp.Column) and not term.table:
        return names.get(_name_of(term))
    return names.get(term.sql(dialect="snowflake").upper())


# ---------------------------------------------------------------- calls that DuckDB makes


def replace_by_function(call: Found, name: str) -> None:
    """The call becomes one of the Arrow function `name`, which takes and gives texts."""
    pairs = zip(call.arguments, call.function.argument_types, strict=True)
    arguments = [_text(wire_form(argument, declared)) for argument, declared in pairs]
    mangled = exp.Anonymous(this=name, expressions=arguments or [exp.Literal.string("")])
    call.node.replace(from_wire(mangled, call.function.returns))


def replace_by_null(call: Found) -> None:
    """For DESCRIBE: the type is what counts."""
    call.node.replace(from_wire(exp.cast(exp.Null(), "TEXT"), call.function.returns))
