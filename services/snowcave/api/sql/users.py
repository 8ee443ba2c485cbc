"""ALTER USER … PROGRAMMATIC ACCESS TOKEN and SHOW USER PROGRAMMATIC ACCESS TOKENS."""

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.options import (
    Options,
    Reader,
    read_boolean,
    read_integer,
    read_name,
    read_options,
    read_string,
    read_unset,
)
from snowcave.api.sql.tree import AlterToken, ShowTokens, TokenAction

_WHAT = "PROGRAMMATIC ACCESS TOKEN"
_WORDS = {
    "ADD": TokenAction.ADD,
    "ROTATE": TokenAction.ROTATE,
    "REMOVE": TokenAction.REMOVE,
    "MODIFY": TokenAction.SET,
}
_BYPASS = "MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT"
_ADD: dict[str, Reader] = {
    "ROLE_RESTRICTION": read_name,
    "DAYS_TO_EXPIRY": read_integer,
    _BYPASS: read_integer,
    "COMMENT": read_string,
}
_ROTATE: dict[str, Reader] = {"EXPIRE_ROTATED_TOKEN_AFTER_HOURS": read_integer}
_SET: dict[str, Reader] = {
    "DISABLED": read_boolean,
    _BYPASS: read_integer,
    "COMMENT": read_string,
}


def alter_token(cursor: Cursor) -> AlterToken | None:
    """None, and nothing read, where an ALTER USER is about something else."""
    start = cursor.mark()
    cursor.expect("ALTER", "USER")
    user_if_exists = cursor.accept("IF", "EXISTS")
    user = None if _at_action(cursor) else cursor.plain_name()
    if not _at_action(cursor):
        cursor.reset(start)
        return None
    action = _WORDS[cursor.take().value]
    _token_words(cursor)
    adding = action is TokenAction.ADD
    lenient = cursor.accept("IF", "NOT", "EXISTS") if adding else cursor.accept("IF", "EXISTS")
    alter = _rest(cursor, AlterToken(user, action, cursor.identifier(), user_if_exists, lenient))
    cursor.end()
    return alter


def _at_action(cursor: Cursor) -> bool:
    after = cursor.peek(1).value
    return cursor.at_one(*_WORDS) and after in ("PROGRAMMATIC", "PAT")


def _token_words(cursor: Cursor) -> None:
    if not cursor.accept("PAT"):
        cursor.expect("PROGRAMMATIC", "ACCESS", "TOKEN")


def _rest(cursor: Cursor, alter: AlterToken) -> AlterToken:
    match alter.action:
        case TokenAction.ADD:
            return _with(alter, options=read_options(cursor, _WHAT, _ADD))
        case TokenAction.ROTATE:
            return _with(alter, options=read_options(cursor, _WHAT, _ROTATE))
        case TokenAction.REMOVE:
            return alter
        case _:
            return _modify(cursor, alter)


def _modify(cursor: Cursor, alter: AlterToken) -> AlterToken:
    if cursor.accept("RENAME", "TO"):
        return _with(alter, TokenAction.RENAME, new_name=cursor.identifier())
    if cursor.accept("UNSET"):
        return _with(alter, TokenAction.UNSET, unset=read_unset(cursor, _WHAT, _SET))
    cursor.expect("SET")
    options = read_options(cursor, _WHAT, _SET)
    if not options:
        raise cursor.unexpected("property")
    return _with(alter, options=options)


def _with(
    alter: AlterToken,
    action: TokenAction | None = None,
    *,
    options: Options | None = None,
    unset: tuple[str, ...] = (),
    new_name: str = "",
) -> AlterToken:
    return AlterToken(
        alter.user,
        action or alter.action,
        alter.token,
        alter.user_if_exists,
        alter.lenient,
        options or Options(),
        unset,
        new_name,
    )


def show_tokens(cursor: Cursor) -> ShowTokens:
    """After SHOW USER PROGRAMMATIC ACCESS TOKENS."""
    user = cursor.plain_name() if cursor.accept("FOR", "USER") else None
    cursor.end()
    return ShowTokens(user)
