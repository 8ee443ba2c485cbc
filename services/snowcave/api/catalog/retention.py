"""How long what was dropped may come back: DATA_RETENTION_TIME_IN_DAYS, set nearest to it."""

from snowcave.api.catalog.catalog import Catalog
from snowcave.v1 import state_pb2 as state

PARAMETER = "DATA_RETENTION_TIME_IN_DAYS"
DEFAULT_DAYS = 1


def retention_days(catalog: Catalog, found: state.Object) -> int:
    """Of an event table, a schema or a database; where it says nothing, what holds it, and the account."""
    objects = catalog.mirrors.objects
    is_table = found.WhichOneof("body") == "event_table"
    schema = objects.get("schema", found.parent) if is_table else found
    above = objects.get("database", schema.parent) if schema and schema.parent else None
    for holder in (found, schema, above, objects.get("account", 0)):
        if holder is not None and PARAMETER in holder.parameters:
            return int(holder.parameters[PARAMETER])
    return DEFAULT_DAYS
