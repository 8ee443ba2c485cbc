"""`snowcave sql`: a small shell."""

import asyncio
import csv
import io
import json
import readline
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from snowcave.cli.options import home_option, read_home
from snowcave.cli.session import (
    context_options,
    describe,
    open_session,
    password_of,
    user_options,
)
from snowcave.client import Result, Session
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import sql_pb2 as v1

_HISTORY = 1000
_LEAVING = ("exit", "quit", "!exit", "!quit", "\\q")
# So few columns are shown side by side even where their texts have to be folded.
_FEW_COLUMNS = 2


@click.command()
@home_option
@click.option("-q", "--query", help="Run these statements and leave.")
@click.option("-f", "--file", type=click.File(), help="Run the statements of a file and leave.")
@click.option("--format", "style", type=click.Choice(["table", "json", "csv"]), default="table")
@user_options
@context_options
def sql(
    home: Path | None,
    query: str | None,
    file: io.TextIOBase | None,
    style: str,
    user: str,
    password: str | None,
    **context: str,
) -> None:
    """Run SQL: interactively, from -q, from a file or from standard input."""
    mesh = read_home(home)
    login = v1.LoginRequest(user=user, password=password_of(mesh, user, password), **context)
    text = query if query is not None else file.read() if file else None
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read()
    try:
        if text is None:
            _shell(mesh, login, style)
        else:
            asyncio.run(_run_all(mesh, login, text, style))
    except SnowcaveError as error:
        raise click.ClickException(describe(error)) from error


async def _run_all(mesh: Mesh, login: v1.LoginRequest, text: str, style: str) -> None:
    async with open_session(mesh, login) as session:
        for statement in statements(text):
            with _progress() as tell:
                result = await session.execute(statement, tell)
            show(result, style)


def _shell(mesh: Mesh, login: v1.LoginRequest, style: str) -> None:
    """Lines are read outside of the event loop, so that Ctrl-C ends a line or a statement and no more."""
    history = Path.home() / ".snowcave_history"
    readline.set_history_length(_HISTORY)
    if history.exists():
        readline.read_history_file(history)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        session = runner.run(stack.enter_async_context(open_session(mesh, login)))
        click.echo("Statements end with a semicolon. Leave with exit or Ctrl-D.")
        try:
            while (text := _read_statement()) is not None:
                readline.write_history_file(history)
                run_each(runner, session, text, style)
        finally:
            runner.run(stack.aclose())


def run_each(runner: asyncio.Runner, session: Session, text: str, style: str) -> None:
    """The statements of a line; Ctrl-C cancels the one that runs and forgets the others."""
    for statement in split(text):
        try:
            with _progress() as tell:
                result = runner.run(session.execute(statement, tell))
            show(result, style)
        except SnowcaveError as error:
            click.secho(describe(error), fg="red", err=True)
        except KeyboardInterrupt:
            click.secho("Cancelled.", fg="red", err=True)
            return


@contextmanager
def _progress() -> Generator[Callable[[v1.SqlProgress], None]]:
    """Writes on a line of a terminal's own how far service functions have come, and wipes it in the end."""
    began, written = monotonic(), False

    def tell(progress: v1.SqlProgress) -> None:
        nonlocal written
        if sys.stderr.isatty():
            written = True
            click.echo(f"\r\x1b[K{told(progress, monotonic() - began)}", nl=False, err=True)

    try:
        yield tell
    finally:
        if written:
            click.echo("\r\x1b[K", nl=False, err=True)


def told(progress: v1.SqlProgress, seconds: float) -> str:
    rate = progress.rows / seconds if seconds > 0 else 0
    retries = f", {progress.retries:,} retries" if progress.retries else ""
    hedges = f", {progress.hedges:,} hedges" if progress.hedges else ""
    return f"{progress.rows:,} rows answered, {rate:,.0f} rows/s{retries}{hedges}"


def _read_statement() -> str | None:
    """Lines up to one that ends with a semicolon; None at the end of input."""
    lines: list[str] = []
    while True:
        try:
            lines.append(input("snowcave> " if not lines else "       -> "))
        except EOFError:
            return None
        except KeyboardInterrupt:
            lines.clear()
            click.echo()
            continue
        if len(lines) == 1 and not _goes_on(lines[0]):
            return None
        if lines[-1].rstrip().endswith(";"):
            return "\n".join(lines)


def _goes_on(statement: str) -> bool:
    """Not where its first line is a word that leaves the shell, which needs no semicolon."""
    return statement.partition("\n")[0].strip().rstrip(";").lower() not in _LEAVING


def statements(text: str) -> Iterator[str]:
    """Those of a script up to a word that leaves the shell."""
    return takewhile(_goes_on, split(text))


def split(text: str) -> Iterator[str]:
    """Statements of a script: `;` outside of quotes, $$ bodies and comments ends one."""
    start = position = 0
    while position < len(text):
        end = _skip(text, position)
        if end is None:
            if text[position] == ";":
                if statement := text[start:position].strip():
                    yield statement
                start = position + 1
            end = position + 1
        position = end
    if statement := text[start:].strip():
        yield statement


_OPENERS = {"'": "'", '"': '"', "$$": "$$", "--": "\n", "//": "\n", "/*": "*/"}


def _skip(text: str, position: int) -> int | None:
    """Where the quoted text or comment that begins here ends; None where none begins."""
    for opener, closer in _OPENERS.items():
        if text.startswith(opener, position):
            end = position + len(opener)
            while True:
                end = text.find(closer, end)
                if end < 0:
                    return len(text)
                escaped = opener == "'" and _backslashes(text, end) % 2
                end += len(closer)
                if not escaped:
                    return end
    return None


def _backslashes(text: str, position: int) -> int:
    count = 0
    while position > count and text[position - 1 - count] == "\\":
        count += 1
    return count


def show(result: Result, style: str) -> None:
    """Print rows; tables fit the terminal."""
    names = [column.name for column in result.columns]
    if style == "json":
        rows = [dict(zip(names, map(_plain, row), strict=True)) for row in result.rows]
        click.echo(json.dumps(rows, indent=2))
    elif style == "csv":
        out = csv.writer(sys.stdout)
        out.writerow(names)
        out.writerows([_plain(cell) for cell in row] for row in result.rows)
    else:
        _show_table(names, result)


def _show_table(names: list[str], result: Result) -> None:
    """Rows side by side where they fit, else each row as a list of its fields."""
    console = Console(markup=False, highlight=False)
    texts = [
        ["NULL" if cell is None else str(_plain(cell)) for cell in row] for row in result.rows
    ]
    if _fits(names, texts, console.width):
        table = Table(show_edge=False, header_style="bold")
        for name in names:
            table.add_column(name, overflow="fold")
        for row in texts:
            table.add_row(*row)
        console.print(table)
    else:
        width = max(map(len, names))
        for number, row in enumerate(texts, 1):
            console.print(f"--- row {number} ---", style="bold")
            for name, text in zip(names, row, strict=True):
                # A text that was broken here could not be copied.
                console.print(f"{name:>{width}}: {text}", soft_wrap=True)
    click.echo(f"{len(result.rows)} row{'' if len(result.rows) == 1 else 's'}")


def _fits(names: list[str], texts: list[list[str]], width: int) -> bool:
    """Whether no value has to be broken that a person might copy; long texts may."""
    columns = zip(names, *texts, strict=True)
    natural = sum(max(len(text) for text in column) + 3 for column in columns)
    return natural <= width or len(names) <= _FEW_COLUMNS


def _plain(cell: Any) -> Any:
    """What JSON and CSV can hold."""
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    return cell.hex().upper() if isinstance(cell, bytes) else cell
