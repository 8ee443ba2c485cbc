"""Names and types as they stand in paths and bodies of the REST API: as in SQL, quoted where they must be."""

import re
from urllib.parse import unquote_to_bytes

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.sql.cursor import Cursor, parse_name
from snowcave.api.sql.functions import argument_types
from snowcave.api.sql.types import DataType, read_type
from snowcave.model.errors import SnowcaveError
from snowcave.model.names import ObjectName, fold

PATTERN = r'^("([^"]|"")+"|[a-zA-Z_][a-zA-Z0-9_$]*)$'
_NAME = re.compile(r'"(?:[^"]|"")+"\Z|[a-zA-Z_][a-zA-Z0-9_$]*\Z')
_LONGEST = 256


def decoded(segment: str) -> str:
    """Of a percent-encoded path. Raises RequestInvalid where it is no text."""
    try:
        found = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise RequestInvalid("The path is not encoded as UTF-8.") from None
    if "\0" in found:
        raise RequestInvalid("The path holds a null character.")
    return found


def identifier(text: str) -> str:
    """One folded name. Raises RequestInvalid."""
    if len(text) > _LONGEST or not _NAME.match(text):
        raise RequestInvalid(f"'{text[:_LONGEST]}' is not a valid identifier.")
    return fold(text)


def any_name(text: str) -> ObjectName:
    """Of one to three parts. Raises RequestInvalid."""
    if len(text) > 3 * _LONGEST:
        raise RequestInvalid("The name is too long.")
    try:
        return parse_name(text)
    except SnowcaveError as error:
        raise RequestInvalid(error.message) from error


def with_arguments(text: str) -> tuple[str, tuple[str, ...]]:
    """`F(TEXT, NUMBER)`: a function's name and what tells its overloads apart. Raises RequestInvalid."""
    if len(text) > 16 * _LONGEST:
        raise RequestInvalid("The name is too long.")
    cursor = Cursor(text)
    try:
        name = cursor.identifier()
        types = argument_types(cursor)
        cursor.end()
    except SnowcaveError as error:
        raise RequestInvalid(
            f"'{text[:_LONGEST]}' is not a function's name with its argument types."
        ) from error
    return name, types


def data_type(text: str) -> DataType:
    """Raises RequestInvalid."""
    cursor = Cursor(text[:_LONGEST])
    try:
        found = read_type(cursor)
        cursor.end()
    except SnowcaveError as error:
        raise RequestInvalid(f"'{text[:64]}' is not a data type.") from error
    return found
