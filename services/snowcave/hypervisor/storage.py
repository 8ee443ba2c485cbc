"""The block volumes of this machine and their snapshots: taken when asked for, removed when nobody has them.

Agents attach volumes; what outlives nodes is done here. A snapshot is taken on the machine that has the
volume: `status/snapshot/<uid>` says which. A volume goes when the catalog has forgotten its service, and
every snapshot of it that was asked for has been taken.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError
from snowcave.runtime.block_disks import BlockDisks
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.reconciler import Done, Reconciler
from snowcave.store.api import Compare, Put, Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

INITIALIZED, CREATED, ERROR = "INITIALIZED", "CREATED", "ERROR"
_LOOK_AGAIN = 1.0


@dataclass(frozen=True)
class StorageSettings:
    """Seconds."""

    # A snapshot of a volume that no machine has by then is an error.
    patience: float = 20.0
    # For copying one volume.
    copying: float = 900.0
    # Between two looks at everything.
    resync: float = 60.0


class Target(NamedTuple):
    kind: Literal["snapshot", "service"]
    uid: int


@dataclass
class Storage:
    host: str
    disks: BlockDisks
    store: Store
    snapshots: Mirror[state.Object]
    services: Mirror[state.Object]
    statuses: Mirror[state.SnapshotStatus]
    settings: StorageSettings
    clock: Clock

    async def targets(self) -> Iterable[Target]:
        return await asyncio.to_thread(self._targets)

    def _targets(self) -> list[Target]:
        known = {int(parts[0]) for parts, _ in self.snapshots.items()}
        known |= {int(parts[0]) for parts, _ in self.statuses.items()}
        known |= self.disks.snapshots()
        return [Target("snapshot", uid) for uid in sorted(known)] + [
            Target("service", uid) for uid in sorted(self.disks.services())
        ]

    async def reconcile(self, target: Target) -> Done:
        if target.kind == "service":
            return await self._service(target.uid)
        wanted = self.snapshots.get(target.uid)
        if wanted is not None:
            return await self._take(wanted)
        if await self.store.get(keys.CATALOG.key("snapshot", target.uid)) is None:
            await self._remove(target.uid)
        return Done()

    # ------------------------------------------------------------ snapshots

    async def _take(self, wanted: state.Object) -> Done:
        # Asked of the store: a mirror that is behind would have it taken again, of a later moment.
        known = await self._told(wanted.uid)
        if known is not None and (known.state != INITIALIZED or known.host != self.host):
            return Done()
        image = self._image(wanted.snapshot)
        if not await asyncio.to_thread(image.exists):
            return await self._without_volume(wanted)
        await self._tell(wanted.uid, INITIALIZED)
        try:
            await asyncio.to_thread(self.disks.take_snapshot, image, wanted.uid)
        except Conflict:
            raise  # in a moment it can be
        except (SnowcaveError, OSError) as error:
            reason = error.message if isinstance(error, SnowcaveError) else str(error.strerror)
            log.warning("snapshot_not_taken", snapshot=wanted.uid, error=reason)
            await self._tell(wanted.uid, ERROR, reason)
            return Done()
        await self._tell(wanted.uid, CREATED)
        log.info("snapshot_taken", snapshot=wanted.uid, service=wanted.snapshot.service)
        return Done()

    async def _without_volume(self, wanted: state.Object) -> Done:
        """Another machine may have it, also one that is down; where none has it in time, there is none."""
        slot = wanted.snapshot
        found = await self.store.get(keys.BLOCKS.key(slot.service, slot.instance_id))
        record = state.BlockSet.FromString(found.value) if found else state.BlockSet()
        if record.host not in ("", self.host):
            return Done()
        asked = wanted.created_on.ToDatetime(UTC)
        left = self.settings.patience - (self.clock.now() - asked).total_seconds()
        if left > 0:
            return Done(again_in=left)
        await self._tell(wanted.uid, ERROR, "There is no such volume.", first=True)
        return Done()

    async def _tell(self, uid: int, told: str, message: str = "", *, first: bool = False) -> None:
        key = keys.SNAPSHOT_STATUS.key(uid)
        status = state.SnapshotStatus(state=told, host=self.host, message=message)
        compares = [Compare(key, mod_revision=0)] if first else []
        await self.store.txn(compares, [Put(key, status.SerializeToString())])

    async def _remove(self, uid: int) -> None:
        await asyncio.to_thread(self.disks.remove_snapshot, uid)
        known = self.statuses.get(uid)
        if known is not None and known.host == self.host:
            await self.store.delete(keys.SNAPSHOT_STATUS.key(uid))
            log.info("snapshot_removed", snapshot=uid)

    def _image(self, snapshot: state.Snapshot) -> Path:
        return self.disks.image(snapshot.service, snapshot.instance_id, snapshot.volume)

    # ------------------------------------------------------------ volumes

    async def _service(self, uid: int) -> Done:
        """What the store says counts: a mirror may be behind, and a volume does not come back."""
        if self.services.get(uid) is not None:
            return Done()
        if await self.store.get(keys.CATALOG.key("service", uid)) is not None:
            return Done()
        listing = await self.store.list(keys.CATALOG.under("snapshot"))
        for item in listing.items:
            snapshot = state.Object.FromString(item.value)
            if snapshot.snapshot.service == uid and not await self._is_taken(snapshot.uid):
                return Done(again_in=_LOOK_AGAIN)
        await asyncio.to_thread(self.disks.remove_service, uid)
        log.info("block_volumes_removed", service=uid)
        return Done()

    async def _is_taken(self, snapshot: int) -> bool:
        known = await self._told(snapshot)
        return known is not None and known.state != INITIALIZED

    async def _told(self, snapshot: int) -> state.SnapshotStatus | None:
        found = await self.store.get(keys.SNAPSHOT_STATUS.key(snapshot))
        return state.SnapshotStatus.FromString(found.value) if found else None


@asynccontextmanager
async def open_storage(
    mesh: Mesh, store: Store, settings: StorageSettings, clock: Clock
) -> AsyncGenerator[Storage]:
    """Volumes and snapshots follow the catalog while this is entered."""
    disks = BlockDisks(mesh.folder("blocks"), settings.copying)
    await asyncio.to_thread(disks.thaw_all)
    async with (
        follow(store, keys.catalog("snapshot")) as snapshots,
        follow(store, keys.catalog("service")) as services,
        follow(store, keys.SNAPSHOT_STATUS) as statuses,
    ):
        storage = Storage(mesh.host, disks, store, snapshots, services, statuses, settings, clock)
        reconciler: Reconciler[Target] = Reconciler(
            storage.reconcile, list_keys=storage.targets, resync=settings.resync, workers=2
        )

        def snapshot_changed(parts: tuple[str, ...], _found: state.Object | None) -> None:
            reconciler.queue.add(Target("snapshot", int(parts[0])))

        def service_changed(parts: tuple[str, ...], found: state.Object | None) -> None:
            if found is None:
                reconciler.queue.add(Target("service", int(parts[0])))

        unsubscribe = [snapshots.subscribe(snapshot_changed), services.subscribe(service_changed)]
        try:
            async with background(reconciler.run()):
                yield storage
        finally:
            for stop in unsubscribe:
                stop()
