"""Room in the warehouse for every database and schema of the catalog.

Statements make it themselves; this part makes it where a statement could not end: its daemon died after the
catalog's transaction, or the warehouse was away. Each call may be repeated, so every replica may run this.
"""

from collections.abc import Iterable

from snowcave.api.contract import Ddl
from snowcave.model.errors import Unavailable
from snowcave.runtime.reconciler import Done, Reconciler
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

_DOMAINS = ("database", "schema")
# The system's database holds views that the warehouse makes by itself.
_SYSTEM = "SNOWFLAKE"
# A statement that is under way makes its room within this; then it is ours to see to.
_GRACE = 5.0


class Rooms:
    """Run `reconciler.run()`. Keys are (domain, uid)."""

    def __init__(self, objects: Mirror[state.Object], ddl: Ddl) -> None:
        self._objects = objects
        self._ddl = ddl
        self._made: set[tuple[str, int]] = set()
        self.reconciler: Reconciler[tuple[str, int]] = Reconciler(
            self._reconcile, list_keys=self._keys, workers=1
        )
        objects.subscribe(self._changed)

    async def _keys(self) -> Iterable[tuple[str, int]]:
        self._made = {key for key in self._made if self._alive(*key) is not None}
        return [
            (domain, found.uid)
            for domain in _DOMAINS
            for _, found in self._objects.items(domain)
            if (domain, found.uid) not in self._made
        ]

    def _changed(self, parts: tuple[str, ...], found: state.Object | None) -> None:
        if parts[0] in _DOMAINS and found is not None:
            key = (parts[0], found.uid)
            if key not in self._made:
                self.reconciler.queue.add_after(key, _GRACE)

    async def _reconcile(self, key: tuple[str, int]) -> Done:
        domain, uid = key
        found = self._alive(domain, uid)
        if found is None or key in self._made:
            return Done()
        if domain == "database":
            if found.name != _SYSTEM:
                await self._ddl.create_database(found.name, uid=uid)
        else:
            database = self._alive("database", found.parent)
            if database is None:
                return Done()
            if ("database", database.uid) not in self._made:
                raise Unavailable(f"Database {database.name} has no room yet.")
            if database.name != _SYSTEM:
                await self._ddl.create_schema(database.name, found.name, uid=uid)
        # Room for what was dropped meanwhile does no harm: CREATE begins with an empty one.
        self._made.add(key)
        return Done()

    def _alive(self, domain: str, uid: int) -> state.Object | None:
        found = self._objects.get(domain, str(uid))
        return found if found and not found.HasField("dropped_on") else None
