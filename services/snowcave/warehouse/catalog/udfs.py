"""SQL functions that users define, kept as DuckDB macros in their schema. Pure.

sqlglot gives up on some orders of the clauses before AS, so the statement is read from its tokens here.
"""

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import Expr, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from snowcave.model.errors import Kind, RemoteError, SnowcaveError, SyntaxInvalid, Unsupported

# Before each argument's name in the macro, so that no column of the body's own tables is meant by it.
_ARGUMENT = "_SC_ARG_"
_MENTIONED = re.compile(r"\bFUNCTION\b", re.IGNORECASE)
_TABLE_FUNCTIONS = {
    "RESULT_SCAN",
    "GENERATOR",
    "FLATTEN",
    "SPLIT_TO_TABLE",
    "STRTOK_SPLIT_TO_TABLE",
    "INFER_SCHEMA",
}
_SESSION_VALUES = (
    exp.CurrentRole,
    exp.CurrentUser,
    exp.CurrentWarehouse,
    exp.CurrentAccount,
    exp.CurrentSession,
    exp.CurrentDatabase,
    exp.CurrentSchema,
)


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    type: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """CREATE FUNCTION, read."""

    name: exp.Table
    arguments: tuple[Argument, ...]
    # A type, or the columns of the table that it returns.
    returns: str
    columns: tuple[Argument, ...]
    language: str
    body: str
    replace: bool
    if_not_exists: bool

    @property
    def signature(self) -> str:
        return "(" + ", ".join(f"{a.name} {a.type}" for a in self.arguments) + ")"


def read(sql: str) -> Definition | None:
    """None where it is another statement. Raises SyntaxInvalid."""
    if not _MENTIONED.search(sql):
        return None
    try:
        tokens = list(sqlglot.tokenize(sql, read="snowflake"))
    except TokenError:
        return None
    return _Reader(sql, tokens).definition()


def as_create(definition: Definition) -> exp.Create:
    """In sqlglot's shape, for whoever looks at statements by their kind; the definition goes along."""
    create = exp.Create(
        this=exp.UserDefinedFunction(this=definition.name.copy()),
        kind="FUNCTION",
        replace=definition.replace,
        exists=definition.if_not_exists,
    )
    create.meta["definition"] = definition
    return create


def definition_of(statement: Expr) -> Definition | None:
    return statement.meta.get("definition") if isinstance(statement, exp.Create) else None


def body(definition: Definition) -> exp.Query:
    """A query over the arguments that gives what the function gives. Raises SnowcaveError."""
    if definition.language != "SQL":
        raise Unsupported(f"CREATE FUNCTION in language {definition.language}")
    parsed = _parsed(definition.body)
    if next(iter(parsed.find_all(*_SESSION_VALUES)), None):
        raise Unsupported("a function of the session in the body of a function")
    types = {a.name: a.type for a in definition.arguments}
    for column in list(parsed.find_all(exp.Column)):
        name = column.name if column.this.args.get("quoted") else column.name.upper()
        if not column.table and name in types:
            column.replace(exp.cast(exp.column(_ARGUMENT + name), _type(types[name])))
    if not definition.columns:
        scalar = parsed if isinstance(parsed, exp.Select) and parsed.args.get("from_") else None
        value = scalar.subquery() if scalar else parsed.selects[0].unalias()
        return exp.select(exp.alias_(exp.cast(value, _type(definition.returns)), "V"))
    names = [c.name for c in definition.columns]
    shown = [
        exp.alias_(exp.cast(exp.column(c.name), _type(c.type)), c.name) for c in definition.columns
    ]
    alias = exp.TableAlias(
        this=exp.to_identifier("T"), columns=[exp.to_identifier(n) for n in names]
    )
    return exp.select(*shown).from_(exp.Subquery(this=parsed, alias=alias))


def macro(definition: Definition, place: str, query: str, value: str) -> str:
    """`query` and `value`: `body` in DuckDB's words, whole and its only item."""
    heads = [
        f'"{_ARGUMENT}{a.name}"' + (f" := {a.default}" if a.default else "")
        for a in definition.arguments
    ]
    create = "CREATE OR REPLACE MACRO" if definition.replace else "CREATE MACRO"
    if definition.if_not_exists:
        create += " IF NOT EXISTS"
    return f"{create} {place}({', '.join(heads)}) AS " + (
        f"TABLE {query}" if definition.columns else f"({value})"
    )


