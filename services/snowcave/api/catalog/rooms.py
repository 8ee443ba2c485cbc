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
        # What each room was made as: under another name, or after it was dropped, it is made again.
        self._made: dict[tuple[str, int], tuple[str, str]] = {}
        self.reconciler: Reconciler[tuple[str, int]] = Reconciler(
            self._reconcile, list_keys=self._keys, workers=1
        )
        objects.subscribe(self._changed)

    async def _keys(self) -> Iterable[tuple[str, int]]:
        keys = [
            (domain, found.uid) for domain in _DOMAINS for _, found in self._objects.items(domain)
        ]
        return [key for key in keys if not self._is_made(key)]

    def _changed(self, parts: tuple[str, ...], found: state.Object | None) -> None:
        if parts[0] not in _DOMAINS:
            return
        key = (parts[0], int(parts[1]))
        if found is None or found.HasField("dropped_on"):
            self._made.pop(key, None)
        elif not self._is_made(key):
            self.reconciler.queue.add_after(key, _GRACE)

    def _is_made(self, key: tuple[str, int]) -> bool:
        return key in self._made and self._made[key] == self._place(key)

    def _place(self, key: tuple[str, int]) -> tuple[str, str] | None:
        """Names of what holds it, and its own; None where it is not there."""
        found = self._alive(*key)
        if found is None:
            return None
        database = self._alive("database", found.parent) if found.parent else None
        return (database.name if database else "", found.name)

    async def _reconcile(self, key: tuple[str, int]) -> Done:
        domain, uid = key
        database_name = ""
        found = self._alive(domain, uid)
        if found is None or self._is_made(key):
            return Done()
        if domain == "database":
            if found.name != _SYSTEM:
                await self._ddl.create_database(found.name, uid=uid)
        else:
            database = self._alive("database", found.parent)
            if database is None:
                return Done()
            if not self._is_made(("database", database.uid)):
                raise Unavailable(f"Database {database.name} has no room yet.")
            database_name = database.name
            if database.name != _SYSTEM:
                await self._ddl.create_schema(database.name, found.name, uid=uid)
        # Room for what was dropped meanwhile does no harm: it bears its uid, and is set aside again.
        self._made[key] = (database_name, found.name)
        return Done()

    def _alive(self, domain: str, uid: int) -> state.Object | None:
        found = self._objects.get(domain, str(uid))
        return found if found and not found.HasField("dropped_on") else None
