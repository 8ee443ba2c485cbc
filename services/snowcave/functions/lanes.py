"""Turns at the instances of services: who sends the next batch, and where to.

A service has a lane: at most so many of its batches are under way, and whoever has the fewest of them has the
next turn, so that a large query does not keep small ones waiting. In a lane each instance has its windows.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from snowcave.functions import routing
from snowcave.functions.routing import FULL, Full, Instance
from snowcave.functions.settings import BatchSettings
from snowcave.functions.targets import Aim, Targets
from snowcave.functions.windows import Window

_K = TypeVar("_K", bound=Hashable)

# Windows that are remembered beyond those in use.
_REMEMBERED = 1024


@dataclass(eq=False, slots=True)
class Turn:
    """A batch may be sent. `instance` is None where none is ready."""

    aim: Aim
    call: Hashable
    instance: Instance | None
    is_over: bool = False


@dataclass(eq=False, slots=True)
class _Waiter:
    aim: Aim
    avoid: Collection[str]
    turn: asyncio.Future[Turn]


@dataclass(slots=True)
class _Lane:
    service: int
    busy: int = 0
    # By call: batches under way, and those that wait, in their order.
    under_way: Counter[Hashable] = field(default_factory=Counter[Hashable])
    waiting: dict[Hashable, deque[_Waiter]] = field(default_factory=dict[Hashable, deque[_Waiter]])


class Lanes:
    """All of them, over all calls of this process."""

    def __init__(self, targets: Targets, settings: BatchSettings, rng: random.Random) -> None:
        self._targets = targets
        self._settings = settings
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[int, _Lane] = {}
        # Batches under way by instance, over all functions; and by aim and instance.
        self.load: Counter[str] = Counter()
        self._of_window: Counter[tuple[Aim, str]] = Counter()
        self._windows: dict[tuple[Aim, str], Window] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody has a turn, or waits for one."""
        return not self._lanes

    def follow(self) -> Callable[[], None]:
        """Turns are given out anew when instances come and go; answers how to stop that."""
        return self._targets.subscribe(self._serve_all)

    async def take(self, aim: Aim, call: Hashable, avoid: Collection[str] = ()) -> Turn:
        """Whoever takes a turn gives it back."""
        lane = self._lanes.get(aim.service)
        if lane is None:
            lane = self._lanes[aim.service] = _Lane(aim.service)
        if (turn := self._at_once(lane, call, aim, avoid)) is not None:
            return turn
        return await self._wait(lane, call, _Waiter(aim, avoid, self._loop.create_future()))

    def spare(self, turn: Turn) -> Turn | None:
        """Another turn for the same batch, at another instance, where that keeps nobody waiting."""
        assert turn.instance is not None
        avoid = (turn.instance.name,)
        if all(one.name in avoid for one in self._targets.ready(turn.aim)):
            return None
        return self._at_once(self._lanes[turn.aim.service], turn.call, turn.aim, avoid)

    def give_back(self, turn: Turn) -> None:
        """The next one may go. A turn that is over already may be given back."""
        if turn.is_over:
            return
        turn.is_over = True
        lane = self._lanes[turn.aim.service]
        lane.busy -= 1
        _less(lane.under_way, turn.call)
        if turn.instance is not None:
            _less(self.load, turn.instance.name)
            _less(self._of_window, (turn.aim, turn.instance.name))
        if lane.waiting:
            self._serve(lane)
        self._forget(lane)

    def pass_on(self, turn: Turn) -> bool:
        """Whether the next batch of the same call may have this turn: nobody else waits for one.

        The call itself waits once, for turns that become free elsewhere.
        """
        if turn.is_over or turn.instance is None:
            return False
        lane = self._lanes[turn.aim.service]
        if len(lane.waiting) > 1 or any(
            call != turn.call or len(waiting) > 1 for call, waiting in lane.waiting.items()
        ):
            return False
        window, under_way = self.window(turn)
        ready = self._targets.ready(turn.aim)
        if under_way > int(window.limit) or turn.instance not in ready:
            return False
        least = min(self.load.get(one.name, 0) for one in ready)
        if least < self.load[turn.instance.name] - 1:
            return False  # by way of the lane, another one may have it
        if lane.waiting and under_way < int(window.limit):
            self._serve(lane)  # the window has grown
        return True

    def window(self, turn: Turn) -> tuple[Window, int]:
        """Of a turn with an instance, and how many batches are under way in it."""
        assert turn.instance is not None
        key = (turn.aim, turn.instance.name)
        return self._window(key), self._of_window[key]

    def _window(self, key: tuple[Aim, str]) -> Window:
        if (known := self._windows.get(key)) is None:
            if len(self._windows) >= _REMEMBERED:
                self._windows = {k: w for k, w in self._windows.items() if self._of_window[k]}
            first, most = self._settings.first_window, self._settings.in_flight_per_service
            known = self._windows[key] = Window(float(min(first, most)), float(most))
        return known

    def _at_once(
        self, lane: _Lane, call: Hashable, aim: Aim, avoid: Collection[str]
    ) -> Turn | None:
        """A turn where nobody has to wait for one."""
        if lane.waiting or lane.busy >= self._settings.in_flight_per_service:
            return None
        found = self._pick(aim, avoid)
        return None if found is FULL else self._give(lane, call, aim, found)

    async def _wait(self, lane: _Lane, call: Hashable, waiter: _Waiter) -> Turn:
        lane.waiting.setdefault(call, deque()).append(waiter)
        self._serve(lane)
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self.give_back(waiter.turn.result())
            else:
                self._withdraw(lane, call, waiter)
                self._forget(lane)
            raise

    def _pick(self, aim: Aim, avoid: Collection[str]) -> Instance | Full | None:
        def has_room(instance: Instance) -> bool:
            key = (aim, instance.name)
            return self._of_window[key] < int(self._window(key).limit)

        ready = self._targets.ready(aim)
        return routing.choose(ready, self.load, has_room, avoid, self._rng)

    def _give(self, lane: _Lane, call: Hashable, aim: Aim, instance: Instance | None) -> Turn:
        lane.busy += 1
        lane.under_way[call] += 1
        if instance is not None:
            self.load[instance.name] += 1
            self._of_window[aim, instance.name] += 1
        return Turn(aim, call, instance)

    def _serve_all(self) -> None:
        for lane in list(self._lanes.values()):
            self._serve(lane)

    def _serve(self, lane: _Lane) -> None:
        """Turns for those that wait, as far as there are any."""
        while lane.waiting and lane.busy < self._settings.in_flight_per_service:
            for call, waiter in _next_ones(lane):
                if waiter.turn.done():  # cancelled, and about to withdraw
                    self._withdraw(lane, call, waiter)
                    break
                found = self._pick(waiter.aim, waiter.avoid)
                if found is not FULL:
                    self._withdraw(lane, call, waiter)
                    waiter.turn.set_result(self._give(lane, call, waiter.aim, found))
                    break
            else:
                return

    def _withdraw(self, lane: _Lane, call: Hashable, waiter: _Waiter) -> None:
        if (waiting := lane.waiting.get(call)) is not None:
            if waiter in waiting:
                waiting.remove(waiter)
            if not waiting:
                del lane.waiting[call]

    def _forget(self, lane: _Lane) -> None:
        # It may have been forgotten before, and another one made since.
        is_known = self._lanes.get(lane.service) is lane
        if is_known and not lane.busy and not lane.waiting:
            del self._lanes[lane.service]


def _next_ones(lane: _Lane) -> Iterator[tuple[Hashable, _Waiter]]:
    """Of each call the first of each kind: nobody waits behind one that waits for something else.

    A busy function does not keep another one waiting, nor an instance that a batch avoids the next batch.
    """
    for call in sorted(lane.waiting, key=lambda one: lane.under_way[one]):
        seen: set[tuple[Aim, bool]] = set()
        for waiter in lane.waiting[call]:
            kind = (waiter.aim, bool(waiter.avoid))
            if kind not in seen:
                seen.add(kind)
                yield call, waiter


def _less(counter: Counter[_K], key: _K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
