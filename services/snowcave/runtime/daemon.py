"""The one shape every daemon has.

A part is an async context manager: entered when it is ready, left when it has drained. Parts are
entered in dependency order and left newest first, so nothing outlives what it stands on.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from snowcave.model.keys import Role

log = structlog.get_logger()

S = TypeVar("S")
T = TypeVar("T")


@dataclass(slots=True)
class Health:
    """What /readyz says: ready when every part is entered and every check holds."""

    stopping: bool = False
    built: bool = False
    starting: list[str] = field(default_factory=list[str])
    checks: dict[str, Callable[[], bool]] = field(default_factory=dict[str, Callable[[], bool]])
    # name → a function that gives what /debug/mirror shows.
    mirrors: dict[str, Callable[[], dict[str, object]]] = field(
        default_factory=dict[str, Callable[[], dict[str, object]]]
    )

    def not_ready(self) -> list[str]:
        """Names of the parts that are not ready; empty means ready."""
        if self.stopping:
            return ["stopping"]
        waiting = list(self.starting)
        if not self.built and not waiting:
            waiting.append("starting")
        return waiting + [name for name, holds in self.checks.items() if not holds()]

    @property
    def ready(self) -> bool:
        return not self.not_ready()


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Seconds."""

    lameduck: float = 0.5
    drain: float = 20.0


@dataclass(slots=True)
class Parts:
    """Enters a daemon's parts in order and names the one that is being waited for."""

    stack: AsyncExitStack
    health: Health

    async def enter(self, name: str, part: AbstractAsyncContextManager[T]) -> T:
        self.health.starting.append(name)
        entered = await self.stack.enter_async_context(part)
        self.health.starting.remove(name)
        return entered


Build = Callable[[S, Parts], Awaitable[None]]


@dataclass(frozen=True)
class Daemon(Generic[S]):
    """What a daemon package's main.py offers under the name DAEMON."""

    role: Role
    settings: type[S]
    build: Build[S]
    lifecycle: Lifecycle = Lifecycle()


async def run_daemon(
    build: Callable[[Parts], Awaitable[None]],
    *,
    health: Health,
    lifecycle: Lifecycle,
    stop: asyncio.Event,
) -> None:
    """Build, be ready, wait for `stop`, be not ready, pause, drain under a deadline.

    Raises TimeoutError where draining takes too long, and whatever a failed part raised.
    """
    stack = AsyncExitStack()
    async with stack:
        await build(Parts(stack, health))
        health.built = True
        log.info("daemon_ready")
        await stop.wait()
        health.stopping = True
        await asyncio.sleep(lifecycle.lameduck)  # let DNS and ingress stop sending us work
        async with asyncio.timeout(lifecycle.drain):
            await stack.aclose()


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a SIGINT after it ends the process at once.

    Another SIGTERM changes nothing: the kernel sends one as the supervisor dies, the next one another.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle(number: int) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise SystemExit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    return stop


async def run(daemon: Daemon[Any], settings: Any, admin: Callable[[Health], Any]) -> None:
    """A daemon with its admin port, until a signal. `admin` opens the port, which outlives the parts."""
    health = Health()
    async with admin(health):
        await run_daemon(
            lambda parts: daemon.build(settings, parts),
            health=health,
            lifecycle=daemon.lifecycle,
            stop=stop_on_signals(),
        )
