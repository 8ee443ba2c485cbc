"""The end of stages: files are cleared once nobody can name them; temporary stages end with their session.

It asks the store, not a mirror, before it takes anything away, so every replica may run it.
"""

from collections.abc import Iterable
from typing import Protocol

import structlog

from snowcave.api.catalog.change import Change, name_of
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.reconciler import Done, Reconciler
from snowcave.store.api import Store
from snowcave.store.mirror import Entry, Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


class Clearing(Protocol):
    async def clear(self, stage: int) -> None: ...

    async def stages(self) -> list[int]: ...


class StageRooms:
    """Run `reconciler.run()`. Keys are uids of stages."""

    def __init__(
        self,
        store: Store,
        objects: Mirror[state.Object],
        sessions: Mirror[state.Session],
        files: Clearing,
    ) -> None:
        self._store = store
        self._objects = objects
        self._files = files
        self.reconciler: Reconciler[int] = Reconciler(
            self._reconcile, list_keys=self._keys, workers=1
        )
        objects.subscribe(self._changed)
        sessions.subscribe(self._ended)

    async def _keys(self) -> Iterable[int]:
        found = {one.uid for _, one in self._objects.items("stage") if one.stage.session}
        try:
            found.update(await self._files.stages())
        except SnowcaveError as error:
            # Whatever ails the warehouse is no reason to end: the next round asks again.
            log.info("stages_not_listed", error=error.message)
        return found

    def _changed(self, parts: tuple[str, ...], found: state.Object | None) -> None:
        if parts[0] == "stage" and found is None:
            self.reconciler.queue.add(int(parts[1]))

    def _ended(self, parts: tuple[str, ...], found: state.Session | None) -> None:
        if found is None:
            for _, one in self._objects.items("stage"):
                if one.stage.session == int(parts[0]):
                    self.reconciler.queue.add(one.uid)

    async def _reconcile(self, stage: int) -> Done:
        kept = await self._store.get(keys.CATALOG.key("stage", stage))
        if kept is None:
            await self._files.clear(stage)
            return Done()
        found = state.Object.FromString(kept.value)
        session = found.stage.session
        if session and await self._store.get(keys.SESSIONS.key(session)) is None:
            await self._drop(Entry(found, kept.mod_revision, kept.create_revision))
        return Done()

    async def _drop(self, entry: Entry[state.Object]) -> None:
        """What holds the name now may be another one; then only this one goes."""
        found = entry.message
        key = keys.NAMES.key("stage", found.parent, name_of(found))
        name = await self._store.get(key)
        change = Change()
        if name is not None:
            named = state.NameEntry.FromString(name.value)
            change.unname(entry, Entry(named, name.mod_revision, name.create_revision))
        change.delete(entry)
        for compares, writes in change.batches(64):
            await self._store.txn(compares, writes)
