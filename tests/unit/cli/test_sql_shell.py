"""`snowcave sql` between its prompt and the session."""

import asyncio
import os
import pty
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from snowcave.cli.doctor import doctor
from snowcave.cli.sql import run_each, show, split, statements, told
from snowcave.client import Result, Session
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1.warehouse_pb2 import ColumnType


class Interrupted:
    """The user loses patience with the statement `wait`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def execute(self, sql: str, on_progress: object = None) -> Result:
        self.begun.append(sql)
        if sql == "wait":
            signal.raise_signal(signal.SIGINT)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled.append(sql)
                raise
        return Result()


def test_an_interrupt_cancels_the_statement_and_not_the_shell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = Interrupted()
    with asyncio.Runner() as runner:
        run_each(runner, cast(Session, session), "one; wait; never;", "table")
        run_each(runner, cast(Session, session), "next;", "table")
    assert session.begun == ["one", "wait", "next"]
    assert session.cancelled == ["wait"]
    assert "Cancelled." in capsys.readouterr().err


@pytest.mark.parametrize("word", [r"\q", "exit", "QUIT;", "exit\nselect 2;"])
def test_a_script_ends_at_a_word_that_leaves_the_shell(word: str) -> None:
    assert list(statements(f"select 1;\n{word}\n")) == ["select 1"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select ';'; -- ; no\nselect 2;", ["select ';'", "-- ; no\nselect 2"]),
        ("create $$ a; b $$;;", ["create $$ a; b $$"]),
        (r"select 'it\'s;'", [r"select 'it\'s;'"]),
        ("", []),
    ],
)
def test_statements_end_at_semicolons_outside_of_texts(text: str, parts: list[str]) -> None:
    assert list(split(text)) == parts


def test_the_doctor_says_which_setting_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "snowcave.toml").write_text("[mesh]\nno_such = 1\n")
    said = CliRunner().invoke(doctor, ["--home", str(tmp_path)])
    assert said.exit_code == 1
    assert "no_such" in said.output
    assert "Traceback" not in said.output


def test_progress_says_rows_their_rate_and_retries():
    done = v1.SqlProgress(rows=120_000, batches=60)
    assert told(done, 4.0) == "120,000 rows answered, 30,000 rows/s"
    again = v1.SqlProgress(rows=1500, batches=3, retries=2)
    assert told(again, 1.0) == "1,500 rows answered, 1,500 rows/s, 2 retries"
    twice = v1.SqlProgress(rows=10, batches=3, hedges=1)
    assert told(twice, 1.0) == "10 rows answered, 10 rows/s, 1 hedges"
    assert told(again, 0.0).startswith("1,500 rows answered, 0 rows/s")


class Slow:
    """Its statement tells of its progress twice."""

    async def execute(
        self, sql: str, on_progress: Callable[[v1.SqlProgress], None] | None = None
    ) -> Result:
        assert on_progress is not None
        on_progress(v1.SqlProgress(rows=10))
        on_progress(v1.SqlProgress(rows=2500, retries=3))
        return Result(columns=[ColumnType(name="DONE")], rows=[("yes",)])


def test_a_terminal_shows_progress_on_one_line_that_is_gone_in_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, terminal = pty.openpty()
    with asyncio.Runner() as runner, open(terminal, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        run_each(runner, cast(Session, Slow()), "select slow()", "csv")
        monkeypatch.undo()
        wipe, text = "\r\x1b[K", ""
        while text.count(wipe) < 3:  # a terminal gives it in pieces
            text += os.read(shown, 4096).decode()
        before, first, second, after = text.split(wipe)
    os.close(shown)
    assert first.startswith("10 rows answered, ")
    assert re.fullmatch(r"2,500 rows answered, [\d,]+ rows/s, 3 retries", second)
    assert (before, after) == ("", "")
    assert capsys.readouterr().out.split() == ["DONE", "yes"]


def test_nothing_is_told_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with asyncio.Runner() as runner:
        run_each(runner, cast(Session, Slow()), "select slow()", "csv")
    assert capsys.readouterr().err == ""


def test_rows_that_are_shown_field_by_field_keep_long_texts_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "localhost:8401/tutorial_db/data_schema/tutorial_repository/an_image_with_a_long_name:latest"
    names = [ColumnType(name=one) for one in ("name", "comment", "repository_url")]
    show(Result(columns=names, rows=[("one two", "three " * 30, url)]), "table")
    shown = capsys.readouterr().out.splitlines()
    assert f"repository_url: {url}" in shown
    assert f"{'comment':>14}: {'three ' * 30}" in shown
