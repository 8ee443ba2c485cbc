"""The addresses of hosts that containers may go to, kept as the containers' resolver would tell them.

Each wanted host is asked for when its answer ends. An address that is in the answer no more stays open
a while, since programs keep what they have resolved; and for as long as nobody answers.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import beside
from snowcave.model.errors import SnowcaveError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HostSettings:
    # One question to the DNS daemon.
    deadline: float = 5.0
    # How long an address stays open after the answer that named it last has ended.
    grace: float = 60.0
    # An answer that claims to hold longer than this does not.
    longest: float = 3600.0
    # A host is asked for again after its answer's TTL, but within these bounds.
    soonest: float = 1.0
    latest: float = 30.0
    # Questions under way at one time.
    at_once: int = 32
    # How long the agent's start waits for the first answers: until then no new connection leaves.
    first: float = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a host that has no address, or is not there, an empty one."""

    addresses: frozenset[str]
    ttl: float


class Resolver(Protocol):
    async def ask(self, host: str) -> Answer:
        """Raises Unavailable where there is no answer."""
        ...


def seen(
    before: Mapping[str, float], answer: Answer, now: float, settings: HostSettings
) -> Mapping[str, float]:
    """Until when each address is open, after an answer."""
    kept = {address: until for address, until in before.items() if until > now}
    until = now + min(answer.ttl, settings.longest) + settings.grace
    return kept | dict.fromkeys(answer.addresses, until)


@dataclass
class Hosts:
    """Made by `open_hosts`."""

    _resolver: Resolver
    _settings: HostSettings
    _clock: Clock
    _rng: random.Random
    _group: asyncio.TaskGroup
    # Called when a host has other addresses than before.
    changed: Callable[[], None] = lambda: None
    resolved: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    _until: dict[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])
    _asked: set[str] = field(default_factory=set[str])
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self._settings.at_once)

    def want(self, hosts: Collection[str]) -> None:
        """These and no others are kept from now on."""
        for host in self._tasks.keys() - hosts:
            self._tasks.pop(host).cancel()
            self.resolved.pop(host, None)
            self._until.pop(host, None)
            self._asked.discard(host)
        for host in set(hosts) - self._tasks.keys():
            self._tasks[host] = self._group.create_task(self._keep(host))

    async def first_answers(self) -> None:
        """Back when every wanted host has been asked for once, or when that takes too long."""
        try:
            async with asyncio.timeout(self._settings.first):
                while not self._tasks.keys() <= self._asked:
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            log.warning("hosts_not_resolved", hosts=sorted(self._tasks.keys() - self._asked))

    def stop(self) -> None:
        self.want(())

    async def _keep(self, host: str) -> None:
        settings = self._settings
        delays = backoff(self._rng, base=settings.soonest, cap=settings.latest)
        while True:
            try:
                async with self._turns, asyncio.timeout(settings.deadline):
                    answer = await self._resolver.ask(host)
            except (SnowcaveError, TimeoutError) as error:
                log.info("host_not_resolved", host=host, reason=str(error))
                pause = next(delays)
            else:
                self._take(host, answer)
                pause = min(max(answer.ttl, settings.soonest), settings.latest)
                delays = backoff(self._rng, base=settings.soonest, cap=settings.latest)
            self._asked.add(host)
            self._told.set()
            await self._clock.sleep(pause)

    def _take(self, host: str, answer: Answer) -> None:
        before = self._until.get(host, {})
        until = seen(before, answer, self._clock.monotonic(), self._settings)
        self._until[host] = until
        if (now := frozenset(until)) != self.resolved.get(host):
            self.resolved[host] = now
            self.changed()


@asynccontextmanager
async def open_hosts(
    resolver: Resolver, settings: HostSettings, clock: Clock, rng: random.Random
) -> AsyncGenerator[Hosts]:
    async with beside() as group:
        hosts = Hosts(resolver, settings, clock, rng, group)
        try:
            yield hosts
        finally:
            hosts.stop()
