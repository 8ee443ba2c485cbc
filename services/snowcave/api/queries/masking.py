"""Statements as they may be kept and shown: what they say of passwords and secrets is not."""

import re
from collections.abc import Iterator, Sequence

from snowcave.api.sql.lexer import Kind, Token, tokens
from snowcave.model.errors import SyntaxInvalid

_MASK = "'****'"
# CREATE USER … PASSWORD = '…', CREATE SECRET … SECRET_STRING = '…', OAUTH_REFRESH_TOKEN, OAUTH_CLIENT_SECRET
_ENDINGS = ("PASSWORD", "SECRET_STRING", "TOKEN", "CLIENT_SECRET")
_MENTIONED = re.compile("|".join(_ENDINGS), re.IGNORECASE)
_VALUES = (Kind.STRING, Kind.QUOTED, Kind.WORD, Kind.NUMBER)


def without_secrets(sql: str) -> str:
    """What cannot be read as a statement is kept up to the first word that may begin a secret."""
    mentioned = _MENTIONED.search(sql)
    if mentioned is None:
        return sql
    try:
        found = tokens(sql)
    except SyntaxInvalid:
        return f"{sql[: mentioned.end()]} {_MASK}"
    parts: list[str] = []
    at = 0
    for token in _secret(found):
        parts += [sql[at : token.start], _MASK]
        at = token.stop
    return "".join([*parts, sql[at:]])


def _secret(found: Sequence[Token]) -> Iterator[Token]:
    """Values of such properties, texts right after their names, statements in texts that have some."""
    for index, token in enumerate(found):
        before = found[index - 1] if index else None
        if before is not None and before.text in ("=", "=>") and index > 1:
            if token.kind in _VALUES and _begins_secret(found[index - 2]):
                yield token
        elif token.kind is Kind.STRING and before is not None:
            within = before.value == "IMMEDIATE" and _MENTIONED.search(token.value)
            if within or _begins_secret(before):
                yield token


def _begins_secret(token: Token) -> bool:
    return token.is_name and token.value.upper().endswith(_ENDINGS)
