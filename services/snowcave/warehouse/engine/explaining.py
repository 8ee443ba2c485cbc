"""EXPLAIN: DuckDB's plan of a statement, in the forms of Snowflake's.

Nothing is run and no service is called.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa
from sqlglot import Expr, exp
from sqlglot.expressions.core import Expression

from snowcave.model.errors import SyntaxInvalid, Unsupported
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import ArrowFunction
from snowcave.warehouse.rewrite import parse
from snowcave.warehouse.service_functions import selected

_USING = re.compile(r"\s*USING\s+(\w+)\s+", re.IGNORECASE)
_FORMS = ("TABULAR", "JSON", "TEXT")
# What is planned as it is run; CREATE is looked at more closely.
_PLANNED = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Create)
# What the plan tells of an operation in the user's words; files and estimates are left out.
_TOLD = (
    *("Join Type", "Conditions", "Expression", "Filters", "Groups", "Aggregates", "Projections"),
    *("Top", "Order By", "Limit", "CTE Name"),
)
_TABLE = "Table"
# Places of the session's own things, and of ours.
_OWN = (["temp", "main"], ["memory", "main"])
_HIDDEN = ("_sc_", "_fs_")
_SQUEEZED = ("__internal_compress", "__internal_decompress")
_STATS = {"partitionsTotal": 0, "partitionsAssigned": 0, "bytesAssigned": 0}
TABULAR = {
    "step": "BIGINT",
    "id": "BIGINT",
    "parentOperators": "VARCHAR",
    "operation": "VARCHAR",
    "objects": "VARCHAR",
    "alias": "VARCHAR",
    "expressions": "VARCHAR",
    "partitionsTotal": "BIGINT",
    "partitionsAssigned": "BIGINT",
    "bytesAssigned": "BIGINT",
}
_CONTENT = {"content": "VARCHAR"}
_ARROW = {"BIGINT": pa.int64(), "VARCHAR": pa.string()}


class Explain(Expression):
    """`this` is the statement, checked and filled in as if it were to be run."""

    arg_types = {"this": True, "form": True}  # noqa: RUF012  # as sqlglot declares them


@dataclass(frozen=True, slots=True)
class Operation:
    id: int
    parent: int | None
    depth: int
    name: str
    table: str
    expressions: tuple[str, ...]


# ---------------------------------------------------------------- before it is planned


def asked(statement: Expr) -> tuple[str, str] | None:
    """The form and the text of the statement that is to be explained. Raises SnowcaveError."""
    if not isinstance(statement, exp.Command) or str(statement.this).upper() != "EXPLAIN":
        return None
    told = statement.args.get("expression")
    text = told.name if isinstance(told, exp.Literal) else str(told or "")
    form = "TABULAR"
    if using := _USING.match(text):
        form, text = using[1].upper(), text[using.end() :]
        if form not in _FORMS:
            raise SyntaxInvalid(1, 0, using[1])
    if not text.strip():
        raise SyntaxInvalid(1, 0, "<EOF>")
    return form, text


def statement_of(text: str) -> Expr:
    """Raises SnowcaveError, also where there is no plan of such a statement."""
    statement = parse(text)
    planned = isinstance(statement, _PLANNED)
    if isinstance(statement, exp.Create):
        planned = _kind(statement) == "TABLE" and isinstance(statement.expression, exp.Query)
    if statement.args.get("overwrite"):  # two statements to DuckDB
        raise Unsupported("EXPLAIN INSERT OVERWRITE")
    if not planned:
        raise Unsupported(f"EXPLAIN {_word(statement)}")
    return statement


def explained(statement: Expr) -> Expr:
    """The statement itself, or the one that it is about."""
    return statement.this if isinstance(statement, Explain) else statement


def uncalled(name: str, function: pb.FunctionBinding) -> ArrowFunction:
    """Stands for a service function in a plan. DuckDB may try it on constants, and keeps the call then."""

    def call(*_: Any) -> pa.Array:
        raise Unsupported("call of a service function by EXPLAIN")

    shown = f"{function.database}.{function.schema}.{function.name}"
    return ArrowFunction(
        name, max(1, len(function.argument_types)), call, stable=True, shown=shown
    )


def _kind(statement: Expr) -> str:
    return str(statement.args.get("kind") or "").upper()


def _word(statement: Expr) -> str:
    if isinstance(statement, exp.Command):
        return str(statement.this).upper()
    return f"{statement.key.upper()} {_kind(statement)}".strip()


# ---------------------------------------------------------------- what comes of it


def columns_of(form: str) -> Mapping[str, str]:
    """Names and DuckDB's types."""
    return TABULAR if form == "TABULAR" else _CONTENT


def answer(
    form: str,
    plan: str,
    functions: Sequence[ArrowFunction],
    computed: Mapping[str, str],
    schemas: Container[tuple[str, str]] | None,
) -> pa.Table:
    """`plan`: DuckDB's, as JSON. `computed`: see `computed_items`.

    `schemas`: whose tables are named; None: all.
    """
    operations = list(_operations(orjson.loads(plan)))
    for alias, expression in computed.items():
        _spell_out(operations, alias, expression)
    operations = [_named(_seen(one, schemas), functions) for one in operations]
    if form == "TABULAR":
        rows = [(None, None, None, "GlobalStats", None, None, None, *_STATS.values())]
        return _table(TABULAR, [*rows, *map(_row, operations)])
    text = _as_json(operations) if form == "JSON" else _as_text(operations)
    return _table(_CONTENT, [(text,)])


