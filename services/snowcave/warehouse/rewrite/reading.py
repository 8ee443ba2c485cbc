"""A statement's text as sqlglot's tree, with the session's variables filled in. Pure."""

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import Expr, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from snowcave.model.errors import Kind, RemoteError, SnowcaveError, SyntaxInvalid
from snowcave.warehouse.engine import failures
from snowcave.warehouse.rewrite import spellings
from snowcave.warehouse.rewrite.functions import SnowflakeAlone

# Texts, bodies, quoted names and comments are skipped; what is left of `$name` is a variable.
_SKIPPED = r"""'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/"""
_LEXEME = re.compile(_SKIPPED + r"|[\w$]*\w\$[\w$]*|\$([A-Za-z_]\w*)", re.DOTALL)
# sqlglot takes `?::` for an operator of another dialect.
_CAST_OF_BINDING = re.compile(_SKIPPED + r"|(\?)(?=::)", re.DOTALL)


def fill_variables(sql: str, variables: Mapping[str, str]) -> str:
    """`$name` outside of texts and comments becomes the variable's value.

    Raises SnowcaveError where there is no such variable.
    """
    known = {name.upper(): value for name, value in variables.items()}

    def replace(match: re.Match[str]) -> str:
        if (name := match[1]) is None:
            return match[0]
        if (value := known.get(name.upper())) is None:
            raise RemoteError(
                Kind.INVALID,
                2211,
                "02000",
                f"SQL compilation error: error line 1 at position {match.start()}\n"
                f"Session variable '${name.upper()}' does not exist",
            )
        return value

    return _LEXEME.sub(replace, sql)


def parse(sql: str) -> Expr:
    """Exactly one statement. Raises SnowcaveError."""
    sql, copies_grants = spellings.clone_of(spellings.immediate(sql))
    if "?::" in sql:
        sql = _CAST_OF_BINDING.sub(lambda found: "? " if found[1] else found[0], sql)
    try:
        statements = [
            s
            for s in sqlglot.parse(sql, read=SnowflakeAlone)
            if s and not isinstance(s, exp.Semicolon)
        ]
    except (ParseError, TokenError) as error:
        raise _first_word(sql) or failures.syntax(error) from error
    if not statements:
        raise RemoteError(
            Kind.INVALID, 900, "42000", "SQL compilation error:\nEmpty SQL statement."
        )
    if len(statements) > 1:
        raise RemoteError(
            Kind.INVALID,
            8,
            "0A000",
            f"Actual statement count {len(statements)} did not match the desired statement count 1.",
        )
    if copies_grants and isinstance(statements[0], exp.Create):
        given = statements[0].args.get("properties") or exp.Properties(expressions=[])
        given.append("expressions", exp.CopyGrantsProperty())
        statements[0].set("properties", given)
    return spellings.written_out(statements[0])


def _first_word(sql: str) -> SnowcaveError | None:
    """Blame a first word that begins no statement, as Snowflake does."""
    try:
        first = next(iter(sqlglot.tokenize(sql, read="snowflake")), None)
    except TokenError:
        return None
    if first is None or first.token_type != TokenType.VAR:
        return None
    return SyntaxInvalid(first.line, max(0, first.col - len(first.text)), first.text)
