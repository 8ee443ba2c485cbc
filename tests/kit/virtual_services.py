"""Instances of a service without sockets, for the router under virtual time: they fail as a seed says."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import orjson

from snowcave.functions.connections import ConnectionFailed, Reply

# What an instance may do with a request instead of answering it.
FAILURES = ("429", "500", "503", "400", "reset", "lost", "short", "swapped", "later", "slow")
# Of these a request may be made again.
RETRIED = frozenset({"429", "500", "503", "reset", "lost"})


@dataclass
class Instances:
    """`port` tells them apart. Takes the place of connections."""

    rng: random.Random
    # What may happen to a request, and how likely each of them is.
    failures: tuple[str, ...] = ()
    likely: float = 0.0
    latency: float = 0.0
    # Requests that an instance answers at the same time; the others wait. 0: any number.
    hands: int = 0
    # Beyond so many under way, an instance refuses with 429. 0: never.
    patience: int = 0
    dead: set[int] = field(default_factory=set[int])
    # Batch id → how often it was sent, and what became of it at each time.
    sent: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    busy: dict[int, int] = field(default_factory=dict[int, int])
    most_busy: int = 0
    refused: int = 0
    _accepted: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _hands: dict[int, asyncio.Semaphore] = field(default_factory=dict[int, asyncio.Semaphore])

    async def exchange(self, address: str, port: int, head: bytes, body: bytes) -> Reply:
        self.busy[port] = self.busy.get(port, 0) + 1
        self.most_busy = max(self.most_busy, *self.busy.values())
        try:
            if port in self.dead:
                raise ConnectionFailed("refused")
            if self.patience and self.busy[port] > self.patience:
                self.refused += 1
                return Reply(429, b"")
            async with self._hands.setdefault(port, asyncio.Semaphore(self.hands or 10**6)):
                return await self._answer(port, _batch_id(head), body)
        finally:
            self.busy[port] -= 1

    async def _answer(self, port: int, batch_id: str, body: bytes) -> Reply:
        await asyncio.sleep(self.latency * self.rng.uniform(0.5, 1.5))
        if port in self.dead:
            raise ConnectionFailed("reset by peer")
        if not body:  # a poll
            if self.rng.random() < 0.5:
                return Reply(202, b"")
            return Reply(200, self._accepted[batch_id])
        drawn = self.rng.random() < self.likely
        fate = self.rng.choice(self.failures) if drawn and self.failures else "ok"
        self.sent.setdefault(batch_id, []).append(fate)
        rows = orjson.loads(body)["data"]
        match fate:
            case "429" | "500" | "503" | "400":
                return Reply(int(fate), b"no")
            case "reset":
                raise ConnectionFailed("reset by peer")
            case "lost":
                await asyncio.sleep(30)
                raise ConnectionFailed("no answer")
            case "short":
                return _echo(rows[:-1])
            case "swapped":
                return _echo([[number + 1, *values] for number, *values in rows])
            case "later":
                self._accepted[batch_id] = _echo(rows).body
                return Reply(202, b"")
            case "slow":
                await asyncio.sleep(5)
                return _echo(rows)
            case _:
                return _echo(rows)


def _echo(rows: list[list[Any]]) -> Reply:
    """Each row's values as a text, so that a row in another's place is noticed."""
    data = [[number, orjson.dumps(values).decode()] for number, *values in rows]
    return Reply(200, orjson.dumps({"data": data}))


def _batch_id(head: bytes) -> str:
    return head.partition(b"query-batch-id: ")[2].partition(b"\r\n")[0].decode()
