"""Definitions of tables as SQL for the warehouse. Pure.

Names, types and texts are read before they are written, so nothing that a client sends becomes more than the
part of the statement that it is for.
"""

from collections.abc import Sequence
from typing import Any

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest.models import Json
from snowcave.api.rest.names import any_name, data_type, identifier
from snowcave.api.sql.lexer import Kind, literal, tokens
from snowcave.api.sql.printing import words
from snowcave.model.errors import SyntaxInvalid

_OPEN, _CLOSE = "(", ")"
_LONGEST = 64 * 1024


def column(one: Json) -> str:
    """Of CREATE TABLE and ADD COLUMN."""
    if one.get("collate"):
        raise RequestInvalid("collate is not supported.")
    parts = [words.identifier(identifier(one["name"])), data_type(one["datatype"]).text]
    if one.get("nullable") is False:
        parts.append("NOT NULL")
    if "default" in one:
        parts.append("DEFAULT " + expression(one["default"], "default"))
    if one.get("autoincrement"):
        start = one.get("autoincrement_start", 1)
        step = one.get("autoincrement_increment", 1)
        parts.append(f"AUTOINCREMENT START {start} INCREMENT {step}")
    parts += [_constraint(given, own=True) for given in one.get("constraints", ())]
    if "comment" in one:
        parts.append("COMMENT " + literal(one["comment"]))
    return " ".join(parts)


def columns(given: Sequence[Json], constraints: Sequence[Json] = ()) -> str:
    made = [column(one) for one in given]
    made += [_constraint(one, own=False) for one in constraints]
    return f"({', '.join(made)})" if made else ""


def _constraint(one: Json, *, own: bool) -> str:
    """`own`: behind the column that it is of."""
    name = f"CONSTRAINT {words.identifier(identifier(one['name']))} " if one.get("name") else ""
    kind = one["constraint_type"]
    of = "" if own else " " + _names(one.get("column_names", ()))
    if kind != "FOREIGN KEY":
        return f"{name}{kind}{of}"
    other = words.name(any_name(one["referenced_table_name"]))
    to = _names(one["referenced_column_names"])
    return f"{name}{'' if own else kind + of + ' '}REFERENCES {other} {to}"


def _names(given: Sequence[str]) -> str:
    return f"({', '.join(words.identifier(identifier(one)) for one in given)})"


def expression(text: str, where: str) -> str:
    """One expression: it neither ends its statement nor its place in it. Raises RequestInvalid."""
    depth = 0
    for token in _tokens(text, where):
        depth += (token.text == _OPEN) - (token.text == _CLOSE)
        ends = token.text == ";" or (token.text == "," and depth == 0)
        if depth < 0 or ends or token.kind is Kind.VARIABLE:
            raise RequestInvalid(f"{where} is not one expression.")
    if depth or not text.strip():
        raise RequestInvalid(f"{where} is not one expression.")
    # On a line of its own: a comment at its end must not hide what follows.
    return f"{text.strip()}\n"


def query(text: str) -> str:
    """One query. Raises RequestInvalid."""
    found = _tokens(text, "query")
    if not found or found[0].value not in ("SELECT", "WITH", "VALUES", "("):
        raise RequestInvalid("query is not a query.")
    if any(token.text == ";" for token in found):
        raise RequestInvalid("query is more than one statement.")
    return f"{text.strip()}\n"


def _tokens(text: str, where: str) -> list[Any]:
    if len(text) > _LONGEST:
        raise RequestInvalid(f"{where} is too long.")
    try:
        found = tokens(text)
    except SyntaxInvalid as error:
        raise RequestInvalid(error.message) from error
    return [token for token in found if token.kind is not Kind.END]
