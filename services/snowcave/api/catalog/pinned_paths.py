"""Where services pull from, after a rename: images are pinned by repository and digest, and pulled by path.

A service whose pinned path is not where its repository is now gets the right one. What runs goes on: nothing
of the specification changes, and its digest stays.
"""

from collections.abc import Iterable

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.change import Change
from snowcave.model import names
from snowcave.runtime.reconciler import Done, Reconciler
from snowcave.v1 import state_pb2 as state


class PinnedPaths:
    """Run `reconciler.run()`. Keys are uids of services."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.reconciler: Reconciler[int] = Reconciler(
            self.reconcile, list_keys=self._keys, workers=1
        )
        catalog.mirrors.objects.subscribe(self._changed)

    async def _keys(self) -> Iterable[int]:
        return [found.uid for found in self._catalog.all("service") if self._moved(found)]

    def _changed(self, parts: tuple[str, ...], found: state.Object | None) -> None:
        if parts[0] in ("database", "schema") and found is not None:
            for service in self._catalog.all("service"):
                if self._moved(service):
                    self.reconciler.queue.add(service.uid)

    def _moved(self, service: state.Object) -> bool:
        return any(
            self._path(container.resolved) not in ("", container.resolved.repository_path)
            for container in service.service.spec.containers
        )

    def _path(self, pinned: state.ImageRef) -> str:
        """Where the repository is; empty where it is gone."""
        repository = self._catalog.get("image_repository", pinned.repository)
        if repository is None:
            return ""
        schema, database = self._catalog.place(repository.parent)
        return names.repository_path(database, schema, repository.name)

    async def reconcile(self, uid: int) -> Done:
        entry = self._catalog.entry("service", uid)
        if entry is None or not self._moved(entry.message):
            return Done()
        changed = state.Object()
        changed.CopyFrom(entry.message)
        for container in changed.service.spec.containers:
            if path := self._path(container.resolved):
                container.resolved.repository_path = path
        change = Change()
        change.update(entry, changed)
        await self._catalog.commit(change)
        return Done()
