"""LIKE, STARTS WITH, LIMIT and FROM of SHOW; and the columns of its answers."""

from collections.abc import Iterable

from snowcave.api.contract import Cell, Column, Rows
from snowcave.api.sql.tree import Show

_MOST = 10_000


def like(name: str, pattern: str) -> bool:
    """SQL LIKE without case, with backslash as escape. Time grows with the product of the lengths."""
    text, wanted = name.casefold(), _pieces(pattern)
    at = piece = 0
    retry_at = retry_piece = -1
    while at < len(text):
        if piece < len(wanted) and wanted[piece] == "%":
            retry_piece, retry_at = piece, at
            piece += 1
        elif piece < len(wanted) and wanted[piece] in ("_", "=" + text[at]):
            at, piece = at + 1, piece + 1
        elif retry_piece >= 0:
            retry_at += 1
            at, piece = retry_at, retry_piece + 1
        else:
            return False
    return all(one == "%" for one in wanted[piece:])


def _pieces(pattern: str) -> list[str]:
    """`%`, `_`, or `=` and the character itself."""
    found: list[str] = []
    escaped = False
    for character in pattern.casefold():
        if character == "\\" and not escaped:
            escaped = True
            continue
        wild = character in "%_" and not escaped
        found.append(character if wild else "=" + character)
        escaped = False
    return found


def matches(name: str, pattern: str | None) -> bool:
    return pattern is None or like(name, pattern)


def columns(*specs: str) -> tuple[Column, ...]:
    """From `name`, or `name:type`."""
    found: list[Column] = []
    for spec in specs:
        name, _, kind = spec.partition(":")
        found.append(Column(name, kind or "text", scale=9 if kind.startswith("timestamp") else 0))
    return tuple(found)


def filtered(
    show: Show,
    shape: tuple[Column, ...],
    rows: Iterable[tuple[Cell, ...]],
    *,
    key: str = "name",
    ordered: bool = True,
) -> Rows:
    """The rows whose `key` column passes the filters, in its order; `ordered` False: in the given one."""
    at = next(index for index, column in enumerate(shape) if column.name == key)
    kept = [
        row
        for row in rows
        if matches(str(row[at]), show.like)
        and (show.starts_with is None or str(row[at]).startswith(show.starts_with))
    ]
    if ordered:
        kept.sort(key=lambda row: str(row[at]))
    if show.from_name is not None:
        kept = [row for row in kept if str(row[at]) > show.from_name]
    limit = _MOST if show.limit is None else max(0, min(show.limit, _MOST))
    return Rows(shape, kept[:limit])
