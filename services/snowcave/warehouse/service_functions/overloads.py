"""Which of several service functions of one name and number of arguments a call means. Pure.

As documented, a function whose types are those of the arguments goes before one that they are coerced to.
The documents name no order among coercions: here the fewest win, then those to the nearest types. A call
for which two functions are equally near, or none is near enough, is refused.

DuckDB knows the types of arguments, wherever a call stands, and tells them when it is asked to bind a call
that cannot be: `probe` makes such a query of a statement. It is planned and never run.
"""

import re
from collections.abc import Iterator, Sequence

import orjson
from sqlglot import Expr, exp

from snowcave.model.errors import Kind, RemoteError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.service_functions import calls
from snowcave.warehouse.service_functions.calls import Found

# A function of DuckDB's that takes no arguments at all.
_TAKES_NONE = "PI"
# One that takes any.
_TAKES_ANY = "CONCAT"
# In the tree: the call that is asked about.
_PROBED = "probed"

_NUMBER, _FLOAT, _TEXT, _BOOLEAN = "NUMBER", "FLOAT", "VARCHAR", "BOOLEAN"
_TIMES = ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ")
_NULL = "NULL"
# What a type is coerced to, the nearest first.
_NEAR: dict[str, tuple[str, ...]] = {
    _NUMBER: (_FLOAT, _TEXT, "VARIANT", _BOOLEAN),
    _FLOAT: (_NUMBER, _TEXT, "VARIANT", _BOOLEAN),
    _BOOLEAN: (_TEXT, "VARIANT"),
    _TEXT: (_NUMBER, _FLOAT, _BOOLEAN, "DATE", "TIME", *_TIMES, "VARIANT"),
    "DATE": (*_TIMES, _TEXT, "VARIANT"),
    "TIME": (_TEXT, "VARIANT"),
    **{
        one: (*(o for o in _TIMES if o != one), "DATE", "TIME", _TEXT, "VARIANT") for one in _TIMES
    },
    "VARIANT": ("OBJECT", "ARRAY", _TEXT, _NUMBER, _FLOAT, _BOOLEAN, "DATE", "TIME", *_TIMES),
    "OBJECT": ("VARIANT",),
    "ARRAY": ("VARIANT",),
    "BINARY": (),
    _NULL: (
        _TEXT,
        _NUMBER,
        _FLOAT,
        _BOOLEAN,
        "DATE",
        "TIME",
        *_TIMES,
        "VARIANT",
        "OBJECT",
        "ARRAY",
        "BINARY",
    ),
}
_DUCK = {
    **dict.fromkeys(("FLOAT", "DOUBLE"), _FLOAT),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"), _TIMES[0]),
    "TIMESTAMP WITH TIME ZONE": _TIMES[1],
    "BOOLEAN": _BOOLEAN,
    "DATE": "DATE",
    "TIME": "TIME",
    "BLOB": "BINARY",
    "JSON": "VARIANT",
    '"NULL"': _NULL,
}
_INTEGER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?(_LITERAL)?|DECIMAL\(.*\)")
# DuckDB keeps these as other types; a cast says which was meant.
_CAST = {
    exp.DataType.Type.ARRAY: "ARRAY",
    exp.DataType.Type.LIST: "ARRAY",
    exp.DataType.Type.OBJECT: "OBJECT",
    exp.DataType.Type.TIMESTAMPTZ: "TIMESTAMP_TZ",
}


def unsettled(statement: Expr, functions: Sequence[pb.FunctionBinding]) -> list[Found]:
    """Calls that may mean several functions, each before those that it stands in."""
    return [call for call in calls.find(statement, functions) if len(call.candidates) > 1]


def are_known(call: Found, types: Sequence[str] | None) -> bool:
    """Whether no argument may have its type of a call that is not settled yet, which is NULL meanwhile."""
    if types is None:
        return False
    pairs = zip(call.arguments, types, strict=True)
    return all(kind != _NULL or isinstance(argument, exp.Null) for argument, kind in pairs)


def settle(call: Found, types: Sequence[str] | None) -> None:
    """The call means one function from here on, also in copies of the statement. Raises RemoteError.

    Where types are not known, it is the one declared first.
    """
    calls.settle(call, call.candidates[0] if types is None else _chosen(call, types))


def _chosen(call: Found, types: Sequence[str]) -> pb.FunctionBinding:
    distances = [(_distance(types, one), one) for one in call.candidates]
    near = [(distance, one) for distance, one in distances if distance is not None]
    if near:
        least = min(distance for distance, _ in near)
        best = [one for distance, one in near if distance == least]
        if len(best) == 1:
            return best[0]
    raise RemoteError(
        Kind.INVALID,
        1044,
        "42P13",
        f"SQL compilation error:\nInvalid argument types for function '{call.candidates[0].name}': "
        f"({', '.join(types)})",
    )


