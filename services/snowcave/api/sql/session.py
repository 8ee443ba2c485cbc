"""USE, ALTER SESSION and ALTER ACCOUNT."""

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.tree import SetParameters, UnsetParameters, Use
from snowcave.model.names import ObjectName


def parse_use(cursor: Cursor) -> Use:
    cursor.expect("USE")
    what = ""
    if cursor.accept("SECONDARY", "ROLES"):
        what = "secondary_roles"
    elif cursor.at_one("ROLE", "DATABASE", "SCHEMA", "WAREHOUSE") and cursor.peek(1).text not in (
        "",
        ";",
        ".",
    ):
        what = cursor.take().value.lower()
    # ALL is no name, but a word of its own.
    all_roles = what == "secondary_roles" and cursor.accept("ALL")
    name = ObjectName("ALL") if all_roles else cursor.name()
    cursor.end()
    if what == "schema" or (not what and name.schema):
        return Use("schema", ObjectName(name.name, database=name.schema))
    return Use(what or "database", ObjectName(name.name))


def parse_alter_session(cursor: Cursor) -> SetParameters | UnsetParameters:
    cursor.expect("ALTER")
    account = cursor.one_of("SESSION", "ACCOUNT") == "ACCOUNT"
    if cursor.accept("UNSET"):
        names = cursor.comma_list(cursor.identifier)
        cursor.end()
        return UnsetParameters(names, account)
    cursor.expect("SET")
    values: dict[str, str] = {}
    while not values or cursor.peek().kind is Kind.WORD:
        name = cursor.identifier()
        cursor.expect("=")
        names_table = name == "EVENT_TABLE" and cursor.peek().is_name
        values[name] = str(cursor.name()) if names_table else _value(cursor)
        cursor.accept(",")
    cursor.end()
    return SetParameters(values, account)


def _value(cursor: Cursor) -> str:
    if cursor.accept("-"):
        return "-" + cursor.word_or_string()
    token = cursor.peek()
    if token.is_name and cursor.peek(1).text == ".":
        return str(cursor.name())
    value = cursor.word_or_string()
    is_boolean = token.kind is Kind.WORD and token.value in ("TRUE", "FALSE")
    return value.lower() if is_boolean else value
