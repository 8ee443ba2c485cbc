"""What a service that acts for its caller keeps of their rights: what caller grants leave to its owner.

They give nothing: the caller must have the privilege as well. Source: D:restricted-callers-rights.
"""

from dataclasses import dataclass

from snowcave.api.catalog.catalog import ACCOUNT, Catalog
from snowcave.api.catalog.change import domain_of
from snowcave.model import keys
from snowcave.model.grants import AccessView
from snowcave.model.privileges import OF_WAREHOUSE
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True)
class CallerLimits:
    """`owners`: the owner of the service, closed over the hierarchy."""

    catalog: Catalog
    access: AccessView
    owners: frozenset[int]

    def left(self, found: state.Object) -> frozenset[str]:
        """Privileges on the object that may be used."""
        domain = domain_of(found)
        return self.access.left_to(self.owners, domain, found.uid, self._containers(found))

    def left_in_account(self) -> frozenset[str]:
        return self.access.left_to(self.owners, "account", ACCOUNT, ())

    def left_in_schema(self, schema: state.Object) -> dict[str, frozenset[str]]:
        """On all that the warehouse has in the schema, by kind."""
        within = (schema.uid, schema.parent, ACCOUNT)
        left = {
            kind: self.access.left_to(self.owners, kind, None, within) for kind in OF_WAREHOUSE
        }
        return {kind: privileges for kind, privileges in left.items() if privileges}

    def left_on(self) -> dict[int, frozenset[str]]:
        """On single objects of the warehouse, by uid."""
        return self.access.left_on(self.owners, OF_WAREHOUSE)

    def _containers(self, found: state.Object) -> tuple[int, ...]:
        domain = domain_of(found)
        if domain in keys.IN_SCHEMA:
            schema = self.catalog.get("schema", found.parent)
            return (found.parent, schema.parent if schema else ACCOUNT, ACCOUNT)
        return (found.parent, ACCOUNT) if found.parent else (ACCOUNT,)


def limits_of(catalog: Catalog, access: AccessView, service: int) -> CallerLimits:
    """Where the service is gone, nothing is left."""
    found = catalog.get("service", service)
    owners = access.closure(found.owner_role) if found else frozenset[int]()
    return CallerLimits(catalog, access, owners)
