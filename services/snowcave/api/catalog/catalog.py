"""The catalog as statements see it: look-ups in mirrors, and changes that are read back at once.

A session that has changed something sees its change in its next statement: `commit` returns when the mirrors
have caught up with it.
"""

import asyncio
from collections.abc import Iterator

import structlog

from snowcave.api.catalog.change import Change
from snowcave.api.catalog.mirrors import Mirrors
from snowcave.model import keys
from snowcave.model.errors import Conflict
from snowcave.model.grants import AccessView
from snowcave.model.privileges import INHERITED_CALLER
from snowcave.store.api import Revision, Store
from snowcave.store.mirror import Entry, Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

ACCOUNT = 0
# etcd takes no more than 128 operations in one transaction.
_OPERATIONS = 100


class Moved(Conflict):
    """What a decision was based on changed before it was written: decide again."""

    def __init__(self) -> None:
        super().__init__("The object was changed by another statement at the same time.")


class Catalog:
    """`patience`: seconds that a commit waits to read its own write."""

    def __init__(self, store: Store, mirrors: Mirrors, *, patience: float = 5.0) -> None:
        self._store = store
        self.mirrors = mirrors
        self._patience = patience
        self._view: tuple[Revision, Revision, AccessView] | None = None

    # ------------------------------------------------------------ reading

    def entry(self, domain: str, uid: int) -> Entry[state.Object] | None:
        """An object that is not dropped, and nor is what holds it."""
        found = self.mirrors.objects.entry(domain, uid)
        return found if found and self._stands(domain, found.message) else None

    def _stands(self, domain: str, found: state.Object) -> bool:
        """Dropping a schema or a database is one write: what they hold goes out of sight with them."""
        if found.HasField("dropped_on"):
            return False
        if not found.parent:
            return True
        holder = "database" if domain == "schema" else "schema"
        above = self.mirrors.objects.get(holder, found.parent)
        return above is not None and self._stands(holder, above)

    def get(self, domain: str, uid: int) -> state.Object | None:
        found = self.entry(domain, uid)
        return found.message if found else None

    def named(self, domain: str, parent: int, name: str) -> Entry[state.Object] | None:
        """By its unique name within what holds it."""
        held = self.mirrors.names.entry(domain, parent, name)
        if held is None:
            return None
        found = self.entry(domain, held.message.uid)
        if found is None and self.mirrors.objects.revision < held.mod_revision:
            # Its name is known already, the object not yet: to take it for free would give it away twice.
            raise Moved
        return found

    def name_entry(self, domain: str, parent: int, name: str) -> Entry[state.NameEntry] | None:
        return self.mirrors.names.entry(domain, parent, name)

    def all(self, domain: str) -> Iterator[state.Object]:
        """Every object of the domain that is not dropped."""
        for _, found in self.mirrors.objects.items(domain):
            if self._stands(domain, found):
                yield found

    def dropped(self, domain: str) -> Iterator[Entry[state.Object]]:
        """Those that are themselves dropped and may come back, or wait to be cleared up."""
        for (_, uid), found in self.mirrors.objects.items(domain):
            if found.HasField("dropped_on"):
                entry = self.mirrors.objects.entry(domain, uid)
                if entry is not None:
                    yield entry

    def held(self, domain: str, parent: int) -> Iterator[Entry[state.Object]]:
        """What an object holds, whether or not it is dropped itself."""
        for (_, uid), found in self.mirrors.objects.items(domain):
            entry = self.mirrors.objects.entry(domain, uid) if found.parent == parent else None
            if entry is not None:
                yield entry

    def children(self, domain: str, parent: int) -> Iterator[state.Object]:
        return (found for found in self.all(domain) if found.parent == parent)

    def name(self, domain: str, uid: int) -> str:
        """The object's name, also while it is being dropped; empty where there is none."""
        found = self.mirrors.objects.get(domain, uid) if uid else None
        return found.name if found else ""

    def place(self, schema: int) -> tuple[str, str]:
        """Names of the schema and its database."""
        found = self.mirrors.objects.get("schema", schema)
        return (found.name, self.name("database", found.parent)) if found else ("", "")

    @property
    def access(self) -> AccessView:
        """The grants as they are now."""
        revisions = (self.mirrors.grants.revision, self.mirrors.objects.revision)
        if self._view is None or self._view[:2] != revisions:
            view = AccessView(list(self.mirrors.grants.values()), self._owner_of)
            self._view = (*revisions, view)
        return self._view[2]

    def grants_about(self, found: state.Object) -> list[state.Grant]:
        """Grants on the object or its service roles, and, for roles and users, those they hold."""
        domain = found.WhichOneof("body")
        return [
            grant
            for grant in self.mirrors.grants.values()
            if (
                grant.securable == found.uid
                and (grant.future_in or grant.domain)
                in (domain, "service_role" if domain == "service" else domain)
            )
            # About all that is in it.
            or (grant.securable == found.uid and grant.privilege.startswith(INHERITED_CALLER))
            or (grant.grantee_kind == domain and grant.grantee == found.uid)
        ]

    def _owner_of(self, domain: str, uid: int) -> int | None:
        found = self.get(domain, uid)
        return found.owner_role if found else None

    # ------------------------------------------------------------ writing

    async def commit(self, change: Change) -> None:
        """Raises Moved, with nothing written, where something else was there first."""
        if not change:
            return
        revision = 0
        for compares, writes in change.batches(_OPERATIONS):
            result = await self._store.txn(compares, writes)
            if not result.succeeded:
                raise Moved
            revision = result.revision
        await self._read_back(change, revision)

    async def _read_back(self, change: Change, revision: Revision) -> None:
        """Wait for the mirrors of what was written."""
        spaces: list[tuple[str, Mirror[state.Object | state.NameEntry | state.Grant]]] = [
            (keys.CATALOG.prefix, self.mirrors.objects),  # type: ignore[list-item]
            (keys.NAMES.prefix, self.mirrors.names),  # type: ignore[list-item]
            (keys.GRANTS.prefix, self.mirrors.grants),  # type: ignore[list-item]
        ]
        try:
            async with asyncio.timeout(self._patience):
                for prefix, mirror in spaces:
                    if any(key.startswith(prefix) for key in change.writes):
                        await mirror.wait(lambda mirror: mirror.revision >= revision)
        except TimeoutError:
            # Written all the same; only the next look may be an old one.
            log.warning("mirror_behind_own_write", revision=revision)
