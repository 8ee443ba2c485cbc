"""A TCP proxy that can be slow, silent, or cut its streams; and the faults that make it so.

It never loses a byte inside a stream, for TCP does not either: a blackhole holds what comes until it is
healed, and what cannot be delivered ends the stream.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from snowcave.kit.tasks import background
from tests.fault.kit.faults import Undo, nothing
from tests.fault.kit.view import MeshView

_CHUNK = 65536
_CONNECT = 10.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Each direction alike. Seconds, and bytes of one connection."""

    delay: float = 0.0
    jitter: float = 0.0
    blackhole: bool = False
    refuse: bool = False
    reset_after: int | None = None


@dataclass(slots=True)
class Counts:
    """What the proxy did."""

    accepted: int = 0
    forwarded: int = 0
    delayed: int = 0
    held: int = 0
    refused: int = 0
    cut: int = 0
    reset: int = 0


@dataclass(eq=False, slots=True)
class _Link:
    """One connection with its other half."""

    writers: list[asyncio.StreamWriter]
    passed: int = 0

    def end(self, *, reset: bool = False) -> None:
        for writer in self.writers:
            if reset:
                # Closing with this option set sends a reset instead of a polite end.
                handle: socket.socket = writer.get_extra_info("socket")
                linger = struct.pack("ii", 1, 0)
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()


@dataclass(eq=False)
class Proxy:
    """Stands before `upstream`; clients connect to 127.0.0.1:`port`."""

    upstream: tuple[str, int]
    rng: random.Random
    counts: Counts = field(default_factory=Counts)
    port: int = 0
    _behaviour: Behaviour = Behaviour()
    _links: set[_Link] = field(default_factory=set["_Link"])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def cut(self) -> int:
        """End every connection at once; how many there were."""
        links = list(self._links)
        for link in links:
            link.end(reset=True)
        self.counts.cut += len(links)
        return len(links)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.accepted += 1
        link = _Link([writer])
        if self.behaviour.refuse:
            self.counts.refused += 1
            link.end(reset=True)
            return
        self._links.add(link)
        try:
            async with asyncio.timeout(_CONNECT):
                other_reader, other = await asyncio.open_connection(*self.upstream)
            link.writers.append(other)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, other, link))
                both.create_task(self._pump(other_reader, writer, link))
        except* (OSError, TimeoutError):
            pass  # either side is gone, and so is the other
        finally:
            self._links.discard(link)
            link.end()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._hold(len(data))
            if self.behaviour.delay or self.behaviour.jitter:
                self.counts.delayed += 1
                spread = self.rng.uniform(0, self.behaviour.jitter)
                await asyncio.sleep(self.behaviour.delay + spread)
            limit = self.behaviour.reset_after
            if limit is not None and link.passed + len(data) > limit:
                await self._reset(link, writer, data[: max(0, limit - link.passed)])
                return
            writer.write(data)
            await writer.drain()
            link.passed += len(data)
            self.counts.forwarded += len(data)
        if writer.can_write_eof():
            writer.write_eof()

    async def _hold(self, size: int) -> None:
        if self.behaviour.blackhole:
            self.counts.held += size
        while self.behaviour.blackhole:
            await self._changed.wait()

    async def _reset(self, link: _Link, writer: asyncio.StreamWriter, rest: bytes) -> None:
        writer.write(rest)
        await writer.drain()
        self.counts.forwarded += len(rest)
        self.counts.reset += 1
        link.end(reset=True)


@asynccontextmanager
async def proxied(host: str, port: int, rng: random.Random) -> AsyncGenerator[Proxy]:
    """Listening when entered; every connection ended when left."""
    proxy = Proxy((host, port), rng)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(proxy.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        async with background(server.serve_forever()):
            yield proxy
    finally:
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Misbehave:
    """The proxy behaves so until it is healed; `counted` says how often it really did."""

    name: str
    proxy: Proxy
    behaviour: Behaviour
    counted: Callable[[Counts], int]
    before: int = field(default=0, init=False)

    def available(self, mesh: MeshView) -> bool:
        return self.proxy.port > 0

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        self.before = self.counted(self.proxy.counts)
        self.proxy.behaviour = self.behaviour

        async def heal() -> None:
            self.proxy.behaviour = Behaviour()

        return heal

    def happened(self, mesh: MeshView) -> bool:
        return self.counted(self.proxy.counts) > self.before


@dataclass
class Cut:
    """Every stream through the proxy ends with a reset; new ones are let through."""

    proxy: Proxy
    ended: int = field(default=0, init=False)
    name: str = "cut the streams"

    def available(self, mesh: MeshView) -> bool:
        return self.proxy.port > 0

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        self.ended = self.proxy.cut()
        return nothing

    def happened(self, mesh: MeshView) -> bool:
        return self.ended > 0


def delay(proxy: Proxy, seconds: float, jitter: float = 0.0) -> Misbehave:
    behaviour = Behaviour(delay=seconds, jitter=jitter)
    return Misbehave("slow line", proxy, behaviour, lambda counts: counts.delayed)


def blackhole(proxy: Proxy) -> Misbehave:
    return Misbehave("blackhole", proxy, Behaviour(blackhole=True), lambda counts: counts.held)


def refuse(proxy: Proxy) -> Misbehave:
    return Misbehave("refuse", proxy, Behaviour(refuse=True), lambda counts: counts.refused)


def reset_after(proxy: Proxy, size: int) -> Misbehave:
    behaviour = Behaviour(reset_after=size)
    return Misbehave(f"reset after {size} bytes", proxy, behaviour, lambda counts: counts.reset)
