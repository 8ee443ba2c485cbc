"""What DROP DATABASE and DROP SCHEMA leave to be done, and when it is too late for UNDROP.

A drop is one write that puts an object out of sight with all it holds. Here services in it are stopped,
the warehouse sets its room aside, and when its retention has ended everything in it goes for good, services
by way of the scheduler. Every step looks at what is there and compares what it writes with the tombstone that
it saw, so any replica may take it at any time, and UNDROP in between wins.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.change import Change, domain_of, name_of
from snowcave.api.catalog.retention import retention_days
from snowcave.api.contract import Ddl
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.runtime.reconciler import Done, Reconciler
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_DOMAINS = ("database", "schema", "event_table")
# Objects cleared up in one transaction, with their names and grants well below what a store takes.
_AT_ONCE = 8

Key = tuple[str, int]


class Graves:
    """Run `reconciler.run()`. Keys are (domain, uid) of what is dropped."""

    def __init__(self, catalog: Catalog, ddl: Ddl, clock: Clock) -> None:
        self._catalog = catalog
        self._ddl = ddl
        self._clock = clock
        # Rooms that the warehouse has set aside as far as this process knows, for which drop.
        self._aside: dict[int, int] = {}
        self.reconciler: Reconciler[Key] = Reconciler(
            self.reconcile, list_keys=self._keys, workers=1
        )
        catalog.mirrors.objects.subscribe(self._changed)

    async def _keys(self) -> Iterable[Key]:
        return [
            (domain, entry.message.uid)
            for domain in _DOMAINS
            for entry in self._catalog.dropped(domain)
        ]

    def _changed(self, parts: tuple[str, ...], found: state.Object | None) -> None:
        if found is None:
            return
        if parts[0] in _DOMAINS and found.HasField("dropped_on"):
            self.reconciler.queue.add((parts[0], found.uid))
        elif parts[0] == "service" and _runs(found):
            # Made while what holds it was being dropped.
            for grave in self._graves_over(found):
                self.reconciler.queue.add(grave)

    def _graves_over(self, found: state.Object) -> Iterator[Key]:
        objects = self._catalog.mirrors.objects
        schema = objects.get("schema", found.parent)
        database = objects.get("database", schema.parent) if schema else None
        for holder in (schema, database):
            if holder is not None and holder.HasField("dropped_on"):
                yield domain_of(holder), holder.uid

    async def reconcile(self, key: Key) -> Done:
        entry = self._catalog.mirrors.objects.entry(*key)
        if entry is None or not entry.message.HasField("dropped_on"):
            self._aside.pop(key[1], None)
            return Done()
        await self._stop_services(entry)
        await self._set_aside(entry)
        left = self._left(entry.message)
        if left > 0:
            return Done(again_in=left)
        await self._clear(entry)
        return Done()

    def _left(self, grave: state.Object) -> float:
        """Seconds until it cannot come back any more."""
        days = retention_days(self._catalog, grave)
        ends = grave.dropped_on.ToDatetime(UTC) + timedelta(days=days)
        return (ends - self._clock.now()).total_seconds()

    # ------------------------------------------------------------ stopping

    async def _stop_services(self, grave: Entry[state.Object]) -> None:
        for holder in self._schemas(grave):
            for entry in self._catalog.held("service", holder):
                if _runs(entry.message):
                    await self._stop(grave, entry)

    async def _stop(self, grave: Entry[state.Object], entry: Entry[state.Object]) -> None:
        stopped, now = state.Object(), self._now()
        stopped.CopyFrom(entry.message)
        if stopped.service.is_job:
            stopped.service.cancelled_on.CopyFrom(now)
        else:
            stopped.service.suspended = True
            stopped.service.suspended_on.CopyFrom(now)
        stopped.updated_on.CopyFrom(now)
        change = Change()
        change.stands(grave)
        change.update(entry, stopped)
        await self._catalog.commit(change)
        log.info("service_stopped_with_its_schema", service=stopped.uid)

    async def _set_aside(self, grave: Entry[state.Object]) -> None:
        found = grave.message
        if domain_of(found) == "event_table":
            return  # it has no room
        moment = found.dropped_on.ToNanoseconds()
        if self._aside.get(found.uid) == moment:
            return
        if domain_of(found) == "database":
            await self._ddl.drop_database(found.name, uid=found.uid)
        else:
            database = self._catalog.name("database", found.parent)
            await self._ddl.drop_schema(database, found.name, uid=found.uid)
        self._aside[found.uid] = moment

    # ------------------------------------------------------------ clearing up

    async def _clear(self, grave: Entry[state.Object]) -> None:
        """In small transactions, each of which holds only while the tombstone is the one that was seen."""
        change = Change()
        cleared = 0
        for entry in self._content(grave):
            self._clear_one(change, entry)
            cleared += 1
            if cleared % _AT_ONCE == 0:
                change = await self._written(grave, change)
        change.delete(grave)
        self._clear_about(change, grave.message)
        await self._catalog.commit(change)
        if domain_of(grave.message) != "event_table":
            await self._ddl.forget_room(grave.message.uid)
        self._aside.pop(grave.message.uid, None)
        log.info("dropped_for_good", uid=grave.message.uid, objects=cleared)

    async def _written(self, grave: Entry[state.Object], change: Change) -> Change:
        change.stands(grave)
        await self._catalog.commit(change)
        return Change()

    def _content(self, grave: Entry[state.Object]) -> list[Entry[state.Object]]:
        """All it holds, innermost first; services that the scheduler has yet to clear up are left to it."""
        schemas = self._schemas(grave)
        found = [
            entry
            for domain in keys.IN_SCHEMA
            for schema in schemas
            for entry in self._catalog.held(domain, schema)
            # What was dropped before: services are left to the scheduler.
            if domain != "service" or not entry.message.HasField("dropped_on")
        ]
        if domain_of(grave.message) == "database":
            found += list(self._catalog.held("schema", grave.message.uid))
        return found

    def _schemas(self, grave: Entry[state.Object]) -> list[int]:
        found = grave.message
        if domain_of(found) == "schema":
            return [found.uid]
        return [entry.message.uid for entry in self._catalog.held("schema", found.uid)]

    def _clear_one(self, change: Change, entry: Entry[state.Object]) -> None:
        found = entry.message
        name = self._catalog.name_entry(domain_of(found), found.parent, name_of(found))
        change.unname(entry, name)
        if domain_of(found) == "service":
            gone = state.Object()
            gone.CopyFrom(found)
            gone.dropped_on.CopyFrom(self._now())
            change.update(entry, gone)
        else:
            change.delete(entry)
        self._clear_about(change, found)

    def _clear_about(self, change: Change, found: state.Object) -> None:
        if domain_of(found) == "schema":
            change.give_label_free(found)
        for grant in self._catalog.grants_about(found):
            change.revoke(grant)

    def _now(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self._clock.now())
        return stamp


def _runs(found: state.Object) -> bool:
    if found.HasField("dropped_on"):
        return False
    if found.service.is_job:
        return not found.service.HasField("cancelled_on")
    return not found.service.suspended
