"""`TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(…))` and its kin, where ordinary SQL reads from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.service_tables import table_arguments
from snowcave.model.errors import SyntaxInvalid

_SCHEMA = "INFORMATION_SCHEMA"
_RANGE = ("END_TIME_RANGE_START", "END_TIME_RANGE_END", "RESULT_LIMIT")
_MORE = "INCLUDE_CLIENT_GENERATED_STATEMENT"
# What each takes, in order; the first of some says whose queries.
FUNCTIONS = {
    "QUERY_HISTORY": (*_RANGE, _MORE),
    "QUERY_HISTORY_BY_SESSION": ("SESSION_ID", *_RANGE, _MORE),
    "QUERY_HISTORY_BY_USER": ("USER_NAME", *_RANGE, _MORE),
}


@dataclass(frozen=True, slots=True)
class QueryHistory:
    """One use, and the part of the statement that it is. `arguments` are expressions as they were written."""

    function: str
    arguments: Mapping[str, str]
    start: int
    stop: int


def query_histories(cursor: Cursor) -> Iterator[QueryHistory]:
    """Those that stand anywhere in a statement. Raises SyntaxInvalid where one is not well formed."""
    while cursor.peek().kind is not Kind.END:
        found = _history(cursor) if cursor.at("TABLE", "(") else None
        if found is None:
            cursor.take()
        else:
            yield found


def _history(cursor: Cursor) -> QueryHistory | None:
    mark, start = cursor.mark(), cursor.peek().start
    cursor.expect("TABLE", "(")
    try:
        name = cursor.name()
    except SyntaxInvalid:
        name = None
    if name is None or name.schema != _SCHEMA or name.name not in FUNCTIONS:
        cursor.reset(mark)
        return None
    arguments = table_arguments(cursor, FUNCTIONS[name.name])
    cursor.expect(")")
    return QueryHistory(name.name, arguments, start, cursor.previous().stop)
