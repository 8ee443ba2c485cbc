"""SQL text to tokens.

Knows Snowflake's comments, quoting and stage paths, and nothing of statements. Total: any text gives tokens
or `SyntaxInvalid` (an opening quote or comment that never closes); a character that it does not know is a
symbol for the parser, or the warehouse, to judge.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from snowcave.model.errors import SyntaxInvalid


class Kind(Enum):
    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    # @stage/path and $variable.
    STAGE = auto()
    VARIABLE = auto()
    SYMBOL = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the source; `value` what it means: words in upper case, strings without quotes."""

    kind: Kind
    text: str
    value: str
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.text)

    @property
    def is_name(self) -> bool:
        return self.kind in (Kind.WORD, Kind.QUOTED)


_TOKENS = re.compile(
    r"""
      (?P<SPACE>\s+ | --[^\n]* | //[^\n]* | /\*.*?\*/)
    | (?P<DOLLARS>\$\$.*?\$\$)
    | (?P<WORD>[^\W\d][\w$]*)
    | (?P<QUOTED>"(?:[^"]++|"")*+")
    | (?P<STRING>'(?:[^'\\]++|\\.|'')*+')
    | (?P<NUMBER>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<STAGE>@(?:"(?:[^"]|"")*"|[^\s;,()'"])+)
    | (?P<VARIABLE>\$\w+)
    | (?P<SYMBOL>=> | ->> | -> | :: | \|\| | <> | != | <= | >= | .)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENERS = ("$$", "/*", "'", '"')
_ESCAPE = re.compile(r"''|\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


def tokens(sql: str) -> list[Token]:
    """All tokens, comments and space left out, the last one END."""
    found: list[Token] = []
    for match in _TOKENS.finditer(sql):
        group = match.lastgroup or "SYMBOL"
        if group == "SPACE":
            continue
        text, start = match.group(), match.start()
        if group == "SYMBOL" and sql.startswith(_OPENERS, start):
            raise error_at(sql, start, text)
        found.append(_token(group, text, start))
    found.append(Token(Kind.END, "", "", len(sql)))
    return found


def error_at(sql: str, offset: int, unexpected: str, expected: str = "") -> SyntaxInvalid:
    """The error that points at `offset`: lines count from 1, positions from 0."""
    line = sql.count("\n", 0, offset) + 1
    position = offset - (sql.rfind("\n", 0, offset) + 1)
    return SyntaxInvalid(line, position, unexpected or "<EOF>", expected)


def split(sql: str) -> list[str]:
    """The statements of a text, without their semicolons; empty ones are left out."""
    parts: list[str] = []
    begin: int | None = None
    end = 0
    for token in tokens(sql):
        if token.kind is Kind.END or token.text == ";":
            if begin is not None:
                parts.append(sql[begin:end])
            begin = None
            continue
        begin = token.start if begin is None else begin
        end = token.stop
    return parts


def literal(text: str) -> str:
    """`text` as a SQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _token(group: str, text: str, start: int) -> Token:
    match group:
        case "DOLLARS":
            return Token(Kind.STRING, text, text[2:-2], start)
        case "STRING":
            return Token(Kind.STRING, text, _ESCAPE.sub(_unescape, text[1:-1]), start)
        case "QUOTED":
            return Token(Kind.QUOTED, text, text[1:-1].replace('""', '"'), start)
        case "WORD":
            return Token(Kind.WORD, text, text.upper(), start)
        case _:
            return Token(Kind[group], text, text, start)


def _unescape(match: re.Match[str]) -> str:
    escape: str | None = match.group(1)
    if escape is None:
        return "'"
    if escape in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[escape]
    if escape[0] in "ux" and len(escape) > 1:
        return _character(int(escape[1:], 16))
    if escape.isdigit() and escape.isascii() and all(digit in "01234567" for digit in escape):
        return chr(int(escape, 8))
    return escape


def _character(point: int) -> str:
    # Half of a surrogate pair is no character, and no encoder would take it later.
    return "\ufffd" if 0xD800 <= point <= 0xDFFF else chr(point)
