"""Service functions in a statement: where they are called, and what a call becomes for DuckDB. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, RemoteError, Unsupported
from snowcave.model.names import fold
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.service_functions.wire import from_wire, text, wire_form

# In the tree: which function a call means.
_MEANS = "service_function"
_PART = re.compile(r'"(?:[^"]|"")*"|[^.]+')


@dataclass(frozen=True)
class Found:
    """One call. `node` is the whole of it, with the schema before the name."""

    node: Expr
    arguments: list[Expr]
    # Those that it may mean, the first of which is taken; where there are several, see `overloads`.
    candidates: Sequence[pb.FunctionBinding]

    @property
    def function(self) -> pb.FunctionBinding:
        return self.candidates[0]


def find(statement: Expr, functions: Sequence[pb.FunctionBinding]) -> list[Found]:
    """Calls of the given functions, inner ones before those that they stand in."""
    known = {spelling for f in functions for spelling in _spellings(f)}
    names = {spelling[-1] for spelling in known}
    found: list[Found] = []
    for node in statement.find_all(exp.Anonymous):
        if _folded(node) not in names:
            continue
        whole, path = _path(node)
        if path in known and any(isinstance(one, exp.Kwarg) for one in node.expressions):
            raise Unsupported(f"named arguments of service function '{'.'.join(path)}'")
        candidates = [f for f in functions if path in _spellings(f) and _fits(f, node.expressions)]
        if candidates:
            meant = [f for f in candidates if f.function == whole.meta.get(_MEANS)]
            found.append(Found(whole, list(node.expressions), meant or candidates))
        elif path in known:
            takes = sorted({len(f.argument_types) for f in functions if path in _spellings(f)})
            raise RemoteError(
                Kind.INVALID,
                1044,
                "42P13",
                f"SQL compilation error:\nInvalid argument types for function '{'.'.join(path)}': "
                f"it takes {' or '.join(map(str, takes))} argument{'' if takes == [1] else 's'}, "
                f"not {len(node.expressions)}",
            )
    return found[::-1]


def settle(call: Found, function: pb.FunctionBinding) -> None:
    """It means this one, also in copies of its statement."""
    call.node.meta[_MEANS] = function.function


def refuse_definitions(statement: Expr, found: Sequence[Found]) -> None:
    """A view or a column's default would outlive the grant of the call. Raises Unsupported."""
    if not found or not isinstance(statement, (exp.Create, exp.Alter)):
        return
    kind = str(statement.args["kind"])
    if isinstance(statement, exp.Alter):
        raise Unsupported(f"service function in ALTER {kind}")
    if kind != "TABLE" or not isinstance(statement.expression, exp.Query):
        raise Unsupported(f"service function in CREATE {kind}")


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


def replace_by_function(call: Found, name: str) -> None:
    """The call becomes one of the Arrow function `name`, which takes and gives texts."""
    pairs = zip(call.arguments, call.function.argument_types, strict=True)
    arguments = [text(wire_form(argument, declared)) for argument, declared in pairs]
    mangled = exp.Anonymous(this=name, expressions=arguments or [exp.Literal.string("")])
    call.node.replace(from_wire(mangled, call.function.returns))


def replace_by_null(call: Found) -> None:
    """For DESCRIBE: the type is what counts."""
    call.node.replace(from_wire(exp.cast(exp.Null(), "TEXT"), call.function.returns))
