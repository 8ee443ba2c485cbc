"""How Snowflake heads the columns of a SELECT that have no name: by the text that the user wrote."""

import re
from collections.abc import Iterator, Sequence

from snowcave.api.sql.lexer import Kind, Token

_CLAUSES = "FROM WHERE GROUP HAVING QUALIFY ORDER LIMIT OFFSET FETCH UNION INTERSECT EXCEPT MINUS INTO WINDOW"
_ENDS = frozenset(_CLAUSES.split())
_QUOTED = re.compile(r'("(?:[^"]|"")*")')
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")


def header(text: str) -> str:
    """`f('a',  "b")` → `F('A', "b")`."""
    parts = _QUOTED.split(" ".join(text.split()))
    return "".join(part if part.startswith('"') else part.upper() for part in parts)


def nameless(sql: str, tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Start, end and header of those items of the outermost select list that have no name of their own."""
    for item in _items(tokens):
        if item and not _has_name(item):
            start, stop = item[0].start, item[-1].stop
            yield start, stop, header(sql[start:stop])


def _items(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    depth, item = 0, list[Token]()
    begun = False
    for token in tokens:
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        is_word = token.kind is Kind.WORD and depth == 0
        if not begun:
            begun = is_word and token.value == "SELECT"
            continue
        if is_word and token.value in ("DISTINCT", "ALL") and not item:
            continue
        over = token.kind is Kind.END or token.text == ";" or (is_word and token.value in _ENDS)
        if over or (token.text == "," and depth == 0):
            yield item
            item = []
            if over:
                return
            continue
        item.append(token)


def _has_name(item: Sequence[Token]) -> bool:
    """`… AS n`, `… n`; a bare name or a star is one as well."""
    last = item[-1]
    if not last.is_name:
        return last.text == "*"
    if len(item) == 1 or item[-2].text == ".":
        return True
    before = item[-2]
    if last.kind is Kind.WORD and last.value == "END":
        return False
    ends_value = before.kind in (Kind.STRING, Kind.NUMBER) or before.is_name
    return ends_value or before.text in _CLOSE
