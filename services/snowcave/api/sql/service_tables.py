"""`TABLE(service!SPCS_GET_LOGS(…))` and its kin, where ordinary SQL reads from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.model.errors import SyntaxInvalid
from snowcave.model.names import ObjectName

FUNCTIONS = ("SPCS_GET_LOGS", "SPCS_GET_EVENTS", "SPCS_GET_METRICS")
_ARGUMENTS = ("START_TIME", "END_TIME")


@dataclass(frozen=True, slots=True)
class ServiceTable:
    """One use, and the part of the statement that it is. `arguments` are expressions as they were written."""

    service: ObjectName
    function: str
    arguments: Mapping[str, str]
    start: int
    stop: int


def service_tables(cursor: Cursor) -> Iterator[ServiceTable]:
    """Those that stand anywhere in a statement. Raises SyntaxInvalid where one is not well formed."""
    while cursor.peek().kind is not Kind.END:
        found = _service_table(cursor) if cursor.at("TABLE", "(") else None
        if found is None:
            cursor.take()
        else:
            yield found


def _service_table(cursor: Cursor) -> ServiceTable | None:
    mark, start = cursor.mark(), cursor.peek().start
    cursor.expect("TABLE", "(")
    service = _service(cursor)
    if service is None:
        cursor.reset(mark)
        return None
    function = cursor.one_of(*FUNCTIONS)
    arguments = table_arguments(cursor, _ARGUMENTS)
    cursor.expect(")")
    return ServiceTable(service, function, arguments, start, cursor.previous().stop)


def _service(cursor: Cursor) -> ObjectName | None:
    try:
        name = cursor.name()
    except SyntaxInvalid:
        return None
    return name if cursor.accept("!") else None


def table_arguments(cursor: Cursor, names: Sequence[str]) -> dict[str, str]:
    """`(START_TIME => …, END_TIME => …)`, or the same by position; expressions as they were written."""
    found: dict[str, str] = {}
    cursor.expect("(")
    while not cursor.accept(")"):
        if cursor.at_one(*names) and cursor.peek(1).text == "=>":
            key = cursor.take().value
            cursor.take()
        elif len(found) < len(names):
            key = names[len(found)]
        else:
            raise cursor.unexpected("')'")
        if key in found:
            raise cursor.unexpected()
        found[key] = _expression(cursor)
        if not cursor.at(")"):
            cursor.expect(",")
    return found


def _expression(cursor: Cursor) -> str:
    """Up to a comma or the closing parenthesis at its own depth."""
    first, depth = cursor.peek(), 0
    while depth or not cursor.at_one(",", ")"):
        token = cursor.peek()
        if token.kind is Kind.END:
            raise cursor.unexpected("')'")
        depth += (token.text == "(") - (token.text == ")")
        cursor.take()
    if cursor.peek() is first:
        raise cursor.unexpected("expression")
    return cursor.sql[first.start : cursor.previous().stop]
