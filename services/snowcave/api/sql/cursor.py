"""A place in a token list: what every statement family's parser reads with."""

from collections.abc import Callable
from typing import TypeVar

from snowcave.api.sql.lexer import Kind, Token, error_at, tokens
from snowcave.api.sql.placeholders import Given, filled
from snowcave.model.errors import SyntaxInvalid, ValueInvalid
from snowcave.model.names import RESERVED, ObjectName

T = TypeVar("T")


class Cursor:
    """Reads forward. `accept` takes what is there or nothing; `expect` takes it or raises SyntaxInvalid."""

    def __init__(self, sql: str, given: Given | None = None) -> None:
        self.sql = sql
        self._tokens = filled(tokens(sql), given) if given else tokens(sql)
        self._at = 0

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.peek()
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def previous(self) -> Token:
        """The token read last."""
        return self._tokens[max(self._at - 1, 0)]

    def rest(self) -> list[Token]:
        """What is not read yet, END included."""
        return self._tokens[self._at :]

    def mark(self) -> int:
        return self._at

    def reset(self, mark: int) -> None:
        self._at = mark

    def count_since(self, mark: int, wanted: Callable[[Token], bool]) -> int:
        """How many of the tokens read since are such."""
        return sum(map(wanted, self._tokens[mark : self._at]))

    def at(self, *words: str) -> bool:
        """Whether these keywords or symbols come next."""
        return all(self._is(self.peek(ahead), word) for ahead, word in enumerate(words))

    def at_one(self, *words: str) -> bool:
        return any(self._is(self.peek(), word) for word in words)

    def accept(self, *words: str) -> bool:
        if self.at(*words):
            self._at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.accept(word):
                raise self.unexpected(f"'{word}'")

    def one_of(self, *words: str) -> str:
        if self.at_one(*words):
            return self.take().value
        raise self.unexpected(", ".join(f"'{word}'" for word in words))

    def unexpected(self, expected: str = "", token: Token | None = None) -> SyntaxInvalid:
        found = token or self.peek()
        return error_at(self.sql, found.start, found.text, expected)

    def end(self) -> None:
        """The statement ends here; a semicolon may."""
        while self.accept(";"):
            pass
        if self.peek().kind is not Kind.END:
            raise self.unexpected()

    def identifier(self) -> str:
        """One folded name. A string is taken for one only within IDENTIFIER('…')."""
        token = self.peek()
        if not token.is_name or (token.kind is Kind.QUOTED and not token.value):
            raise self.unexpected("identifier")
        return self.take().value

    def name(self) -> ObjectName:
        """A name of one to three parts, or IDENTIFIER('…')."""
        if self.at("IDENTIFIER", "("):
            return self._identifier_call()
        parts = [self._part()]
        while len(parts) < 3 and self.at("."):
            self.take()
            # db..name stands for db.PUBLIC.name.
            parts.append("PUBLIC" if len(parts) == 1 and self.at(".") else self._part())
        return ObjectName(*reversed(parts))

    def _part(self) -> str:
        token = self.peek()
        if token.kind is Kind.WORD and token.value in RESERVED:
            raise self.unexpected()
        return self.identifier()

    def plain_name(self) -> str:
        """The name of an account's object: one part."""
        mark = self.peek()
        name = self.name()
        if name.schema:
            raise self.unexpected("identifier", mark)
        return name.name

    def _identifier_call(self) -> ObjectName:
        self.expect("IDENTIFIER", "(")
        token = self.take()
        if token.kind is not Kind.STRING:
            raise self.unexpected("string", token)
        self.expect(")")
        return parse_name(token.value)

    def string(self) -> str:
        if self.peek().kind is not Kind.STRING:
            raise self.unexpected("string")
        return self.take().value

    def integer(self) -> int:
        sign = -1 if self.accept("-") else 1
        token = self.peek()
        if token.kind is Kind.NUMBER and token.value.isdigit() and len(token.value) < 19:
            return sign * int(self.take().value)
        raise self.unexpected("integer")

    def word_or_string(self) -> str:
        """A value that users write quoted or not; its source spelling, without quotes."""
        token = self.peek()
        if token.kind not in (Kind.STRING, Kind.WORD, Kind.QUOTED, Kind.NUMBER):
            raise self.unexpected("value")
        self.take()
        return token.text if token.kind is Kind.WORD else token.value

    def comma_list(self, read: Callable[[], T]) -> tuple[T, ...]:
        found = [read()]
        while self.accept(","):
            found.append(read())
        return tuple(found)

    def in_parentheses(self, read: Callable[[], T]) -> tuple[T, ...]:
        """`(a, b)`, possibly empty."""
        self.expect("(")
        if self.accept(")"):
            return ()
        found = self.comma_list(read)
        self.expect(")")
        return found

    @staticmethod
    def _is(token: Token, word: str) -> bool:
        return token.kind in (Kind.WORD, Kind.SYMBOL) and token.value == word


def parse_name(text: str) -> ObjectName:
    """A name as it arrives in a string argument: `db.schema."my svc"`."""
    cursor = Cursor(text)
    try:
        name = cursor.name()
        cursor.end()
    except SyntaxInvalid:
        raise ValueInvalid(f"SQL compilation error:\ninvalid identifier '{text[:256]}'.") from None
    return name
