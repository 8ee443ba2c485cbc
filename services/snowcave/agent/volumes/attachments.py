"""Who has an instance's block volumes: at most one instance of all nodes, even when a node is cut off.

`block/<service>/<instance id>` says on which machine they lie and which instance took them; it stays. An
agent that uses them also keeps `attached/…` under a lease of its own. Whoever wants them compares both:
nobody may hold `attached`, and where the last one did not put them back, a pause has to pass first.
An agent that has lost its lease takes the volumes from its instances at once; the pause is its time for that.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError, Unavailable
from snowcave.store.api import Compare, Delete, KeyValue, Put, Store, StoreLease, Write
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_RETRY_CAP = 2.0

# Takes its block volumes from an instance, whatever it does with them.
Fence = Callable[[str], Awaitable[None]]

# Whether this machine still has volumes of a service. Blocks.
LiesHere = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class AttachmentSettings:
    """Seconds."""

    # How long the store keeps the volumes for an agent that has fallen silent.
    lease: float = 12.0
    # What an agent that lost its lease has to take the volumes from its instances.
    margin: float = 6.0
    # How long a taker waits for the node's first lease.
    patience: float = 5.0
    # Between two looks for records of services that are gone.
    sweep: float = 60.0


@dataclass
class Attachments:
    """Made by `open_attachments`."""

    store: Store
    host: str
    node: str
    settings: AttachmentSettings
    clock: Clock
    rng: random.Random
    fence: Fence
    lies_here: LiesHere
    # Instances that have their volumes.
    held: set[str] = field(default_factory=set[str])
    _lease: StoreLease | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Nodes without block volumes need no lease; one that had some keeps it.
    _needed: asyncio.Event = field(default_factory=asyncio.Event)
    _leased: asyncio.Event = field(default_factory=asyncio.Event)
    # Since when volumes that were not put back are known to be held by nobody, by what the record said.
    _abandoned: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])

    async def take(self, instance: str, volumes: Iterable[str]) -> None:
        """Harmless where it has them. Raises Conflict while another one may have them, Unavailable."""
        lease = await self._current_lease()
        # One at a time: what this agent does itself must not look like somebody else's doing.
        async with self._turn:
            await self._take(instance, volumes, lease)

    async def _take(self, instance: str, volumes: Iterable[str], lease: StoreLease) -> None:
        block_key, attached_key = _keys(instance)
        block, attached = await self.store.get(block_key), await self.store.get(attached_key)
        self._check(instance, block_key, block, attached)
        record = state.BlockSet(
            host=self.host, holder=instance, node=self.node, volumes=sorted(volumes)
        )
        attachment = state.BlockAttachment(instance=instance, node=self.node)
        compares = [_as_seen(block_key, block), _as_seen(attached_key, attached)]
        writes: list[Write] = [
            Put(block_key, record.SerializeToString()),
            Put(attached_key, attachment.SerializeToString(), lease.id),
        ]
        if not (await self.store.txn(compares, writes)).succeeded:
            raise Conflict("The block volumes were taken by another instance.")
        if lease.lost or lease is not self._lease:
            # Those who hold volumes are being made to let go at this moment: not one more.
            raise Unavailable("The block volumes cannot be kept while the store is away.")
        self.held.add(instance)
        self._abandoned.pop((block_key, block.mod_revision if block else 0), None)

    async def _current_lease(self) -> StoreLease:
        self._needed.set()
        try:
            async with asyncio.timeout(self.settings.patience):
                await self._leased.wait()
        except TimeoutError:
            pass
        if self._lease is None or self._lease.lost:
            raise Unavailable("The block volumes cannot be taken while the store is away.")
        return self._lease

    async def put_back(self, instance: str) -> None:
        """Another instance may have them now. Harmless where this one does not."""
        async with self._turn:
            await self._put_back(instance)
            self.held.discard(instance)

    async def _put_back(self, instance: str) -> None:
        block_key, attached_key = _keys(instance)
        block = await self.store.get(block_key)
        record = state.BlockSet.FromString(block.value) if block else state.BlockSet()
        if block is not None and record.holder == instance:
            record.holder = record.node = ""
            writes: list[Write] = [Put(block_key, record.SerializeToString())]
            if await self._is_attached_to(attached_key, instance):
                writes.append(Delete(attached_key))
            if not (await self.store.txn([_as_seen(block_key, block)], writes)).succeeded:
                raise Conflict("The block volumes have changed hands.")

    async def _is_attached_to(self, key: str, instance: str) -> bool:
        found = await self.store.get(key)
        return found is not None and _instance(found) == instance

    def _check(
        self, instance: str, block_key: str, block: KeyValue | None, attached: KeyValue | None
    ) -> None:
        record = state.BlockSet.FromString(block.value) if block else state.BlockSet()
        if record.host not in ("", self.host):
            raise Conflict(f"The block volumes lie on machine '{record.host}'.")
        if attached is not None and _instance(attached) != instance:
            raise Conflict(f"The block volumes are in use by instance {_instance(attached)}.")
        if block is None or record.holder in ("", instance):
            return
        now = self.clock.monotonic()
        since = self._abandoned.setdefault((block_key, block.mod_revision), now)
        if now - since < self.settings.margin:
            raise Conflict(f"The block volumes were not put back by instance {record.holder}.")

    async def run(self) -> None:
        """Endless: keep the lease; whoever cannot keep it has no volumes."""
        delays = backoff(self.rng, cap=_RETRY_CAP)
        if self.held:
            self._needed.set()
        await self._needed.wait()
        while True:
            before = sorted(self.held)
            try:
                async with self.store.lease(self.settings.lease) as lease:
                    self._lease = lease
                    self._leased.set()
                    delays = backoff(self.rng, cap=_RETRY_CAP)
                    for instance in before:
                        await self._take_again(instance, lease)
                    await lease.wait_lost()
                log.warning("attachment_lease_lost", node=self.node)
            except SnowcaveError as error:
                log.warning("attachments_not_kept", node=self.node, error=error.message)
                await self.clock.sleep(next(delays))
            finally:
                self._lease = None
                self._leased.clear()
            await self._let_go()

    async def _take_again(self, instance: str, lease: StoreLease) -> None:
        """What an agent before this one took."""
        for delay in backoff(self.rng, cap=_RETRY_CAP):
            try:
                async with self._turn:
                    if instance in self.held:
                        await self._take(instance, await self._volumes(instance), lease)
                return None
            except Conflict as error:
                log.warning("attachment_lost", instance=instance, reason=error.message)
                await self._take_from(instance)
                return None
            except SnowcaveError as error:
                log.info("attachment_delayed", instance=instance, error=error.message)
                if lease.lost:
                    return None
                await self.clock.sleep(delay)

    async def _volumes(self, instance: str) -> Iterable[str]:
        found = await self.store.get(_keys(instance)[0])
        return state.BlockSet.FromString(found.value).volumes if found else ()

    async def _let_go(self) -> None:
        """All at once: the margin is the time for the slowest, not for their sum."""
        async with asyncio.TaskGroup() as tasks:
            for instance in sorted(self.held):
                tasks.create_task(self._take_from(instance))

    async def _take_from(self, instance: str) -> None:
        # First of all: whoever is still attaching volumes for it finds out, and takes them off again.
        self.held.discard(instance)
        await self.fence(instance)
        log.warning("instance_fenced", instance=instance)

    async def sweep(self) -> None:
        """Endless: records of services that are gone tell nobody anything."""
        await self._needed.wait()
        while True:
            try:
                await self._sweep_once()
            except SnowcaveError as error:
                log.debug("block_records_not_swept", error=error.message)
            await self.clock.sleep(self.settings.sweep)

    async def _sweep_once(self) -> None:
        for item in (await self.store.list(keys.BLOCKS.prefix)).items:
            record = state.BlockSet.FromString(item.value)
            service, instance_id = keys.BLOCKS.split(item.key)
            if record.host != self.host:
                continue
            # One that was never put back is told apart from one in use by what stands under a lease.
            attached = keys.ATTACHED.key(service, instance_id)
            if record.holder and await self.store.get(attached) is not None:
                continue
            if await asyncio.to_thread(self.lies_here, int(service)):
                continue  # its last snapshots are looked for where this says
            if await self.store.get(keys.CATALOG.key("service", service)) is None:
                await self.store.txn([_as_seen(item.key, item)], [Delete(item.key)])


def slot(instance: str) -> tuple[int, int]:
    """Service and instance id of `<service uid>-<instance id>-<incarnation>`."""
    service, instance_id, _ = instance.split("-")
    return int(service), int(instance_id)


def _keys(instance: str) -> tuple[str, str]:
    where = slot(instance)
    return keys.BLOCKS.key(*where), keys.ATTACHED.key(*where)


def _as_seen(key: str, found: KeyValue | None) -> Compare:
    return Compare(key, mod_revision=found.mod_revision if found else 0)


def _instance(attached: KeyValue) -> str:
    return state.BlockAttachment.FromString(attached.value).instance


@asynccontextmanager
async def open_attachments(attachments: Attachments) -> AsyncGenerator[Attachments]:
    async with background(attachments.run(), attachments.sweep()):
        yield attachments
