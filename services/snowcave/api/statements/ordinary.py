"""Ordinary SQL on its way to the warehouse: what only api knows of it is put in."""

import re
from collections.abc import Sequence

from snowcave.api.contract import QueryHandle, ToWarehouse
from snowcave.api.sql.calls import FUNCTIONS, placed_calls
from snowcave.api.sql.headers import nameless
from snowcave.api.sql.lexer import literal, tokens
from snowcave.api.sql.placeholders import Given
from snowcave.api.statements import event_tables, identifiers, system_functions
from snowcave.api.statements.function_calls import bindings
from snowcave.api.statements.query_history import read_from_records
from snowcave.api.statements.rights import rights, settle
from snowcave.api.statements.service_tables import read_from_events
from snowcave.api.statements.stage_files import stage_bindings
from snowcave.api.statements.work import Work
from snowcave.model.telemetry import ALL_EVENTS
from snowcave.v1 import warehouse_pb2 as warehouse

_ALL_EVENTS = re.compile(f"{ALL_EVENTS}|IDENTIFIER", re.IGNORECASE)


async def to_warehouse(sql: str, given: Given, work: Work) -> ToWarehouse:
    """Raises what keeps one of its functions from being called, or one of its stages from being read."""
    # Neither calls anything.
    describing = work.query.describe_only or _is_explained(sql)
    given_sql, sql = sql, read_from_events(sql, work)
    # For the caller's own services; who names what stands for all event tables, or may do so, needs rights.
    reads_events = sql != given_sql and not _ALL_EVENTS.search(given_sql)
    sql = await read_from_records(sql, work, describing=describing)
    sql, bound = identifiers.written_out(
        *await _filled_in(sql, given, work, describing=describing)
    )
    functions = await bindings(sql, work, describing=describing)
    stages = stage_bindings(sql, work)
    may = rights(work.caller, reads_events=reads_events)
    return ToWarehouse(
        sql,
        work.context,
        functions,
        stages,
        may,
        bound,
        lambda made: settle(made, work),
        event_tables.bindings(sql, work),
    )


async def _filled_in(
    sql: str, given: Given, work: Work, *, describing: bool
) -> tuple[str, tuple[warehouse.Binding, ...]]:
    """Our SYSTEM$ functions become what they say, or would: describing runs none. Also what stays bound."""
    upper = sql.upper()
    bound = work.query.bindings
    if not any(name in upper for name in FUNCTIONS):
        return sql, bound
    # What is put in for which part of the text.
    edits: list[tuple[int, int, str]] = []
    used: set[int] = set()
    for placed in placed_calls(sql, given):
        said = "" if describing else await system_functions.evaluate(placed.call, work)
        value = "NULL" if said is None else literal(said)
        edits.append((placed.start, placed.stop, value))
        used.update(placed.marks)
    edits += _headers(sql, [start for start, _, _ in edits])
    left = tuple(one for number, one in enumerate(bound) if number not in used)
    return _edited(sql, sorted(edits)), left


def _is_explained(sql: str) -> bool:
    return "EXPLAIN" in sql.upper() and tokens(sql)[0].value == "EXPLAIN"


def _headers(sql: str, calls: Sequence[int]) -> list[tuple[int, int, str]]:
    """Columns keep the header that they had by the text that the user wrote."""
    return [
        (stop, stop, ' AS "' + name.replace('"', '""') + '"')
        for start, stop, name in nameless(sql, tokens(sql))
        if any(start <= call < stop for call in calls)
    ]


def _edited(sql: str, edits: Sequence[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    at = 0
    for start, stop, text in edits:
        parts += [sql[at:start], text]
        at = stop
    return "".join([*parts, sql[at:]])


def literals(query: QueryHandle) -> Sequence[str | int | float | bool | None]:
    """The values that the client bound, as a statement could say them; none where it bound arrays."""
    if any(one.is_array for one in query.bindings):
        return ()
    return [_literal(one.type, one.values[0]) for one in query.bindings if one.values]


def _literal(kind: str, value: warehouse.BoundValue) -> str | int | float | bool | None:
    if value.is_null:
        return None
    try:
        match kind:
            case "FIXED":
                return int(value.value)
            case "REAL":
                return float(value.value)
            case "BOOLEAN":
                return value.value.lower() in ("true", "1")
            case _:
                return value.value
    except ValueError:
        # A decimal, which is told by its text.
        return value.value
