"""What stands for values in a statement: `?` and `:1` bound by the client, `$name` of the session.

Each becomes a token with the value, at the place and with the text of what it replaces, so a statement's
parser knows nothing of them and errors still point at what was written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowcave.api.sql.lexer import Kind, Token

# As in `tree`, which is made of what is read with placeholders filled in.
Literal = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Given:
    bound: Sequence[Literal] = ()
    # By upper-case name.
    variables: Mapping[str, Literal] = field(default_factory=dict[str, Literal])

    def __bool__(self) -> bool:
        return bool(self.bound or self.variables)


def is_variable(token: Token) -> bool:
    """`$name`; `$1` is a column."""
    return token.kind is Kind.VARIABLE and not token.text[1:2].isdigit()


def is_mark(token: Token) -> bool:
    """`?`, filled in or not."""
    return token.text == "?" and token.kind is not Kind.QUOTED


def filled(tokens: Sequence[Token], given: Given) -> list[Token]:
    """What has no value stays as it is."""
    found: list[Token] = []
    marks = at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token.kind is Kind.SYMBOL and token.text == "?":
            marks += 1
            found.append(_bound(token, marks, given))
        elif _is_numbered(tokens, at - 1):
            number = tokens[at]
            whole = Token(Kind.SYMBOL, token.text + number.text, "", token.start)
            found.append(_bound(whole, int(number.text[:6]), given))
            at += 1
        elif is_variable(token) and token.text[1:].upper() in given.variables:
            found.append(_valued(token, given.variables[token.text[1:].upper()]))
        else:
            found.append(token)
    return found


def _is_numbered(tokens: Sequence[Token], at: int) -> bool:
    """`:1`, but not the path of a value: `v:1`."""
    if tokens[at].text != ":" or tokens[at].kind is not Kind.SYMBOL:
        return False
    after = tokens[at + 1]
    before = tokens[at - 1] if at else None
    is_path = before is not None and before.stop == tokens[at].start and _ends_value(before)
    adjacent = after.kind is Kind.NUMBER and after.start == tokens[at].stop
    return adjacent and after.text.isdigit() and not is_path


def _ends_value(token: Token) -> bool:
    return token.is_name or token.kind is Kind.VARIABLE or token.text in (")", "]")


def _bound(token: Token, number: int, given: Given) -> Token:
    return _valued(token, given.bound[number - 1]) if 0 < number <= len(given.bound) else token


def _valued(token: Token, value: Literal) -> Token:
    if value is None or isinstance(value, bool):
        return Token(
            Kind.WORD, token.text, "NULL" if value is None else str(value).upper(), token.start
        )
    if isinstance(value, str):
        return Token(Kind.STRING, token.text, value, token.start)
    return Token(Kind.NUMBER, token.text, str(value), token.start)
