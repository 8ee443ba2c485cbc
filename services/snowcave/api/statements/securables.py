"""What a GRANT is about: objects of the catalog, the warehouse's own ones, or the account itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from snowcave.api.catalog.change import domain_of
from snowcave.api.sql.domains import label
from snowcave.api.sql.tree import Scope, Securable
from snowcave.api.statements.functions import find_function
from snowcave.api.statements.work import Work
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound, Unsupported
from snowcave.model.names import ObjectName
from snowcave.model.privileges import EVENT_TABLE, OF_WAREHOUSE
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse

# The event table that there always is.
EVENTS = ObjectName("EVENTS", "TELEMETRY", "SNOWFLAKE")


@dataclass(frozen=True)
class Target:
    """`entry`: where it is one of the catalog's. `schema`: uid of the one that it stands in, or 0."""

    domain: str
    uid: int
    owner: int = 0
    schema: int = 0
    # As SHOW GRANTS has it.
    name: str = ""
    entry: Entry[state.Object] | None = None

    @property
    def words(self) -> str:
        """For messages."""
        return f"{label(self.domain).lower()} '{self.name.rpartition('.')[2]}'"


async def targets(on: Securable, work: Work) -> list[Target]:
    """Raises ObjectNotFound where the one that is named is not there, or not for the caller's eyes.

    Who may manage grants may name everything.
    """
    if work.caller.may_in_account("MANAGE GRANTS"):
        work = replace(work, caller=replace(work.caller, is_admin=True))
    if on.domain == "account":
        return [Target("account", 0, name=work.context.account)]
    if on.all_in is not None:
        return await _all_in(on.domain, on.all_in, work)
    name = on.name or ObjectName("")
    if on.domain == "event_table" and work.caller.full_name(name) == EVENTS:
        return [Target("event_table", EVENT_TABLE, name=str(EVENTS))]
    if on.domain in OF_WAREHOUSE and on.domain != "event_table":
        found = await _named(on, name, work)
        if found is not None:
            return [found]
    if on.domain == "function":
        return [of_catalog(find_function(work, name, on.arguments), work)]
    if on.domain not in keys.DOMAINS:
        raise ObjectNotFound(label(on.domain), str(work.caller.full_name(name)))
    return [of_catalog(work.caller.find(on.domain, name), work)]


def of_catalog(entry: Entry[state.Object], work: Work) -> Target:
    found, domain = entry.message, domain_of(entry.message)
    schema = found.parent if domain in keys.IN_SCHEMA else 0
    name = full_name(domain, found.uid, work)
    return Target(domain, found.uid, found.owner_role, schema, name, entry)


async def _named(on: Securable, name: ObjectName, work: Work) -> Target | None:
    schema = work.caller.holder(name).message
    database = work.catalog.name("database", schema.parent)
    request = warehouse.ListObjectsRequest(
        database=database, schema=schema.name, name=name.name, kind=on.domain
    )
    found = [of_warehouse(one, work) for one in await work.ports.ddl.objects(request)]
    return next((one for one in found if sees(one, work)), None)


def of_warehouse(one: warehouse.WarehouseObject, work: Work) -> Target:
    database = work.catalog.named("database", 0, one.database)
    schema = work.catalog.named("schema", database.message.uid, one.schema) if database else None
    name = str(ObjectName(one.name, one.schema, one.database))
    return Target(one.kind, one.uid, one.owner, schema.message.uid if schema else 0, name)


def sees(target: Target, work: Work) -> bool:
    """Its owner, who holds something on it, or who owns its schema."""
    caller = work.caller
    if caller.is_admin or target.owner in caller.roles:
        return True
    schema = work.catalog.get("schema", target.schema)
    if schema is not None and caller.owns(schema):
        return True
    return caller.access.holds_any(caller.roles, target.domain, target.uid)


async def _all_in(domain: str, scope: Scope, work: Work) -> list[Target]:
    found = (
        []
        if domain not in keys.DOMAINS
        else [of_catalog(one, work) for one in _ours(domain, scope, work)]
    )
    if domain in OF_WAREHOUSE:
        request = warehouse.ListObjectsRequest(kind=domain)
        if scope.domain == "schema":
            schema = work.caller.schema(scope.name).message
            request.schema = schema.name
            request.database = work.catalog.name("database", schema.parent)
        else:
            request.database = work.caller.database(
                scope.name.name if scope.name else ""
            ).message.name
        listed = [of_warehouse(one, work) for one in await work.ports.ddl.objects(request)]
        found += [one for one in listed if sees(one, work)]
    return found


def _ours(domain: str, scope: Scope, work: Work) -> Iterator[Entry[state.Object]]:
    uid, _ = container(scope, work)
    if scope.domain == "schema":
        holders = {uid}
    else:
        schemas = {one.uid for one in work.catalog.children("schema", uid)}
        holders = {uid} if domain == "schema" else schemas
    for found in work.catalog.all(domain):
        entry = work.catalog.entry(domain, found.uid)
        if found.parent in holders and entry is not None and work.caller.sees(found):
            yield entry


def container(scope: Scope, work: Work) -> tuple[int, Entry[state.Object]]:
    """uid and entry of the schema or database after IN."""
    if scope.domain == "schema":
        entry = work.caller.schema(scope.name)
    elif scope.domain == "database":
        entry = work.caller.database(scope.name.name if scope.name else "")
    else:
        raise Unsupported(f"IN {scope.domain.upper()}")
    return entry.message.uid, entry


def full_name(domain: str, uid: int, work: Work) -> str:
    """As SHOW GRANTS names it: qualified where it stands in a schema. Empty where it is gone."""
    if domain == "account":
        return work.context.account
    if domain == "event_table" and uid == EVENT_TABLE:
        return str(EVENTS)
    found = work.catalog.get(domain, uid) if domain in keys.DOMAINS else None
    if found is None:
        return ""
    if domain == "schema":
        return str(ObjectName(found.name, work.catalog.name("database", found.parent)))
    if domain in keys.IN_SCHEMA:
        schema, database = work.catalog.place(found.parent)
        return str(ObjectName(found.name, schema, database))
    return str(ObjectName(found.name))
