"""IDENTIFIER(?) and IDENTIFIER(:1) of ordinary SQL: the name is written out. Pure.

So are places of files, LOCATION => ? and FILE_FORMAT => ?, which must be known before the statement runs.
"""

from collections.abc import Sequence

from snowcave.api.sql.lexer import Kind, Token, literal, tokens
from snowcave.v1 import warehouse_pb2 as warehouse

Bound = tuple[warehouse.Binding, ...]
_PLACES = ("LOCATION", "FILE_FORMAT")


def written_out(sql: str, bound: Bound) -> tuple[str, Bound]:
    """The statement, and what stays bound. What has no text for its value stays as it is."""
    upper = sql.upper() if bound else ""
    if not any(word in upper for word in ("IDENTIFIER", *_PLACES)):
        return sql, bound
    read = list(tokens(sql))
    parts: list[str] = []
    used: set[int] = set()
    at = marks = 0
    for place, token in enumerate(read):
        if token.kind is not Kind.SYMBOL or token.text not in ("?", ":"):
            continue
        length = 1 if token.text == "?" else 2
        number = marks if length == 1 else _number(read, place)
        marks += length == 1
        is_named = _is_named(read, place, length) or _is_placed(read, place)
        name = _text(bound, number) if is_named else None
        if name is None:
            continue
        parts += [sql[at : token.start], literal(name)]
        at = read[place + length - 1].stop
        # Numbers go on meaning what they meant.
        used |= {number} if length == 1 else set()
    left = tuple(one for number, one in enumerate(bound) if number not in used)
    return "".join([*parts, sql[at:]]), left


def _number(read: Sequence[Token], place: int) -> int:
    after = read[place + 1] if place + 1 < len(read) else None
    return int(after.text[:6]) - 1 if after and after.text.isdigit() else -1


def _is_named(read: Sequence[Token], place: int, length: int) -> bool:
    """Whether IDENTIFIER( stands before it and ) behind."""
    if place < 2 or place + length >= len(read):
        return False
    word, opening, closing = read[place - 2], read[place - 1], read[place + length]
    is_word = word.kind is Kind.WORD and word.value == "IDENTIFIER"
    return is_word and opening.text == "(" and closing.text == ")"


def _is_placed(read: Sequence[Token], place: int) -> bool:
    """Whether LOCATION => stands before it, or FILE_FORMAT =>."""
    if place < 2 or read[place - 1].text != "=>":
        return False
    word = read[place - 2]
    return word.kind is Kind.WORD and word.value in _PLACES


def _text(bound: Bound, number: int) -> str | None:
    one = bound[number] if 0 <= number < len(bound) else None
    if one is None or one.is_array or len(one.values) != 1 or one.values[0].is_null:
        return None
    return one.values[0].value
