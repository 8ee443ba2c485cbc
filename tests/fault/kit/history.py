"""What the clients of a run saw: one line a call, in a file that outlives a failed test.

An outcome is `ok` (the answer arrived), `fail` (it certainly did not happen) or `unknown`: a client that
waited in vain cannot tell whether its write arrived.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Call:
    """`start` and `end` in seconds of one monotonic clock; `request` and `answer` are JSON values."""

    client: str
    request: Any
    start: float
    end: float
    outcome: Outcome
    answer: Any = None
    error: str = ""


class Refused(Exception):
    """Raise it in a call that certainly had no effect."""


class History:
    """Appends to a file; `calls` are those of this process."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self.calls: list[Call] = []
        self._clock = clock

    async def record(
        self, client: str, request: Any, call: Callable[[], Awaitable[Any]], *, within: float
    ) -> Call:
        """Make the call and keep its outcome; no exception but cancellation comes out of it."""
        start, answer, error = self._clock(), None, ""
        outcome: Outcome = "ok"
        try:
            async with asyncio.timeout(within):
                answer = await call()
        except Refused as refusal:
            outcome, error = "fail", str(refusal)
        except Exception as failure:
            outcome, error = "unknown", f"{type(failure).__name__}: {failure}"[:500]
        except asyncio.CancelledError:
            self._keep(Call(client, request, start, self._clock(), "unknown", None, "cancelled"))
            raise
        return self._keep(Call(client, request, start, self._clock(), outcome, answer, error))

    def _keep(self, call: Call) -> Call:
        self.calls.append(call)
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(call), default=str) + "\n")
        return call

    def of(self, client: str, *outcomes: Outcome) -> list[Call]:
        """This client's calls, of all outcomes where none is named."""
        return [
            call
            for call in self.calls
            if call.client == client and (not outcomes or call.outcome in outcomes)
        ]


def read(path: Path) -> Iterator[Call]:
    """The calls of a history file, a half-written last line left out."""
    for line in path.read_text().splitlines():
        try:
            yield Call(**json.loads(line))
        except ValueError:
            return
