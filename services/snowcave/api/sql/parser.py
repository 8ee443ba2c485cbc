"""One statement's text to a typed statement, or None where it is ordinary SQL for the warehouse.

A statement is told by its first words; from there a recursive descent, one module for each family, reads it
whole. What begins like one of ours and is not well formed raises SyntaxInvalid with its place; what no
Snowcave can do yet raises Unsupported.
"""

from collections.abc import Callable

from snowcave.api.sql.calls import FUNCTIONS, parse_system_call
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.ddl import (
    parse_alter,
    parse_comment,
    parse_create,
    parse_describe,
    parse_drop,
    parse_truncate,
    parse_undrop,
)
from snowcave.api.sql.grants import parse_grant
from snowcave.api.sql.jobs import at_service_call, execute_job, service_call
from snowcave.api.sql.lexer import tokens
from snowcave.api.sql.placeholders import Given, is_variable
from snowcave.api.sql.session import parse_alter_session, parse_use
from snowcave.api.sql.shows import parse_show
from snowcave.api.sql.stages import parse_get, parse_list, parse_put, parse_remove
from snowcave.api.sql.tree import Statement
from snowcave.api.sql.users import alter_token


def _alter(cursor: Cursor) -> Statement | None:
    if cursor.at("ALTER", "SESSION") or cursor.at("ALTER", "ACCOUNT"):
        return parse_alter_session(cursor)
    token = alter_token(cursor) if cursor.at("ALTER", "USER") else None
    return token or parse_alter(cursor)


def _execute(cursor: Cursor) -> Statement | None:
    """Jobs are ours; EXECUTE IMMEDIATE and the like are not."""
    ours = cursor.at("EXECUTE", "JOB") or cursor.at("EXECUTE", "SERVICE")
    return execute_job(cursor) if ours else None


def _call(cursor: Cursor) -> Statement | None:
    return service_call(cursor) if at_service_call(cursor) else parse_system_call(cursor)


_FAMILIES: dict[str, Callable[[Cursor], Statement | None]] = {
    "CREATE": parse_create,
    "ALTER": _alter,
    "DROP": parse_drop,
    "UNDROP": parse_undrop,
    "TRUNCATE": parse_truncate,
    "COMMENT": parse_comment,
    "DESC": parse_describe,
    "DESCRIBE": parse_describe,
    "SHOW": parse_show,
    "GRANT": parse_grant,
    "REVOKE": parse_grant,
    "USE": parse_use,
    "SELECT": parse_system_call,
    "CALL": _call,
    "EXECUTE": _execute,
    "PUT": parse_put,
    "GET": parse_get,
    "LIST": parse_list,
    "LS": parse_list,
    "REMOVE": parse_remove,
    "RM": parse_remove,
}


def variables_in(sql: str) -> bool:
    """Whether a statement that may be ours says `$name` somewhere."""
    if "$" not in sql:
        return False
    words = tokens(sql)
    if words[0].value not in _FAMILIES or not any(map(is_variable, words)):
        return False
    return words[0].value != "SELECT" or any(word.value in FUNCTIONS for word in words)


def parse(sql: str, given: Given | None = None) -> Statement | None:
    """`given`: what stands for placeholders."""
    cursor = Cursor(sql, given)
    family = _FAMILIES.get(cursor.peek().value)
    return family(cursor) if family else None
