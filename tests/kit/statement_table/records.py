"""One row of the table: a statement, where its expectation comes from, and what it must answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Marker = Literal["documented", "validated", "ours", "deviates"]

# Stands for any value, also none, and for any value but none.
ANYTHING = re.compile(r"(?s).*")
KNOWN = re.compile(r"(?s)(?!None$).+")
DIGEST = re.compile(r"[0-9a-f]{64}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*")


@dataclass(frozen=True)
class Answer:
    """What a client saw of a statement."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    errno: int = 0
    sqlstate: str = ""
    message: str = ""

    @property
    def named_rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Expectation(Protocol):
    def unmet(self, answer: Answer) -> str:
        """What is wrong with the answer; empty where it is as expected."""
        ...


@dataclass(frozen=True)
class Refused:
    """An error with this number and SQLSTATE whose message has this text, or a match of this pattern."""

    number: int
    sqlstate: str
    text: str | re.Pattern[str]

    def unmet(self, answer: Answer) -> str:
        if not answer.errno:
            return f"no error, but {answer.rows}"
        if (answer.errno, answer.sqlstate) != (self.number, self.sqlstate):
            return f"{answer.errno} ({answer.sqlstate}): {answer.message}"
        if isinstance(self.text, str):
            return "" if self.text in answer.message else answer.message
        return "" if self.text.search(answer.message) else answer.message


@dataclass(frozen=True)
class Columns:
    """Exactly these, in this order; given as one text with spaces between them."""

    names: str

    def unmet(self, answer: Answer) -> str:
        wanted = self.names.split()
        return "" if list(answer.columns) == wanted else f"columns {' '.join(answer.columns)}"


@dataclass(frozen=True)
class Rows:
    """Exactly these, in this order. A value may be a pattern."""

    rows: Sequence[Sequence[Any]]

    def unmet(self, answer: Answer) -> str:
        same = len(answer.rows) == len(self.rows) and all(
            len(wanted) == len(got) and all(map(agrees, wanted, got))
            for wanted, got in zip(self.rows, answer.rows, strict=True)
        )
        return "" if same else f"rows {answer.rows}"


@dataclass(frozen=True)
class Holds:
    """Some row has these values in these columns, or the only row where `only`."""

    values: Mapping[str, Any]
    only: bool = False

    def unmet(self, answer: Answer) -> str:
        rows = answer.named_rows
        if self.only and len(rows) != 1:
            return f"{len(rows)} rows"
        for row in rows:
            if all(name in row and agrees(v, row[name]) for name, v in self.values.items()):
                return ""
        shown = [{name: row.get(name, "(no such column)") for name in self.values} for row in rows]
        return f"none of the rows {shown}"


@dataclass(frozen=True)
class Listed:
    """The column has exactly these values, in this order."""

    values: Sequence[Any]
    column: str = "name"

    def unmet(self, answer: Answer) -> str:
        got = [row.get(self.column) for row in answer.named_rows]
        same = len(got) == len(self.values) and all(map(agrees, self.values, got))
        return "" if same else f"{self.column}: {got}"


@dataclass(frozen=True)
class Without:
    """No row has this value in the column."""

    value: Any
    column: str = "name"

    def unmet(self, answer: Answer) -> str:
        got = [row[self.column] for row in answer.named_rows]
        return f"{self.value} is among the rows" if self.value in got else ""


@dataclass(frozen=True)
class Statement:
    """`source` names the public record where the marker is `validated`, the reason where it is `deviates`."""

    sql: str
    marker: Marker
    source: str
    expected: tuple[Expectation, ...]

    def unmet(self, answer: Answer) -> list[str]:
        refusal = any(isinstance(one, Refused) for one in self.expected)
        if answer.errno and not refusal:
            return [f"{answer.errno} ({answer.sqlstate}): {answer.message}"]
        return [words for one in self.expected if (words := one.unmet(answer))]


@dataclass(frozen=True)
class Family:
    """Statements of one session, run in this order, in a database of the family's name, schema PUBLIC.

    A family leaves nothing of the account's behind, so that it can be run again by another client.
    `smoke`: also run through the newest connector. `files`: in {folder}, by name, for PUT.
    """

    name: str
    statements: Sequence[Statement]
    smoke: bool = False
    role: str = "ACCOUNTADMIN"
    files: Mapping[str, str] = field(default_factory=dict[str, str])


Make = Callable[..., Statement]


def _make(marker: Marker, source: str = "") -> Make:
    def make(sql: str, *expected: Expectation) -> Statement:
        return Statement(sql, marker, source, expected)

    return make


documented = _make("documented")
ours = _make("ours")


def validated(source: str) -> Make:
    """By a public record of a live account, or a recorded exchange."""
    return _make("validated", source)


def deviates(reason: str) -> Make:
    return _make("deviates", reason)


def agrees(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return bool(wanted.fullmatch(str(got)))
    return type(wanted) is type(got) and wanted == got


def status(text: str) -> Rows:
    return Rows([(text,)])


DONE = status("Statement executed successfully.")
NOTHING = Rows([])


def one(**values: Any) -> Holds:
    """The only row."""
    return Holds(values, only=True)


def some(**values: Any) -> Holds:
    """Some row."""
    return Holds(values)


def names(*values: Any) -> Listed:
    return Listed(values)


# ------------------------------------------------------------ refusals that every family meets


def missing(kind: str, name: str) -> Refused:
    return Refused(2003, "02000", f"{kind} '{name}' does not exist or not authorized.")


def exists(name: str) -> Refused:
    """Sources show the names of an account's objects only; others may stand there with their schema."""
    return Refused(2002, "42710", re.compile(rf"Object '([A-Z_0-9]+\.)*{name}' already exists\."))


def no_option(*options: str) -> Refused:
    return Refused(2029, "42601", f"Missing option(s): [{', '.join(options)}]")


def syntax_error(line: int, position: int, met: str) -> Refused:
    return Refused(
        1003, "42000", f"syntax error line {line} at position {position} unexpected '{met}'."
    )


def unsupported(feature: str) -> Refused:
    return Refused(2, "0A000", f"Unsupported feature '{feature}'")


def wrong_value(text: str | re.Pattern[str]) -> Refused:
    return Refused(1008, "22023", text)
