"""Snapshots of block volumes: asked for here, taken by the machine that has the volume.

Sources: D:create-snapshot, D:show-snapshots, D:desc-snapshot.
"""

from snowcave.api.catalog.change import Change
from snowcave.api.catalog.snapshots import full_name, snapshot_of
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.tree import (
    Action,
    Alter,
    CreateSnapshot,
    Describe,
    Drop,
    Existing,
    RestoreVolume,
    Show,
)
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.service_events import tell
from snowcave.api.statements.volumes import blocks_of, usable_snapshot
from snowcave.api.statements.work import Work, moment
from snowcave.model import platform_events
from snowcave.model.errors import ObjectNotFound, Unsupported, ValueInvalid
from snowcave.v1 import state_pb2 as state

_SHAPE = columns(
    "name",
    "state",
    "database_name",
    "schema_name",
    "service_name",
    "volume_name",
    "instance:fixed",
    "size:fixed",
    "comment",
    "owner",
    "owner_role_type",
    "created_on:timestamp_ltz",
    "encryption",
)
# Of an account.
_MOST = 100


async def create_snapshot(statement: CreateSnapshot, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    if taken(work, "snapshot", schema.message.uid, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE SNAPSHOT", schema.message)
    service = work.caller.find("service", statement.service)
    work.caller.need("OPERATE", service.message)
    volume = _volume(service.message, statement.volume)
    _check_instance(service.message, statement.instance_id)
    if sum(1 for _ in work.catalog.all("snapshot")) >= _MOST:
        raise ValueInvalid(f"The account has {_MOST} snapshots already.")
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT"))
    called = full_name(work.catalog, service.message)
    made.snapshot.CopyFrom(snapshot_of(service.message, called, volume, statement.instance_id))
    change = Change()
    create(work, change, made, statement.existing)
    change.stands(schema)
    change.stands(service)
    await work.catalog.commit(change)
    return status(f"Snapshot {name} successfully created.")


def _volume(service: state.Object, name: str) -> state.VolumeSpec:
    found = next((one for one in blocks_of(service.service.spec) if one.name == name), None)
    if found is None:
        raise ValueInvalid(
            f"SQL compilation error:\nService '{service.name}' has no block volume '{name}'."
        )
    return found


def _check_instance(service: state.Object, instance_id: int) -> None:
    last = max(service.service.max_instances, service.service.replicas) - 1
    if not 0 <= instance_id <= last:
        raise ValueInvalid(
            f"SQL compilation error:\ninvalid value '{instance_id}' for property 'INSTANCE': "
            f"service '{service.name}' has the instances 0 to {last}."
        )


async def alter_snapshot(statement: Alter, work: Work) -> Rows:
    if statement.action not in (Action.SET, Action.UNSET):
        raise Unsupported(f"ALTER SNAPSHOT {statement.action.name}")
    entry = sought(statement, lambda: work.caller.find("snapshot", statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed, change = work.changed(entry.message), Change()
    changed.comment = statement.options.text("COMMENT")
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def drop_snapshot(statement: Drop, work: Work) -> Rows:
    """The machine that has the content removes it when the catalog knows the snapshot no more."""
    return await drop(statement, work, lambda: work.caller.find("snapshot", statement.name))


async def show_snapshots(statement: Show, work: Work) -> Rows:
    rows = [_row(found, work) for found in within(work, "snapshot", statement.scope)]
    return filtered(statement, _SHAPE, rows)


async def describe_snapshot(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("snapshot", statement.name).message
    return Rows(_SHAPE, [_row(found, work)])


def _row(found: state.Object, work: Work) -> tuple[Cell, ...]:
    schema, database = work.catalog.place(found.parent)
    known = work.catalog.mirrors.snapshots.get(found.uid)
    snapshot = found.snapshot
    return (
        found.name,
        known.state if known else "INITIALIZED",
        database,
        schema,
        snapshot.service_name,
        snapshot.volume,
        snapshot.instance_id,
        snapshot.size_bytes >> 30,
        found.comment or None,
        work.catalog.name("role", found.owner_role),
        "ROLE",
        moment(found.created_on),
        snapshot.encryption,
    )


async def restore_volume(statement: RestoreVolume, work: Work) -> Rows:
    """The instances come up again, one at a time, with the content of the snapshot."""
    try:
        entry = work.caller.find("service", statement.service)
    except ObjectNotFound:
        if statement.if_exists:
            return status(EXECUTED)
        raise
    found = entry.message
    if found.service.is_job:
        raise ValueInvalid(f"Cannot alter job service '{found.name}'.")
    work.caller.need("OPERATE", found)
    volume = _volume(found, statement.volume)
    for instance_id in statement.instances:
        _check_instance(found, instance_id)
    snapshot = usable_snapshot(work, found, volume, statement.snapshot)
    work.caller.need("USAGE", snapshot)
    changed, change = work.changed(found), Change()
    _restore(changed.service, volume.name, statement.instances, snapshot.uid)
    change.update(entry, changed)
    instances = sorted(set(statement.instances))
    restoring = platform_events.of_restore(snapshot.name, volume.name, instances)
    tell(work, change, changed, restoring)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _restore(
    service: state.Service, volume: str, instances: tuple[int, ...], snapshot: int
) -> None:
    number = 1 + max((one.number for one in service.restores), default=0)
    others = [
        one for one in service.restores if one.volume != volume or one.instance_id not in instances
    ]
    made = [
        state.VolumeRestore(
            volume=volume, instance_id=instance_id, snapshot=snapshot, number=number
        )
        for instance_id in sorted(set(instances))
    ]
    service.ClearField("restores")
    service.restores.extend([*others, *made])