def computed_items(statement: Expr, functions: Sequence[ArrowFunction]) -> dict[str, str]:
    """By alias, what select lists compute or call: the plan has the alias alone.

    Left out is what could be taken for a column of that name, unless it is a call.
    """
    names = {function.name for function in functions}
    columns = {one.name.upper() for one in statement.find_all(exp.Column) if not _sorts(one)}
    found: dict[str, str] = {}
    several = set[str]()
    for item in statement.find_all(exp.Alias):
        name = selected.name_of(item)
        calls = any(node.name in names for node in item.find_all(exp.Anonymous))
        if not calls and (isinstance(item.this, exp.Column) or name.upper() in columns):
            continue
        if not calls and name in found:
            several.add(name)
        found[name] = item.this.sql(dialect="snowflake")
    return {name: expression for name, expression in found.items() if name not in several}


def _sorts(column: exp.Column) -> bool:
    """By an alias, most likely."""
    return not column.table and column.find_ancestor(exp.Order, exp.Group) is not None


def _spell_out(operations: list[Operation], alias: str, expression: str) -> None:
    """In the lowest projection that has it: where it is made."""
    for at, one in reversed(list(enumerate(operations))):
        if one.name == "Projection" and alias in one.expressions:
            told = tuple(expression if each == alias else each for each in one.expressions)
            operations[at] = replace(one, expressions=told)
            return


def _seen(one: Operation, schemas: Container[tuple[str, str]] | None) -> Operation:
    """A view leads to tables that its readers need not know of."""
    place = one.table.split(".")
    if schemas is None or len(place) < 3 or (place[0], place[1]) in schemas:
        return one
    return replace(one, table="")


def _named(one: Operation, functions: Sequence[ArrowFunction]) -> Operation:
    told = list(one.expressions)
    for function in functions:
        pattern = re.compile(re.escape(function.name) + r"\b", re.IGNORECASE)
        told = [pattern.sub(lambda _, name=function.shown: name, each) for each in told]
    return replace(one, expressions=tuple(told))


def _operations(nodes: Sequence[Any]) -> Iterator[Operation]:
    """Parents before their children."""
    waiting: list[tuple[Any, int | None, int]] = [(node, None, 0) for node in reversed(nodes)]
    number = 0
    while waiting:
        node, parent, depth = waiting.pop()
        extra = node.get("extra_info") or {}
        children = [(child, number, depth + 1) for child in reversed(node.get("children") or ())]
        if any(one.startswith(_SQUEEZED) for one in _each(extra.get("Projections"))):
            # DuckDB's own, to sort and group narrower values: what is below stands in its place.
            waiting += [(child, parent, depth) for child, *_ in children]
            continue
        table = _place(str(extra.get(_TABLE) or ""))
        told = tuple(_plain(one) for key in _TOLD for one in _each(extra.get(key)))
        yield Operation(number, parent, depth, _operation(node["name"]), table, told)
        waiting += children
        number += 1


def _place(table: str) -> str:
    """DuckDB quotes what are words to it. Tables that no statement may name are not named here, either."""
    if not table:
        return ""
    *holders, name = parts = [part.name for part in exp.to_table(table, dialect="duckdb").parts]
    if any(part.lower().startswith(_HIDDEN) for part in parts):
        return ""
    return name if holders in _OWN else ".".join([*holders, name])


def _operation(name: str) -> str:
    name = name.strip()
    return "TableScan" if name == "SEQ_SCAN" else "".join(w.capitalize() for w in name.split("_"))


def _each(told: Any) -> list[str]:
    if isinstance(told, list):
        return [str(one) for one in told]
    return [str(told)] if told else []


def _plain(told: str) -> str:
    """DuckDB's own name for a sum of few digits says nothing to the user."""
    return told.replace("sum_no_overflow(", "sum(")


def _row(one: Operation) -> tuple[Any, ...]:
    parents = None if one.parent is None else f"[{one.parent}]"
    expressions = ", ".join(one.expressions) or None
    none = (None,) * len(_STATS)
    return (1, one.id, parents, one.name, one.table or None, None, expressions, *none)


def _as_json(operations: Sequence[Operation]) -> str:
    told: list[dict[str, Any]] = []
    for one in operations:
        shown: dict[str, Any] = {"id": one.id, "operation": one.name}
        if one.parent is not None:
            shown["parentOperators"] = [one.parent]
        if one.table:
            shown["objects"] = [one.table]
        if one.expressions:
            shown["expressions"] = list(one.expressions)
        told.append(shown)
    return orjson.dumps({"GlobalStats": _STATS, "Operations": [told]}).decode()


def _as_text(operations: Sequence[Operation]) -> str:
    lines = ["GlobalStats:", *(f"    {name}={value}" for name, value in _STATS.items())]
    lines.append("Operations:")
    for one in operations:
        parts = [part for part in (one.table, ", ".join(one.expressions)) if part]
        lines.append("  ".join([f"1:{one.id}{'     ' * (one.depth + 1)}->{one.name}", *parts]))
    return "\n".join([*lines, ""])


def _table(kinds: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(column, _ARROW[kind])
        for kind, column in zip(kinds.values(), columns, strict=True)
    ]
    return pa.table(arrays, names=list(kinds))
