"""A container's log, followed: what is there, what comes, and its end."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from snowcave.agent.logs import reading
from snowcave.agent.logs.reading import Wish


def say(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        for number, line in enumerate(lines):
            record = {
                "log": f"{line}\n",
                "stream": "stdout",
                "time": f"2026-01-01T00:00:0{number}Z",
            }
            file.write(json.dumps(record) + "\n")


class Run:
    """Has ended as soon as it is told so; says its last words in that moment."""

    def __init__(self, path: Path, *last_words: str) -> None:
        self.path, self.last_words = path, last_words

    async def has_ended(self) -> bool:
        say(self.path, *self.last_words)
        return True


async def lines(texts: AsyncIterator[bytes]) -> list[str]:
    return b"".join([text async for text in texts]).decode().splitlines()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FOLLOW_PAUSE", 0.001)


async def test_the_last_words_of_a_run_are_heard(tmp_path: Path):
    path = tmp_path / "x-json.log"
    say(path, "one", "two", "three")
    run = Run(path, "four", "five")
    found = await lines(reading.follow(path, Wish(tail_lines=2), run.has_ended))
    assert found == ["two", "three", "four", "five"]


async def test_a_record_that_is_half_written_is_shown_once_and_whole(tmp_path: Path):
    path = tmp_path / "x-json.log"
    say(path, "one")
    record = json.dumps({"log": "two\n", "stream": "stdout", "time": "2026-01-01T00:00:00Z"})
    with path.open("a") as file:
        file.write(record[:20])

    async def finish() -> bool:
        with path.open("a") as file:
            file.write(record[20:] + "\n")
        return True

    assert await lines(reading.follow(path, Wish(), finish)) == ["one", "two"]


async def test_a_log_without_a_line_is_followed_from_its_beginning(tmp_path: Path):
    path = tmp_path / "x-json.log"
    path.touch()
    assert await lines(reading.follow(path, Wish(), Run(path, "first").has_ended)) == ["first"]
