"""The batches of one call that are under way, and their answers in the order of the rows.

Bounded: batches that are unanswered, by number and by bytes, and answers that nobody has taken yet, by bytes.
A batch that failed ends them all.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from snowcave.functions.answers import Answers, join, nulls, scatter
from snowcave.functions.batches import Batch
from snowcave.functions.lanes import Lanes, Turn
from snowcave.functions.plain_texts import PlainTexts
from snowcave.functions.settings import BatchSettings

Work = Callable[[Batch, Turn], Awaitable[Answers]]
# Batch id and an answer of that batch that is not what it seemed to be.
Closely = Callable[[str, PlainTexts], pa.Array]


@dataclass(slots=True)
class Group:
    """Rows that came together, and the answers of their batches; None where one has not come yet."""

    # Which of the rows were asked for; None: all.
    mask: pa.Array | None
    # Of the batches.
    ids: list[str] = field(default_factory=list[str])
    answers: list[Answers | None] = field(default_factory=list[Answers | None])
    missing: int = 0
    bytes: int = 0
    is_whole: bool = False

    @property
    def is_answered(self) -> bool:
        return self.is_whole and not self.missing

    def answer(self, closely: Closely) -> pa.Array:
        """Raises what `closely` raises."""
        answers = [answer for answer in self.answers if answer is not None]
        assert len(answers) == len(self.ids)
        joined = (
            join(answers, lambda place, texts: closely(self.ids[place], texts))
            if answers
            else nulls(0)
        )
        return joined if self.mask is None else scatter(joined, self.mask)


class _Asked(NamedTuple):
    """A batch whose answers have a place in its group."""

    group: Group
    place: int
    batch: Batch


class UnderWay:
    """One task adds, one takes. End it, whatever happened.

    A batch that is answered passes its turn on to the next one that waits here, in the same breath: an
    instance runs dry while turns go round by way of the lane, and nobody else may want this one.
    """

    def __init__(
        self,
        work: Work,
        take: Callable[[], Awaitable[Turn]],
        lanes: Lanes,
        settings: BatchSettings,
    ) -> None:
        """`take`: a turn, when the call's time has come."""
        self._work = work
        self._take = take
        self._lanes = lanes
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._groups: deque[Group] = deque()
        # Those that have no turn yet.
        self._waiting: deque[_Asked] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered = self._asked_bytes = self._waiting_bytes = 0
        self._error: BaseException | None = None
        self._is_finished = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._more = asyncio.Event()
        self._keep(self._loop.create_task(self._start()))

    def begin(self, mask: pa.Array | None) -> Group:
        """The group of the next batches; when they are all added, it is `finish_group`ed."""
        group = Group(mask)
        self._groups.append(group)
        return group

    async def room(self, group: Group) -> None:
        """Until a batch of the group may be added."""
        while not self._has_room(group):
            self._room.clear()
            await self._room.wait()

    def add(self, group: Group, batch: Batch) -> None:
        self._waiting.append(_Asked(group, len(group.answers), batch))
        group.ids.append(batch.id)
        group.answers.append(None)
        group.missing += 1
        self._unanswered += 1
        self._asked_bytes += len(batch.body)
        self._more.set()

    def finish_group(self, group: Group) -> None:
        group.is_whole = True
        self._news.set()

    def finish(self, error: BaseException | None) -> None:
        """No more groups; `error` is why, where it is not that there are no more rows."""
        self._is_finished = True
        self._fail(error)

    def _fail(self, error: BaseException | None) -> None:
        """The first error counts, and is raised by `answered`."""
        self._error = self._error or error
        self._news.set()

    async def answered(self) -> AsyncGenerator[Group]:
        """The groups, in their order. Raises what a batch or the feeding raised."""
        while True:
            while self._error is None and not self._is_next() and not self._is_over():
                self._news.clear()
                await self._news.wait()
            if self._error is not None:
                raise self._error
            if not self._is_next():
                return
            group = self._groups.popleft()
            self._waiting_bytes -= group.bytes
            self._room.set()
            yield group

    async def end(self) -> None:
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_next(self) -> bool:
        return bool(self._groups) and self._groups[0].is_answered

    def _is_over(self) -> bool:
        return self._is_finished and not self._groups

    def _has_room(self, group: Group) -> bool:
        most = self._settings
        if not self._unanswered:
            return True  # nothing would come to make room
        if self._unanswered >= most.in_flight or self._asked_bytes >= most.in_flight_bytes:
            return False
        return self._waiting_bytes < most.waiting_bytes or group is self._groups[0]

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        """Endless: a task for each turn that comes while batches wait for one."""
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            try:
                turn = await self._take()
            except Exception as error:
                return self._fail(error)
            if not self._waiting:  # all were passed a turn meanwhile
                self._lanes.give_back(turn)
                continue
            task = self._loop.create_task(self._ask(self._waiting.popleft(), turn))
            # It may be cancelled before it begins.
            task.add_done_callback(lambda _, turn=turn: self._lanes.give_back(turn))
            self._keep(task)

    async def _ask(self, asked: _Asked, turn: Turn) -> None:
        """This batch and, as long as the turn lasts, those that wait."""
        while await self._is_answered(asked, turn):
            if not self._waiting or not self._lanes.pass_on(turn):
                return
            asked = self._waiting.popleft()

    async def _is_answered(self, asked: _Asked, turn: Turn) -> bool:
        group, place, batch = asked
        try:
            answers = await self._work(batch, turn)
        except Exception as error:
            self._fail(error)
            return False
        finally:
            self._unanswered -= 1
            self._asked_bytes -= len(batch.body)
            self._room.set()
        group.answers[place] = answers
        group.missing -= 1
        size = answers.nbytes
        group.bytes += size
        self._waiting_bytes += size
        if group is self._groups[0] and group.is_answered:
            self._news.set()
        return True
