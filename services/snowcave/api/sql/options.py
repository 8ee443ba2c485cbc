"""`KEY = value` properties: read by a table, in any order, with `=` or `=>`.

Each statement's properties are one dict from name to reader, so a new property is one line.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from snowcave.api.sql.cursor import Cursor, parse_name
from snowcave.api.sql.lexer import Kind
from snowcave.model.errors import ValueInvalid
from snowcave.model.names import ObjectName

Reader = Callable[[Cursor, str], Any]
Clause = Callable[[Cursor], None]


class Options(Mapping[str, Any]):
    """The properties that a statement gave, by upper-case name, with typed access."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def integer(self, key: str, default: int = 0) -> int:
        return cast(int, self._values.get(key, default))

    def boolean(self, key: str, default: bool = False) -> bool:
        return cast(bool, self._values.get(key, default))

    def text(self, key: str, default: str = "") -> str:
        return cast(str, self._values.get(key, default))

    def names(self, key: str) -> tuple[str, ...]:
        return cast("tuple[str, ...]", self._values.get(key, ()))

    def object_name(self, key: str) -> ObjectName | None:
        return cast("ObjectName | None", self._values.get(key))

    def object_names(self, key: str) -> "tuple[ObjectName, ...]":
        return cast("tuple[ObjectName, ...]", self._values.get(key, ()))

    @property
    def tags(self) -> Mapping[ObjectName, str]:
        """What WITH TAG (…) or SET TAG gave."""
        return cast("Mapping[ObjectName, str]", self._values.get("TAG", {}))

    def group(self, key: str) -> Mapping[str, str]:
        return cast("Mapping[str, str]", self._values.get(key, {}))

    def missing(self, *names: str) -> tuple[str, ...]:
        """Which of these were not given, in this order."""
        return tuple(name for name in names if name not in self._values)


def invalid_value(value: object, key: str) -> ValueInvalid:
    return ValueInvalid(f"SQL compilation error:\ninvalid value '{value}' for property '{key}'")


def invalid_property(key: str, what: str) -> ValueInvalid:
    return ValueInvalid(f"SQL compilation error:\ninvalid property '{key}' for '{what}'")


def read_integer(cursor: Cursor, key: str) -> int:
    token = cursor.peek()
    if token.kind is Kind.STRING and token.value.isascii() and token.value.isdigit():
        cursor.take()
        return int(token.value[:18])
    if token.kind in (Kind.STRING, Kind.WORD) or "." in token.value:
        raise invalid_value(token.value, key)
    return cursor.integer()


def read_boolean(cursor: Cursor, key: str) -> bool:
    token = cursor.take()
    match token.value.upper():
        case "TRUE":
            return True
        case "FALSE":
            return False
        case _:
            if token.kind in (Kind.SYMBOL, Kind.END):
                raise cursor.unexpected("TRUE or FALSE", token)
            raise invalid_value(token.value, key)


def read_text(cursor: Cursor, key: str) -> str:
    return cursor.word_or_string()


def read_upper(cursor: Cursor, key: str) -> str:
    return cursor.word_or_string().upper()


def read_string(cursor: Cursor, key: str) -> str:
    return cursor.string()


def read_name(cursor: Cursor, key: str) -> ObjectName:
    """A name, which some clients put between quotes of a string."""
    if cursor.peek().kind is Kind.STRING:
        return _name_in_text(cursor.take().value)
    return cursor.name()


def _name_in_text(text: str) -> ObjectName:
    try:
        return parse_name(text)
    except ValueInvalid:
        # No identifier: the name itself.
        return ObjectName(text)


def read_names(cursor: Cursor, key: str) -> tuple[str, ...]:
    return cursor.in_parentheses(
        lambda: cursor.string() if cursor.peek().kind is Kind.STRING else cursor.identifier()
    )


def read_group(cursor: Cursor, key: str) -> Mapping[str, str]:
    """`(TYPE = 'x' …)`."""
    found: dict[str, str] = {}
    cursor.expect("(")
    while not cursor.accept(")"):
        name = cursor.identifier()
        _equals(cursor)
        found[name] = cursor.word_or_string()
        cursor.accept(",")
    return found


def read_strings(cursor: Cursor, key: str) -> tuple[str, ...]:
    """`('a', 'b')`."""
    return cursor.in_parentheses(cursor.string)


def read_object_names(cursor: Cursor, key: str) -> tuple[ObjectName, ...]:
    """`(a, db.schema.b)`, or `(ALL)`."""
    return cursor.in_parentheses(
        lambda: ObjectName("ALL") if cursor.accept("ALL") else cursor.name()
    )


def read_tags(cursor: Cursor) -> Mapping[ObjectName, str]:
    """`t = 'v', …`, after the word TAG."""
    found: dict[ObjectName, str] = {}
    while not found or cursor.accept(","):
        token = cursor.peek()
        name = cursor.name()
        if name in found:
            raise cursor.unexpected("", token)
        _equals(cursor)
        found[name] = cursor.string()
    return found


def read_options(
    cursor: Cursor,
    what: str,
    table: Mapping[str, Reader],
    clauses: Mapping[str, Clause] | None = None,
    *,
    stop: Callable[[Cursor], bool] | None = None,
) -> Options:
    """Properties and clauses in any order, up to the first token that begins neither."""
    found: dict[str, Any] = {}
    while not (stop and stop(cursor)):
        if cursor.at("WITH", "TAG"):
            cursor.take()
        token = cursor.peek()
        if token.kind is not Kind.WORD:
            break
        if clauses and token.value in clauses:
            clauses[token.value](cursor)
            continue
        if cursor.at("TAG", "(") and "TAG" not in found:
            cursor.expect("TAG", "(")
            found["TAG"] = read_tags(cursor)
            cursor.expect(")")
            continue
        if token.value not in table:
            if cursor.peek(1).text in ("=", "=>"):
                raise invalid_property(token.value, what)
            break
        if token.value in found:
            raise cursor.unexpected()
        cursor.take()
        _equals(cursor)
        found[token.value] = table[token.value](cursor, token.value)
        cursor.accept(",")
    return Options(found)


def read_unset(cursor: Cursor, what: str, names: Mapping[str, Reader]) -> tuple[str, ...]:
    """`a, b`: properties to be put back to their defaults."""

    def one() -> str:
        token = cursor.peek()
        name = cursor.identifier()
        if name not in names:
            if token.kind is Kind.WORD:
                raise invalid_property(name, what)
            raise cursor.unexpected("", token)
        return name

    return cursor.comma_list(one)


def _equals(cursor: Cursor) -> None:
    if not cursor.accept("=>"):
        cursor.expect("=")
