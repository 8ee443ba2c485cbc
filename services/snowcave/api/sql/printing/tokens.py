"""Programmatic access tokens of users."""

from snowcave.api.sql.printing.words import given, identifier, joined, options
from snowcave.api.sql.tree import AlterToken, ShowTokens, TokenAction

_MODIFIED = (TokenAction.SET, TokenAction.UNSET, TokenAction.RENAME)


def alter_token(it: AlterToken) -> str:
    adding = it.action is TokenAction.ADD
    return joined(
        "ALTER USER",
        given(it.user_if_exists, "IF EXISTS"),
        "" if it.user is None else identifier(it.user),
        "MODIFY" if it.action in _MODIFIED else it.action.name,
        "PROGRAMMATIC ACCESS TOKEN",
        given(it.lenient, "IF NOT EXISTS" if adding else "IF EXISTS"),
        identifier(it.token),
        _rest(it),
    )


def _rest(it: AlterToken) -> str:
    match it.action:
        case TokenAction.RENAME:
            return "RENAME TO " + identifier(it.new_name)
        case TokenAction.UNSET:
            return "UNSET " + ", ".join(it.unset)
        case TokenAction.SET:
            return "SET " + options(it.options)
        case _:
            return options(it.options)


def show_tokens(it: ShowTokens) -> str:
    whose = "" if it.user is None else "FOR USER " + identifier(it.user)
    return joined("SHOW USER PROGRAMMATIC ACCESS TOKENS", whose)
