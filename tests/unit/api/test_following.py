"""A container's log, followed from run to run by api, for as long as the caller may."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from snowcave.api import following
from snowcave.api.following import Following, Wanted
from snowcave.model import keys
from snowcave.model.errors import NotAuthorized, Unavailable
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import state_pb2 as state
from tests.kit.fed_mirrors import mirror, put

WANTED = Wanted(service=7, instance_id=0, container="main", tail_lines=10)
Script = list[tuple[str, list[bytes]]]


@dataclass
class Node:
    """Answers each reading with the next run of the script; what was asked for is kept."""

    script: Script
    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    fails: int = 0

    async def run(
        self, _following: Following, _wanted: Wanted, read_run: str, tail_lines: int
    ) -> AsyncGenerator[v1.LogChunk]:
        if self.fails:
            self.fails -= 1
            raise Unavailable("Node n1 does not answer.")
        self.asked.append((read_run, tail_lines))
        run, texts = self.script.pop(0)
        yield v1.LogChunk(run=run)
        for text in texts:
            yield v1.LogChunk(text=text)


class Place:
    """Where api follows: one job that is over as soon as the script is at its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, script: Script, fails: int = 0) -> None:
        monkeypatch.setattr(following, "_PAUSE", 0.001)
        self.node = Node(script, fails=fails)
        node = self.node
        monkeypatch.setattr(
            Following, "_run", lambda *arguments: node.run(*arguments), raising=True
        )
        self.statuses = mirror(keys.SERVICE_STATUS)
        self.following = Following(
            Mesh(), mirror(keys.ASSIGNMENTS), mirror(keys.NODES), self.statuses
        )

    def check(self) -> None:
        if len(self.node.script) <= 1:
            ended = state.ServiceStatus(status="DONE")
            ended.ended_on.seconds = 1
            put(self.statuses, keys.SERVICE_STATUS, ended, 7)


async def test_runs_follow_one_another_and_the_job_s_end_ends_it(
    monkeypatch: pytest.MonkeyPatch,
):
    script: Script = [("a", [b"one\n"]), ("a", []), ("b", [b"two\n", b"three\n"])]
    place = Place(monkeypatch, script)
    heard = [text async for text in place.following.follow(WANTED, place.check)]
    assert heard == [b"one\n", b"two\n", b"three\n"]
    # The tail is that of the first run; what was read is not read again.
    assert place.node.asked == [("", 10), ("a", 0), ("a", 0)]


async def test_a_node_that_is_away_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch):
    place = Place(monkeypatch, [("a", [b"one\n"])], fails=0)
    place.node.script.insert(0, ("a", []))
    place.node.fails = 2
    heard = [text async for text in place.following.follow(WANTED, place.check)]
    assert heard == [b"one\n"]


async def test_whoever_may_not_listen_any_more_hears_no_more(monkeypatch: pytest.MonkeyPatch):
    place = Place(monkeypatch, [("a", [b"one\n"]), ("b", [b"two\n"])])
    heard: list[bytes] = []

    def check() -> None:
        if heard:
            raise NotAuthorized("service 'X'")

    async def listen() -> None:
        async for text in place.following.follow(WANTED, check):
            heard.append(text)  # noqa: PERF401

    with pytest.raises(NotAuthorized):
        await listen()
    assert heard == [b"one\n"]
