"""Readiness probes: an HTTP GET to the instance's address, from the node's namespace, as long as it runs.

A container that has just started is asked often, so that its readiness is seen at once; later
every few seconds. One answer of 200 makes it ready, three failures in a row make it unready.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import structlog

from snowcave.agent.engine.api import ContainerId
from snowcave.agent.instances.status import Probe
from snowcave.kit.clock import Clock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Seconds, but for the counts."""

    # Between probes of a container that is ready, or has been given up waking quickly.
    period: float = 5.0
    timeout: float = 1.0
    failures: int = 3
    # While starting: from the first pause, growing by half, to the second; for so long in all.
    first_pause: float = 0.1
    quick_pause: float = 1.0
    quick_for: float = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    instance: str
    container: ContainerId
    address: str
    port: int
    path: str

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}/{self.path.lstrip('/')}"


class Probes:
    """Made by `open_probes`. `changed` is called with the instance when a result turns."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        changed: Callable[[str], None],
        settings: ProbeSettings,
        clock: Clock,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._session = session
        self._changed = changed
        self._settings = settings
        self._clock = clock
        self._tasks = tasks
        self._running: dict[ContainerId, tuple[Target, asyncio.Task[None]]] = {}
        self._results: dict[ContainerId, Probe] = {}

    def result(self, container: ContainerId) -> Probe:
        return self._results.get(container, Probe())

    def watch(self, instance: str, targets: Iterable[Target], ready: set[ContainerId]) -> None:
        """Probe exactly these for the instance. `ready`: known to be so, until shown otherwise."""
        wanted = {target.container: target for target in targets}
        for container, (target, task) in list(self._running.items()):
            if target.instance == instance and container not in wanted:
                task.cancel()
                del self._running[container]
                self._results.pop(container, None)
        for container, target in wanted.items():
            if container not in self._running:
                if container in ready:
                    self._results[container] = Probe(passing=True)
                self._running[container] = (target, self._tasks.create_task(self._probe(target)))

    def stop(self) -> None:
        for _, task in self._running.values():
            task.cancel()
        self._running.clear()

    async def _probe(self, target: Target) -> None:
        settings, failures = self._settings, 0
        pause, started = settings.first_pause, self._clock.monotonic()
        while True:
            if await self._passes(target):
                failures = 0
                self._settle(target, passing=True)
            elif (failures := failures + 1) >= settings.failures:
                self._settle(target, passing=False)
            waking = self._clock.monotonic() - started < settings.quick_for
            if self.result(target.container).passing or not waking:
                await self._clock.sleep(settings.period)
            else:
                await self._clock.sleep(pause)
                pause = min(settings.quick_pause, pause * 1.5)

    async def _passes(self, target: Target) -> bool:
        try:
            async with asyncio.timeout(self._settings.timeout):
                # The answer's body is not read: its status says it all.
                async with self._session.get(target.url, allow_redirects=False) as answer:
                    return answer.status == 200
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return False

    def _settle(self, target: Target, *, passing: bool) -> None:
        if self.result(target.container).passing is not passing:
            self._results[target.container] = Probe(passing)
            log.info("probe_turned", container=target.container, passing=passing)
            self._changed(target.instance)


@asynccontextmanager
async def open_probes(
    changed: Callable[[str], None], settings: ProbeSettings, clock: Clock
) -> AsyncGenerator[Probes]:
    connector = aiohttp.TCPConnector(force_close=True, limit=64)
    async with (
        aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
        asyncio.TaskGroup() as tasks,
    ):
        probes = Probes(session, changed, settings, clock, tasks)
        try:
            yield probes
        finally:
            probes.stop()
