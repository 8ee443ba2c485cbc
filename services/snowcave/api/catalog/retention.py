"""How long what was dropped may come back: DATA_RETENTION_TIME_IN_DAYS, set nearest to it."""

from snowcave.api.catalog.catalog import Catalog
from snowcave.v1 import state_pb2 as state

PARAMETER = "DATA_RETENTION_TIME_IN_DAYS"
DEFAULT_DAYS = 1


def retention_days(catalog: Catalog, found: state.Object) -> int:
    """Of a schema or a database; what holds it, and the account, count where it says nothing itself."""
    objects = catalog.mirrors.objects
    above = objects.get("database", found.parent) if found.parent else None
    for holder in (found, above, objects.get("account", 0)):
        if holder is not None and PARAMETER in holder.parameters:
            return int(holder.parameters[PARAMETER])
    return DEFAULT_DAYS