def _distance(types: Sequence[str], function: pb.FunctionBinding) -> tuple[int, int] | None:
    """How many arguments are coerced, and how far; None where one cannot be."""
    steps: list[int] = []
    for kind, declared in zip(types, function.argument_types, strict=True):
        wanted = declared.partition("(")[0]
        if kind == wanted:
            steps.append(0)
        elif wanted in (near := _NEAR.get(kind, ())):
            steps.append(1 + near.index(wanted))
        else:
            return None
    return sum(step > 0 for step in steps), sum(steps)


def probe(
    statement: Expr, call: Found, functions: Sequence[pb.FunctionBinding]
) -> exp.Query | None:
    """A query that DuckDB refuses for the types of the call's arguments; None where none is known."""
    call.node.meta[_PROBED] = True
    copy = statement.copy()
    del call.node.meta[_PROBED]
    probed = next(node for node in copy.walk() if _PROBED in node.meta)
    found = calls.find(copy, functions)
    around = [id(one.node) for one in found if any(outer is one.node for outer in _around(probed))]
    for one in found:
        if one.node is not probed and id(one.node) not in around:
            if len(one.candidates) > 1:
                one.node.replace(exp.Null())
            else:
                calls.replace_by_null(one)
            continue
        name = _TAKES_NONE if one.node is probed else _TAKES_ANY
        arguments = list(_called(one.node).expressions)
        one.node.replace(exp.Anonymous(this=name, expressions=arguments))
    for placeholder in list(copy.find_all(exp.Placeholder)):
        placeholder.replace(exp.Null())
    return _as_query(copy)


def _called(whole: Expr) -> Expr:
    """The call without what stands before its name."""
    while isinstance(whole, exp.Dot):
        whole = whole.expression
    return whole


def types_told(said: str, call: Found) -> list[str] | None:
    """Snowflake's types of the call's arguments, of DuckDB's answer to its probe; None where it says none."""
    answer = orjson.loads(said)
    name, _, rest = str(answer.get("call") or "").partition("(")
    if name.upper() != _TAKES_NONE:
        return None
    types = _parts(rest.removesuffix(")"))
    pairs = zip(call.arguments, types, strict=True)
    return [_meant(argument) or _snowflake(kind) for argument, kind in pairs]


def _as_query(statement: Expr) -> exp.Query | None:
    """A query that binds what the statement does; of changes to a table, over the tables that they read."""
    if isinstance(statement, exp.Query):
        return statement
    if isinstance(statement, (exp.Create, exp.Insert)):
        inner = statement.expression
        return inner if isinstance(inner, exp.Query) else None
    if not isinstance(statement, (exp.Update, exp.Delete, exp.Merge)):
        return None
    sources = [statement.this, *_sources(statement)]
    wanted = next(node for node in statement.find_all(exp.Anonymous) if node.name == _TAKES_NONE)
    select = exp.Select(expressions=[_whole(wanted)]).from_(sources[0])
    for source in sources[1:]:
        select = select.join(source, join_type="cross")
    return select


def _sources(statement: Expr) -> list[Expr]:
    """What stands in FROM or USING."""
    given = statement.args.get("from_") or statement.args.get("using")
    if isinstance(given, exp.From):
        return [given.this]
    return given if isinstance(given, list) else [given] if given else []


def _whole(call: Expr) -> Expr:
    """The call as an item of a select list, with all the queries that it stands in."""
    queries = [query for query in _around(call) if isinstance(query, exp.Query)]
    return exp.Exists(this=queries[-1].unnest()) if queries else call


def _around(node: Expr) -> Iterator[Expr]:
    while node.parent is not None:
        node = node.parent
        yield node


def _parts(types: str) -> list[str]:
    """`A, B(1,2)` at its commas outside of parentheses and quotes."""
    parts, depth, quoted, start = list[str](), 0, False, 0
    for at, sign in enumerate(types):
        quoted ^= sign == '"'
        depth += (sign == "(") - (sign == ")") if not quoted else 0
        if sign == "," and not depth and not quoted:
            parts.append(types[start:at].strip())
            start = at + 1
    return [*parts, types[start:].strip()]


def _meant(argument: Expr) -> str | None:
    """The type of a cast, where DuckDB knows less of it."""
    plain = argument.unnest()
    if isinstance(plain, (exp.Cast, exp.TryCast)):
        return _CAST.get(plain.to.this)
    return "ARRAY" if isinstance(plain, exp.Array) else None


def _snowflake(kind: str) -> str:
    if _INTEGER.fullmatch(kind):
        return _NUMBER
    if kind.endswith("]"):
        return "ARRAY"
    return "OBJECT" if kind.startswith(("STRUCT(", "MAP(")) else _DUCK.get(kind, _TEXT)
