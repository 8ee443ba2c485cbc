"""Answers about names that are not ours: from those kept, else from an upstream, once for all who ask.

Nodes let containers out to the addresses that a host has, and learn them here. So that no container is
told of an address before its node has opened it, a new answer goes at first to nodes alone; for `hold`
seconds containers get the one before, if there was one until then.
"""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import prometheus_client

from snowcave.dns import responder, wire
from snowcave.dns.upstream import Upstream
from snowcave.dns.wire import Message, Question, Unreadable
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import beside

KEPT = prometheus_client.Counter("snowcave_dns_kept", "Questions answered from kept answers")

_NOERROR, _NXDOMAIN = 0, 3


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    # Answers of upstreams that are kept; the one that was fetched first goes first.
    entries: int = 10_000
    # An answer is kept for as long as it says, within these bounds.
    shortest: float = 5.0
    longest: float = 3600.0
    # The same for the news that there is nothing.
    longest_negative: float = 30.0
    # How long containers get the answer before a new one.
    hold: float = 2.0
    # How long ago that one may have ended.
    hold_past: float = 30.0


@dataclass(frozen=True, slots=True)
class Kept:
    message: Message
    at: float
    until: float
    # What containers are told at first.
    before: "Kept | None" = None


def lifetime(message: Message, settings: ForwardSettings) -> float:
    """0: it is not kept. Errors and what was cut off are not."""
    if message.rcode not in (_NOERROR, _NXDOMAIN) or message.is_truncated:
        return 0.0
    longest = settings.longest if message.answers else settings.longest_negative
    return min(max(message.ttl or 0, settings.shortest), longest)


def chosen(kept: Kept, now: float, hold: float, *, early: bool) -> Kept:
    """Which of two answers an asker gets. `early`: a node, or the machine."""
    if early or kept.before is None or now >= kept.at + hold:
        return kept
    return kept.before


class Forwarder:
    """Made by `open_forwarder`. `instances` is the network whose askers are containers."""

    def __init__(
        self,
        upstream: Upstream,
        settings: ForwardSettings,
        instances: str,
        udp_size: int,
        clock: Clock,
        group: asyncio.TaskGroup,
    ) -> None:
        self._upstream = upstream
        self._settings = settings
        self._instances = ipaddress.IPv4Network(instances)
        self._udp_size = udp_size
        self._clock = clock
        self._group = group
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._underway: dict[bytes, asyncio.Task[Kept | None]] = {}

    def known(self, question: bytes, asker: str, *, over_udp: bool) -> bytes | None:
        """The answer where it is there already, or where the question cannot be answered at all."""
        try:
            asked = wire.read_question(question)
        except Unreadable:
            return responder.unreadable(question)
        kept = self._kept.get(asked.key)
        if kept is None or kept.until <= self._clock.monotonic():
            return None
        KEPT.inc()
        return self._given(kept, asked, asker, over_udp=over_udp)

    async def ask(self, question: bytes, asker: str, *, over_udp: bool) -> bytes:
        """For a question that is not `known`. Never raises but when cancelled."""
        asked = wire.read_question(question)
        task = self._underway.get(asked.key)
        if task is None:
            if self._upstream.is_full:
                return responder.failed(question)
            task = self._underway[asked.key] = self._group.create_task(self._fetch(asked))
            task.add_done_callback(lambda _: self._underway.pop(asked.key, None))
        # Others may wait for it as well: an asker that leaves does not end it.
        kept = await asyncio.shield(task)
        if kept is None:
            return responder.failed(question)
        return self._given(kept, asked, asker, over_udp=over_udp)

    async def _fetch(self, asked: Question) -> Kept | None:
        ours = wire.asked_anew(asked, self._udp_size)
        try:
            message = wire.read_answer(await self._upstream.ask(ours, over_udp=True), asked)
            if message.is_truncated:
                message = wire.read_answer(await self._upstream.ask(ours, over_udp=False), asked)
        except Unreadable:
            return None
        now = self._clock.monotonic()
        fetched = Kept(message, now, now + lifetime(message, self._settings))
        return self._keep(asked.key, fetched) if fetched.until > now else fetched

    def _keep(self, key: bytes, fetched: Kept) -> Kept:
        before = self._kept.pop(key, None)
        is_recent = before and fetched.at - before.until < self._settings.hold_past
        if before and is_recent and before.message.data != fetched.message.data:
            fetched = replace(fetched, before=replace(before, before=None))
        if len(self._kept) >= self._settings.entries:
            self._kept.popitem(last=False)
        self._kept[key] = fetched
        return fetched

    def _given(self, kept: Kept, asked: Question, asker: str, *, over_udp: bool) -> bytes:
        now = self._clock.monotonic()
        early = ipaddress.ip_address(asker) not in self._instances
        told = chosen(kept, now, self._settings.hold, early=early)
        limit = wire.udp_limit(asked, self._udp_size) if over_udp else None
        return wire.given(
            told.message, asked, age=now - told.at, limit=limit, udp_size=self._udp_size
        )

    def stop(self) -> None:
        for task in self._underway.values():
            task.cancel()


@asynccontextmanager
async def open_forwarder(
    upstream: Upstream, settings: ForwardSettings, instances: str, udp_size: int, clock: Clock
) -> AsyncGenerator[Forwarder]:
    async with beside() as group:
        forwarder = Forwarder(upstream, settings, instances, udp_size, clock, group)
        try:
            yield forwarder
        finally:
            forwarder.stop()
