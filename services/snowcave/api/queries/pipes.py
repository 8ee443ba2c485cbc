"""`SHOW SERVICES ->> SELECT "name" FROM $1`: statements of which each reads what earlier ones answered.

`$1` is the statement right before, `$2` the one before that. Each runs as a statement of its own, under an id
of its own, and `FROM $1` reads its kept result.
"""

from collections.abc import Sequence
from itertools import pairwise

from snowcave.api.queries import dml
from snowcave.api.sql.lexer import Kind, Token, literal, tokens
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import warehouse_pb2 as warehouse

_PIPE = "->>"

# The values of one statement.
Bound = tuple[warehouse.Binding, ...]


def steps(sql: str) -> list[str]:
    """The statements of a chain; only one where there is no chain. Raises SyntaxInvalid."""
    if _PIPE not in sql:
        return [sql]
    found: list[str] = []
    begin = 0
    for token in tokens(sql):
        if token.text == _PIPE and token.kind is Kind.SYMBOL:
            found.append(sql[begin : token.start])
            begin = token.stop
    return [*found, sql[begin:]]


def pointed(sql: str, earlier: Sequence[str]) -> str:
    """`FROM $n` reads the result of the n-th statement before; `earlier`: their ids, the first one first.

    Raises ValueInvalid where there is no such statement.
    """
    parts: list[str] = []
    at = 0
    for before, token in pairwise(tokens(sql)):
        # After a comma it may as well be a column.
        if before.value in ("FROM", "JOIN") and (number := _number(token)):
            if number > len(earlier):
                raise ValueInvalid(
                    f"SQL compilation error:\nThere is no statement ${number} in this chain."
                )
            parts += [sql[at : token.start], f"TABLE(RESULT_SCAN({literal(earlier[-number])}))"]
            at = token.stop
    return "".join([*parts, sql[at:]])


def shared(parts: Sequence[str], bindings: Sequence[warehouse.Binding]) -> list[Bound]:
    """Which of the client's values belong to which statement."""
    found: list[Bound] = []
    at = 0
    for part in parts:
        count = dml.placeholders(part)
        found.append(tuple(bindings[at : at + count]))
        at += count
    return found


def _number(token: Token) -> int:
    """1 for `$1`; 0 for what is no such thing."""
    text = token.text[1:]
    is_number = token.kind is Kind.VARIABLE and text.isascii() and text.isdigit()
    return int(text[:6]) if is_number else 0