def call_tables(statement: Expr) -> Expr:
    """TABLE(f(x)) of a user's function becomes f(x), as DuckDB has it."""
    for node in list(statement.find_all(exp.TableFromRows)):
        parts = list(node.this.flatten()) if isinstance(node.this, exp.Dot) else [node.this]
        function = parts[-1]
        if not isinstance(function, exp.Anonymous) or function.name.upper() in _TABLE_FUNCTIONS:
            continue
        table = exp.Table(this=function.copy())
        for key, part in zip(("db", "catalog"), reversed(parts[:-1]), strict=False):
            table.set(key, part.copy())
        if alias := node.args.get("alias"):
            table.set("alias", alias.copy())
        node.replace(table)
    return statement


def _parsed(text: str) -> exp.Query:
    text = text.strip().rstrip(";")
    for attempt in (text, f"SELECT {text}"):
        try:
            found = sqlglot.parse_one(attempt, read="snowflake")
        except (ParseError, TokenError):
            continue
        if isinstance(found, exp.Query):
            return found
    raise RemoteError(
        Kind.INVALID,
        1003,
        "42000",
        "SQL compilation error:\nThe body of the function is no expression.",
    )


def _type(text: str) -> exp.DataType:
    try:
        return exp.DataType.build(text, dialect="snowflake")
    except (ParseError, ValueError) as error:
        raise _unknown_type(text) from error


def _unknown_type(text: str) -> SnowcaveError:
    return RemoteError(
        Kind.INVALID, 2040, "42601", f"SQL compilation error:\nUnsupported data type '{text}'."
    )


class _Reader:
    """The tokens from left to right."""

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self._sql = sql
        self._tokens = tokens
        self._at = 0

    def definition(self) -> Definition | None:
        if not self._accept("CREATE"):
            return None
        replace = self._accept("OR", "REPLACE")
        while self._accept("SECURE") or self._accept("TEMPORARY") or self._accept("TEMP"):
            pass
        if not self._accept("FUNCTION"):
            return None
        keep = self._accept("IF", "NOT", "EXISTS")
        name = self._name()
        arguments = self._arguments()
        self._expect("RETURNS")
        columns = self._arguments() if self._accept("TABLE") else ()
        returns = "" if columns else self._type_until(
            {"NOT", "NULL", "LANGUAGE", "AS", "CALLED", "RETURNS", "STRICT", "VOLATILE", "IMMUTABLE",
             "MEMOIZABLE", "COMMENT", "RUNTIME_VERSION", "HANDLER", "PACKAGES", "IMPORTS"}
        )  # fmt: skip
        language, text = "SQL", None
        while self._peek() is not None:
            if self._accept("LANGUAGE"):
                language = self._take().text.upper()
            elif self._accept("AS"):
                text = self._take().text
            elif self._take().token_type == TokenType.SEMICOLON:
                break
        if text is None:
            raise SyntaxInvalid(1, len(self._sql), "<EOF>")
        return Definition(name, arguments, returns, columns, language, text, replace, keep)

    def _name(self) -> exp.Table:
        parts = [self._identifier()]
        while self._accept("."):
            parts.append(self._identifier())
        names = [exp.to_identifier(p, quoted=True) for p in parts]
        return exp.Table(**dict(zip(("this", "db", "catalog"), reversed(names), strict=False)))

    def _identifier(self) -> str:
        token = self._take()
        return token.text if token.token_type == TokenType.IDENTIFIER else token.text.upper()

    def _arguments(self) -> tuple[Argument, ...]:
        self._expect("(")
        found: list[Argument] = []
        while not self._accept(")"):
            name = self._identifier()
            kind = self._type_until({",", ")", "DEFAULT"})
            default = self._type_until({",", ")"}) if self._accept("DEFAULT") else ""
            found.append(Argument(name, kind, default))
            self._accept(",")
        return tuple(found)

    def _type_until(self, stops: set[str]) -> str:
        """The text up to a word of `stops` outside of parentheses."""
        first, depth = self._peek(), 0
        last = first
        while (token := self._peek()) is not None:
            if depth == 0 and token.text.upper() in stops:
                break
            depth += (token.text == "(") - (token.text == ")")
            last = self._take()
        if first is None or last is None or first is self._peek():
            raise self._unexpected()
        return self._sql[first.start : last.end + 1].upper()

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> Token:
        if (token := self._peek()) is None:
            raise self._unexpected()
        self._at += 1
        return token

    def _accept(self, *words: str) -> bool:
        ahead = self._tokens[self._at : self._at + len(words)]
        if len(ahead) != len(words) or any(
            t.text.upper() != w or t.token_type in (TokenType.STRING, TokenType.RAW_STRING)
            for t, w in zip(ahead, words, strict=True)
        ):
            return False
        self._at += len(words)
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._unexpected()

    def _unexpected(self) -> SnowcaveError:
        token = self._peek()
        if token is None:
            return SyntaxInvalid(1, len(self._sql), "<EOF>")
        return SyntaxInvalid(token.line, max(0, token.col - len(token.text)), token.text)
