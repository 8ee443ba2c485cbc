"""CREATE FUNCTION … SERVICE=…; the argument types that tell overloads apart; calls in ordinary SQL."""

import itertools
from collections.abc import Iterator

from snowcave.api.sql import properties
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind, Token
from snowcave.api.sql.options import read_options
from snowcave.api.sql.tree import CreateFunction, Existing
from snowcave.api.sql.types import DataType, read_type
from snowcave.model.errors import OptionMissing
from snowcave.model.names import ObjectName


def is_service_function(cursor: Cursor) -> bool:
    """Whether a CREATE FUNCTION is ours: it names a service or an endpoint, and no language."""
    rest = cursor.rest()
    words = {token.value for token in rest if token.kind is Kind.WORD}
    named = {
        token.value
        for token, after in itertools.pairwise(rest)
        if token.kind is Kind.WORD and after.text in ("=", "=>")
    }
    return bool(named & {"SERVICE", "ENDPOINT"}) and "LANGUAGE" not in words


def create_function(cursor: Cursor, existing: Existing) -> CreateFunction:
    name = cursor.name()
    arguments = cursor.in_parentheses(lambda: _argument(cursor))
    cursor.expect("RETURNS")
    returns = read_type(cursor)
    if cursor.accept("NOT"):
        cursor.expect("NULL")
    else:
        cursor.accept("NULL")
    flags: set[str] = set()
    paths: list[str] = []

    def path(cursor: Cursor) -> None:
        cursor.expect("AS")
        paths.append(cursor.string())

    clauses = {
        "CALLED": lambda cursor: cursor.expect("CALLED", "ON", "NULL", "INPUT"),
        "RETURNS": lambda cursor: _strict(cursor, flags),
        "STRICT": lambda cursor: _flag(cursor, flags, "STRICT"),
        "VOLATILE": lambda cursor: cursor.expect("VOLATILE"),
        "IMMUTABLE": lambda cursor: _flag(cursor, flags, "IMMUTABLE"),
        "AS": path,
    }
    options = read_options(cursor, "FUNCTION", properties.FUNCTION, clauses)
    cursor.end()
    if missing := options.missing("SERVICE", "ENDPOINT"):
        raise OptionMissing(*missing)
    if len(paths) != 1:
        raise cursor.unexpected("AS")
    return CreateFunction(
        name,
        existing,
        arguments,
        returns,
        "STRICT" in flags,
        "IMMUTABLE" in flags,
        paths[0],
        options,
    )


def argument_types(cursor: Cursor) -> tuple[str, ...]:
    """`(VARCHAR, NUMBER)`: the base types that tell an overload."""
    return tuple(kind.base for kind in cursor.in_parentheses(lambda: read_type(cursor)))


def _argument(cursor: Cursor) -> tuple[str, DataType]:
    name = cursor.identifier()
    if cursor.at_one(",", ")", "("):
        raise cursor.unexpected("data type")
    return name, read_type(cursor)


def _strict(cursor: Cursor, flags: set[str]) -> None:
    cursor.expect("RETURNS", "NULL", "ON", "NULL", "INPUT")
    flags.add("STRICT")


def _flag(cursor: Cursor, flags: set[str], word: str) -> None:
    cursor.expect(word)
    flags.add(word)


def calls(tokens: list[Token]) -> Iterator[tuple[ObjectName, str]]:
    """Every `name(` in a statement, up to three parts, with its spelling. Many are built-ins."""
    for at, token in enumerate(tokens):
        if token.text == "(" and at and tokens[at - 1].is_name:
            first = at - 1
            while first >= 2 and tokens[first - 1].text == "." and tokens[first - 2].is_name:
                first -= 2
            parts = [tokens[index] for index in range(first, at, 2)]
            if len(parts) <= 3:
                name = ObjectName(*(part.value for part in reversed(parts)))
                yield name, ".".join(part.text for part in parts)
