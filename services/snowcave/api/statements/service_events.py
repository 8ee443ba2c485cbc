"""Platform events of what a statement changes of a service: written with the change itself."""

from snowcave.api.catalog.change import Change
from snowcave.api.statements.work import Work
from snowcave.kit import ids
from snowcave.model import keys, platform_events
from snowcave.model.platform_events import PlatformEvent
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

_ID_LENGTH = 16


def tell(work: Work, change: Change, service: state.Object, *told: PlatformEvent) -> None:
    """`service` as the change leaves it: its own level counts already."""
    schema = work.catalog.get("schema", service.parent)
    database = work.catalog.get("database", schema.parent) if schema else None
    account = work.catalog.get("account", 0)
    level = platform_events.level(service, schema, database, account)
    wanted = [one for one in told if one.is_wanted(level)]
    if not wanted:
        return
    request = events.AppendRequest()
    request.resources.append(
        platform_events.resource(
            work.context.account, service, _identity(work, service, schema, database)
        )
    )
    for one in wanted:
        request.rows.append(platform_events.row(one, 0, work.clock.now()))
    key = keys.API_EVENTS.key(ids.label(work.rng, _ID_LENGTH))
    change.put(key, request.SerializeToString())


def _identity(
    work: Work,
    service: state.Object,
    schema: state.Object | None,
    database: state.Object | None,
) -> state.ServiceIdentity:
    pool = service.service.compute_pool
    return state.ServiceIdentity(
        service_name=service.name,
        database_name=database.name if database else "",
        schema_name=schema.name if schema else "",
        compute_pool=pool,
        compute_pool_name=work.catalog.name("compute_pool", pool),
        database=database.uid if database else 0,
        schema=service.parent,
    )
