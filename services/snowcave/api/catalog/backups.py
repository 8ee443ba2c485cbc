"""Snapshots that the system makes of block volumes as their service is dropped, and drops in their time."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.change import Change
from snowcave.api.catalog.snapshots import full_name, snapshot_of
from snowcave.kit import ids
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError
from snowcave.store.api import Compare, Put, Store
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_KEEP = 7 * 86_400
_LABEL = 8


@dataclass(frozen=True)
class Backups:
    """`every`: seconds between two looks for backups whose time has come."""

    store: Store
    catalog: Catalog
    clock: Clock
    rng: random.Random
    every: float

    async def make(self, service: state.Object) -> None:
        """Ask for them; may be repeated. The service has stopped and is about to be forgotten."""
        schema = self.catalog.entry("schema", service.parent)
        blocks = [one for one in service.service.spec.volumes if one.source == "block"]
        if schema is None or not blocks:
            return
        schema_key = keys.CATALOG.key("schema", service.parent)
        listing = await self.store.list(keys.BLOCKS.under(service.uid))
        for item in listing.items:
            instance_id = int(keys.BLOCKS.split(item.key)[1])
            kept = set(state.BlockSet.FromString(item.value).volumes)
            for volume in blocks:
                if volume.name in kept and wants_backup(service.service, volume):
                    made = self._backup(service, volume, instance_id)
                    name_key = keys.NAMES.key("snapshot", made.parent, made.name)
                    entry = state.NameEntry(uid=made.uid).SerializeToString()
                    key = keys.CATALOG.key("snapshot", made.uid)
                    held = Compare(schema_key, create_revision=schema.create_revision)
                    written = await self.store.txn(
                        [held, Compare(name_key, mod_revision=0)],
                        [Put(name_key, entry), Put(key, made.SerializeToString())],
                    )
                    # Where the name is there already, we have been here before.
                    if not written.succeeded and await self.store.get(name_key) is None:
                        raise Conflict("The schema of the service has changed.")
                    log.info("backup_asked_for", snapshot=made.name, service=service.uid)

    def _backup(
        self, service: state.Object, volume: state.VolumeSpec, instance_id: int
    ) -> state.Object:
        moment, now, expires = self.clock.now(), Timestamp(), Timestamp()
        now.FromDatetime(moment)
        keep = volume.block.snapshot_delete_after_secs or _KEEP
        expires.FromDatetime(moment + timedelta(seconds=keep))
        made = state.Object(
            uid=ids.uid(self.rng),
            name=backup_name(service, volume.name, instance_id),
            parent=service.parent,
            owner_role=service.owner_role,
            created_on=now,
            updated_on=now,
        )
        described = snapshot_of(service, full_name(self.catalog, service), volume, instance_id)
        made.snapshot.CopyFrom(described)
        made.snapshot.expires_on.CopyFrom(expires)
        return made

    async def run(self) -> None:
        """Endless: drop those whose time has come. Every replica looks; the first one's drop counts."""
        while True:
            await self.clock.sleep(self.every)
            try:
                await self.sweep()
            except SnowcaveError as error:
                log.warning("old_backups_not_dropped", error=error.message)

    async def sweep(self) -> None:
        for snapshot in list(self._expired()):
            await self._drop(snapshot)

    def _expired(self) -> Iterator[state.Object]:
        now = self.clock.now()
        for found in self.catalog.all("snapshot"):
            expires = found.snapshot.expires_on
            if found.snapshot.HasField("expires_on") and expires.ToDatetime(UTC) <= now:
                yield found

    async def _drop(self, snapshot: state.Object) -> None:
        entry = self.catalog.entry("snapshot", snapshot.uid)
        if entry is None:
            return
        change = Change()
        change.unname(entry, self.catalog.name_entry("snapshot", snapshot.parent, snapshot.name))
        change.delete(entry)
        for grant in self.catalog.grants_about(snapshot):
            change.revoke(grant)
        await self.catalog.commit(change)
        log.info("old_backup_dropped", snapshot=snapshot.name)


def wants_backup(service: state.Service, volume: state.VolumeSpec) -> bool:
    block = volume.block
    if block.HasField("snapshot_on_delete"):
        return block.snapshot_on_delete
    return not service.is_job


def backup_name(service: state.Object, volume: str, instance_id: int) -> str:
    """The same whenever it is asked for."""
    what = f"{service.uid}/{volume}/{instance_id}"
    label = hashlib.sha256(what.encode()).hexdigest()[:_LABEL].upper()
    return f"SYS_BACKUP_ON_DELETE{label}_{service.dropped_on.seconds}"
