"""SYSTEM$ functions of ours: alone in a SELECT or CALL, or within ordinary SQL."""

from collections.abc import Iterator
from dataclasses import dataclass

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind, Token
from snowcave.api.sql.placeholders import Given, is_mark
from snowcave.api.sql.tree import Literal, SystemCall
from snowcave.model.errors import SyntaxInvalid

FUNCTIONS = frozenset(
    {
        "SYSTEM$CLIENT_VERSION_INFO",
        "SYSTEM$GET_SERVICE_STATUS",
        "SYSTEM$GET_SERVICE_LOGS",
        "SYSTEM$GET_SERVICE_DNS_DOMAIN",
        "SYSTEM$GET_COMPUTE_POOL_STATUS",
        "SYSTEM$REGISTRY_LIST_IMAGES",
        "SYSTEM$CANCEL_QUERY",
        "SYSTEM$CANCEL_ALL_QUERIES",
        "SYSTEM$GET_TAG",
        "SYSTEM$CANCEL_JOB",
        "SYSTEM$GET_JOB_STATUS",
        "SYSTEM$GET_JOB_LOGS",
        "SYSTEM$WAIT_FOR_SERVICES",
    }
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A call found within a statement, the part of the text that it is, and which `?` it has used."""

    call: SystemCall
    start: int
    stop: int
    marks: range = range(0)


def parse_system_call(cursor: Cursor) -> SystemCall | None:
    """The statement, where it is nothing but one such call; otherwise None."""
    is_call = cursor.one_of("SELECT", "CALL") == "CALL"
    first = cursor.peek()
    if first.value not in FUNCTIONS:
        return None
    if is_call:
        function, arguments = _call(cursor)
        cursor.end()
        return SystemCall(function, arguments, function)
    try:
        function, arguments = _call(cursor)
        header = cursor.sql[first.start : _end_of_last(cursor, first)].upper()
        column = _alias(cursor) or header
        cursor.end()
    except SyntaxInvalid:
        # An expression, a list of columns or a FROM: ordinary SQL with a call in it.
        return None
    return SystemCall(function, arguments, column)


def placed_calls(sql: str, given: Given | None = None) -> Iterator[Placed]:
    """The calls with literal arguments that stand anywhere in a statement."""
    cursor = Cursor(sql, given)
    marks = 0
    while cursor.peek().kind is not Kind.END:
        start = cursor.peek()
        mark = cursor.mark()
        if start.kind is Kind.WORD and start.value in FUNCTIONS and cursor.peek(1).text == "(":
            try:
                function, arguments = _call(cursor)
            except SyntaxInvalid:
                cursor.reset(mark)
            else:
                stop = _end_of_last(cursor, start)
                used = range(marks, marks + cursor.count_since(mark, is_mark))
                yield Placed(SystemCall(function, arguments, function), start.start, stop, used)
                marks = used.stop
                continue
        marks += is_mark(cursor.take())


def _call(cursor: Cursor) -> tuple[str, tuple[Literal, ...]]:
    function = cursor.take().value
    return function, cursor.in_parentheses(lambda: literal(cursor))


def literal(cursor: Cursor) -> Literal:
    """An argument that is written out; anything else raises SyntaxInvalid."""
    token = cursor.peek()
    if token.kind is Kind.STRING:
        return cursor.take().value
    if cursor.accept("TRUE"):
        return True
    if cursor.accept("FALSE"):
        return False
    if cursor.accept("NULL"):
        return None
    if token.kind is Kind.NUMBER and not token.value.lstrip("-").isdigit():
        return float(cursor.take().value)
    return cursor.integer()


def _alias(cursor: Cursor) -> str:
    if cursor.accept("AS"):
        return cursor.identifier()
    return cursor.identifier() if cursor.peek().is_name and not cursor.at("FROM") else ""


def _end_of_last(cursor: Cursor, first: Token) -> int:
    """Where the token before the cursor ends."""
    return max(first.stop, cursor.previous().stop)
