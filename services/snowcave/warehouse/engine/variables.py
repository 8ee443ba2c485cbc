"""Session variables: SET, UNSET, SHOW VARIABLES."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, RemoteError


@dataclass(frozen=True, slots=True)
class Variable:
    # As it is written in a statement.
    literal: str
    value: str
    type: str
    updated: datetime


class Variables:
    """Of one session. Names are in upper case."""

    def __init__(self) -> None:
        self._known: dict[str, Variable] = {}

    @property
    def literals(self) -> Mapping[str, str]:
        return {name: variable.literal for name, variable in self._known.items()}

    @property
    def all(self) -> Mapping[str, Variable]:
        return self._known

    def change(
        self, statement: Expr, evaluate: Callable[[Expr], Any], now: Callable[[], datetime]
    ) -> bool:
        """Whether the statement was SET or UNSET. Raises SnowcaveError."""
        if (removed := _unset(statement)) is not None:
            for name in removed:
                self._known.pop(name, None)
            return True
        if not isinstance(statement, exp.Set):
            return False
        for name, value in _assignments(statement):
            self._known[name] = _variable(evaluate(value), now())
        return True


def _assignments(statement: exp.Set) -> list[tuple[str, Expr]]:
    found: list[tuple[str, Expr]] = []
    for item in statement.expressions:
        pair = item.this if isinstance(item, exp.SetItem) else item
        if not isinstance(pair, exp.EQ):
            raise _malformed()
        names, values = _parts(pair.this), _parts(pair.expression)
        if len(names) != len(values):
            raise _malformed()
        found += [(name.name.upper(), value) for name, value in zip(names, values, strict=True)]
    return found


def _parts(node: Expr) -> list[Expr]:
    """`(a, b)` → both; `a` and `(a)` → the one."""
    if isinstance(node, exp.Tuple):
        return node.expressions
    return [node.unnest()] if isinstance(node, exp.Paren) else [node]


def _unset(statement: Expr) -> list[str] | None:
    """sqlglot reads `UNSET a` as a column `UNSET` with an alias, and `UNSET (a, b)` as a call."""
    if isinstance(statement, exp.Alias) and isinstance(statement.this, exp.Column):
        return [statement.alias.upper()] if statement.this.name.upper() == "UNSET" else None
    if isinstance(statement, exp.Anonymous) and statement.name.upper() == "UNSET":
        return [one.name.upper() for one in statement.expressions]
    return None


def _variable(value: Any, now: datetime) -> Variable:
    if value is None:
        return Variable("NULL", "", "text", now)
    if isinstance(value, bool):
        return Variable(str(value).upper(), str(value).lower(), "boolean", now)
    if isinstance(value, float):
        return Variable(repr(value), repr(value), "real", now)
    text = str(value)
    if isinstance(value, str):
        escaped = text.replace("\\", "\\\\").replace("'", "''")
        return Variable(f"'{escaped}'", text, "text", now)
    if hasattr(value, "year"):
        return Variable(f"'{text}'", text, "text", now)
    return Variable(text, text, "fixed", now)


def _malformed() -> RemoteError:
    return RemoteError(
        Kind.INVALID, 1003, "42000", "SQL compilation error:\nSET needs as many values as names."
    )
