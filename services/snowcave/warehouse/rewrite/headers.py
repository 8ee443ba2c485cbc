"""Columns without a name headed as Snowflake heads them. Pure."""

import re

import sqlglot
from sqlglot import Expr, exp
from sqlglot.tokenizer_core import Token, TokenType

_STOPS = {
    TokenType.FROM,
    TokenType.WHERE,
    TokenType.GROUP_BY,
    TokenType.ORDER_BY,
    TokenType.HAVING,
    TokenType.QUALIFY,
    TokenType.LIMIT,
    TokenType.OFFSET,
    TokenType.FETCH,
    TokenType.UNION,
    TokenType.INTERSECT,
    TokenType.EXCEPT,
    TokenType.SEMICOLON,
    TokenType.INTO,
}
_OPEN = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}


def name_columns(statement: Expr, sql: str) -> Expr:
    """Columns without a name get the text that the user wrote, as Snowflake heads them."""
    select = _outer_select(statement)
    if select is None or not isinstance(statement, exp.Query):
        return statement
    texts = select_items(sql)
    if len(texts) != len(select.expressions):
        return statement
    for item, text in zip(list(select.expressions), texts, strict=True):
        if not isinstance(item, (exp.Alias, exp.Column, exp.Star, exp.Aliases)):
            item.replace(exp.alias_(item.copy(), exp.to_identifier(header(text), quoted=True)))
    return statement


def header(text: str) -> str:
    """`my_udf('hello!')` → `MY_UDF('HELLO!')`; quoted names stay."""
    parts = re.split(r'("(?:[^"]|"")*")', " ".join(text.split()))
    return "".join(p if p.startswith('"') else p.upper() for p in parts)


def select_items(sql: str) -> list[str]:
    """The texts between the commas of the outermost (leftmost) select list."""
    tokens = sqlglot.tokenize(sql, read="snowflake")
    start = _first_select(tokens)
    if start is None:
        return []
    items: list[str] = []
    depth, begin = 0, start
    for index in range(start, len(tokens) + 1):
        token = tokens[index] if index < len(tokens) else None
        kind = token.token_type if token else TokenType.SEMICOLON
        ends = depth == 0 and (kind in _STOPS or kind in _CLOSE or kind == TokenType.COMMA)
        if ends:
            if index > begin:
                items.append(sql[tokens[begin].start : tokens[index - 1].end + 1])
            begin = index + 1
            if kind != TokenType.COMMA:
                break
        depth += (kind in _OPEN) - (kind in _CLOSE)
    return items


def _first_select(tokens: list[Token]) -> int | None:
    """Index after the first SELECT that stands outside of WITH's parentheses."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.SELECT and depth == 0:
            follows = tokens[index + 1].token_type if index + 1 < len(tokens) else None
            return index + 2 if follows in {TokenType.DISTINCT, TokenType.ALL} else index + 1
        depth += (token.token_type in _OPEN) - (token.token_type in _CLOSE)
    return None


def _outer_select(statement: Expr) -> exp.Select | None:
    node = statement
    while isinstance(node, exp.SetOperation):
        node = node.this
    return node if isinstance(node, exp.Select) else None
