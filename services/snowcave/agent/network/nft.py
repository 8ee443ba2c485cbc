"""The effect: keeps the kernel's table at what the endpoints say.

One nft at a time; what changes meanwhile is done together by the next one. A change that the kernel
refuses is followed by the whole table anew, so that no mistake of ours lasts.
"""

import asyncio
import ipaddress
import json
import random
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from snowcave.agent.network import ruleset
from snowcave.agent.network.frame import TABLE, NodePlace
from snowcave.agent.network.policy import Policy
from snowcave.agent.network.resolvers import Replica, alive, mark, spread
from snowcave.agent.network.rules import (
    NO_ACCESS,
    NOTHING,
    Address,
    ServiceRules,
    difference,
    merged,
    service_rules,
)
from snowcave.agent.network.tracked import forget
from snowcave.kit.clock import backoff
from snowcave.kit.tasks import background
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.commands import run
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


@dataclass
class Table:
    """This node's table. Made by `open_table`."""

    place: NodePlace
    endpoints: Mirror[state.Endpoint]
    policy: Policy
    resolvers: Mirror[state.DnsServer]
    _marks: ruleset.Marks = field(default_factory=ruleset.Marks)
    # What the kernel holds, by service.
    _applied: dict[str, ServiceRules] = field(default_factory=dict[str, ServiceRules])
    # Which service has an instance at an address.
    _holders: dict[Address, str] = field(default_factory=dict[Address, str])
    # Where the kernel sends questions for names.
    _asked: tuple[Replica, ...] = ()
    _changed: set[str] = field(default_factory=set[str])
    _wakeup: asyncio.Event = field(default_factory=asyncio.Event)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _is_whole: bool = False
    # What the policy says of any service may have changed.
    _is_doubtful: bool = False

    async def settle(self) -> None:
        """Back when the kernel holds everything that the mirror held at the time of the call."""
        await self._settled.wait()

    def note(self, parts: tuple[str, ...], _message: object) -> None:
        """A service, or one of its endpoints, has changed: the mirrors' subscriber."""
        self._changed.add(parts[0])
        self._wake()

    def doubt(self) -> None:
        """What the policy says of the instances that are here is to be asked anew."""
        self._is_doubtful = True
        self._wake()

    def announced(self, _parts: tuple[str, ...], _message: object) -> None:
        """A replica of dns came or went."""
        self._wake()

    def _wake(self) -> None:
        self._settled.clear()
        self._wakeup.set()

    def prime(self) -> None:
        """Tell the policy which services are here, so that it knows which hosts they may want."""
        for service in {parts[0] for parts, _ in self.endpoints.items()}:
            self._wanted(service)

    async def follow(self) -> None:
        """Endless. What fails is done again, whole, after a pause."""
        delays = backoff(random.Random(), base=0.05, cap=5.0)
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            try:
                await self.apply()
                delays = backoff(random.Random(), base=0.05, cap=5.0)
            except SnowcaveError as error:
                log.warning("rules_not_applied", reason=str(error))
                self._is_whole = False
                await asyncio.sleep(next(delays))
                self._wakeup.set()

    async def apply(self) -> None:
        """Bring the kernel to what the mirror says now. Raises Unavailable where nft refuses."""
        changed, self._changed = self._changed, set()
        if self._is_doubtful:
            self._is_doubtful = False
            changed |= {service for service, rules in self._applied.items() if rules.local}
        if not self._is_whole:
            await self._reload()
        else:
            await self._change(changed)
            await self._spread()
        if not self._changed and not self._is_doubtful:
            self._settled.set()

    async def _reload(self) -> None:
        services = {parts[0] for parts, _ in self.endpoints.items()}
        wanted = {service: self._wanted(service) for service in services}
        asked = self._alive()
        text = ruleset.whole(self.place, merged(wanted.values()), self._marks, asked)
        await run("nft", "-f", "-", stdin=text)
        await self._forget(asked)
        self._applied, self._holders = wanted, {}
        for service, rules in wanted.items():
            self._hold(service, rules)
        # Where two services claim an address, taking it from one must not take it from the other.
        self._is_whole = len(self._holders) == sum(len(one.owners) for one in wanted.values())
        log.info("rules_reloaded", services=len(wanted))

    async def _spread(self) -> None:
        asked = self._alive()
        if asked != self._asked:
            await run("nft", "-f", "-", stdin=spread(asked))
            await self._forget(asked)
            log.info("resolvers_changed", replicas=asked)

    async def _forget(self, asked: tuple[Replica, ...]) -> None:
        """What the kernel knows of questions to replicas that are not `asked` any more."""
        gone, self._asked = set(self._asked) - set(asked), asked
        for replica in gone:
            try:
                await asyncio.to_thread(forget, mark(replica))
            except SnowcaveError as error:
                log.warning("resolver_not_forgotten", replica=replica, reason=str(error))

    def _alive(self) -> tuple[Replica, ...]:
        return alive(self.place, self.resolvers.values())

    async def _change(self, services: Iterable[str]) -> None:
        wanted = {service: self._wanted(service) for service in services}
        if self._is_contested(wanted):
            await self._reload()
            return
        before = merged(self._applied.get(service, NOTHING) for service in wanted)
        delta = difference(before, merged(wanted.values()))
        after = {
            service: rules
            for service, rules in (self._applied | wanted).items()
            if rules != NOTHING
        }
        if delta:
            ranges = [item for rules in after.values() for item in rules.ranges]
            await run("nft", "-f", "-", stdin=ruleset.change(delta, self._marks, ranges))
        self._applied = after
        for address in delta.removed.owners:
            self._holders.pop(address, None)
        for service, rules in wanted.items():
            self._hold(service, rules)

    def _is_contested(self, wanted: Mapping[str, ServiceRules]) -> bool:
        """Whether an address would have two services, for a moment at least."""
        return any(
            (holder := self._holders.get(address, service)) != service
            and address in wanted.get(holder, self._applied[holder]).owners
            for service, rules in wanted.items()
            for address in rules.owners
        )

    def _hold(self, service: str, rules: ServiceRules) -> None:
        self._holders.update(dict.fromkeys(rules.owners, service))

    def _wanted(self, service: str) -> ServiceRules:
        network = ipaddress.IPv4Network(self.place.node_network)
        endpoints = [endpoint for _, endpoint in self.endpoints.items(service)]
        rules = service_rules(endpoints, network, NO_ACCESS)
        if not rules.local:
            self.policy.forget(service)
            return rules
        return service_rules(endpoints, network, self.policy.of(service))


@asynccontextmanager
async def open_table(
    place: NodePlace,
    endpoints: Mirror[state.Endpoint],
    policy: Policy,
    resolvers: Mirror[state.DnsServer],
) -> AsyncGenerator[Table]:
    """Entered when the whole table stands. It stays when this is left: traffic outlives the agent."""
    table = Table(place, endpoints, policy, resolvers)
    unsubscribes = (endpoints.subscribe(table.note), resolvers.subscribe(table.announced))
    try:
        with policy.watching(table.note, table.doubt):
            table.prime()
            await policy.first_answers()
            await table.apply()
            async with background(table.follow()):
                yield table
    finally:
        for unsubscribe in unsubscribes:
            unsubscribe()


async def requests() -> dict[tuple[Address, int], int]:
    """How often the platform has sent something to each instance's port since the table was made."""
    return counted(await run("nft", "-j", "list", "set", *TABLE.split(), "ingress"))


def counted(told: str) -> dict[tuple[Address, int], int]:
    """Packets by address and port, of what nft says of the set in JSON."""
    objects = json.loads(told)["nftables"]
    elements = next((one["set"] for one in objects if "set" in one), {}).get("elem", [])
    found: dict[tuple[Address, int], int] = {}
    for element in elements:
        address, port = element["elem"]["val"]["concat"]
        found[address, port] = element["elem"]["counter"]["packets"]
    return found


async def describe() -> str:
    """The node's rules with their counters, as nft lists them."""
    return await run("nft", "list", "ruleset")
