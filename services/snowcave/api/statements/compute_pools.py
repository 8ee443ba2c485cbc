"""Compute pools. What they are to be stands in the catalog; the scheduler makes it so."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Drop, Existing
from snowcave.api.sql.workloads import has_user
from snowcave.api.statements import pool_status
from snowcave.api.statements.capacity import need_machine
from snowcave.api.statements.existing import (
    EXECUTED,
    already_dropped,
    create,
    kept,
    retire,
    sought,
    taken,
)
from snowcave.api.statements.jobs import has_ended
from snowcave.api.statements.pool_shows import services_in
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.work import Work
from snowcave.model.errors import OptionMissing, Unsupported, ValueInvalid
from snowcave.model.families import FAMILIES
from snowcave.v1 import state_pb2 as state

_AUTO_SUSPEND = 3600
_MOST_NODES = 1000


async def create_compute_pool(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "compute_pool", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE COMPUTE POOL")
    if name != name.upper():
        raise ValueInvalid(
            f"SQL compilation error:\nInvalid compute pool name: '{name}'. Name must be uppercase."
        )
    options = statement.options
    if missing := options.missing("MIN_NODES", "MAX_NODES", "INSTANCE_FAMILY"):
        raise OptionMissing(*missing)
    made = work.new(name, comment=options.text("COMMENT"))
    pool = made.compute_pool
    pool.auto_resume = True
    pool.auto_suspend_secs = _AUTO_SUSPEND
    pool.suspended = options.boolean("INITIALLY_SUSPENDED")
    if not pool.suspended:
        pool.resumed_on.CopyFrom(made.created_on)
    _apply(pool, options)
    need_machine(work, pool)
    change = Change()
    create(work, change, made, statement.existing)
    await work.catalog.commit(change)
    return status(f"Compute pool {name} successfully created.")


def _apply(pool: state.ComputePool, options: Options) -> None:
    if "INSTANCE_FAMILY" in options:
        pool.instance_family = _family(options.text("INSTANCE_FAMILY"))
    for key in ("MIN_NODES", "MAX_NODES"):
        if key in options and not 1 <= options.integer(key) <= _MOST_NODES:
            raise invalid_value(options.integer(key), key)
    pool.min_nodes = options.integer("MIN_NODES", pool.min_nodes)
    pool.max_nodes = options.integer("MAX_NODES", pool.max_nodes)
    if pool.min_nodes > pool.max_nodes:
        raise ValueInvalid(
            "SQL compilation error:\ninvalid property combination "
            f"'MIN_NODES'='{pool.min_nodes}' and 'MAX_NODES'='{pool.max_nodes}'"
        )
    seconds = options.integer("AUTO_SUSPEND_SECS", pool.auto_suspend_secs)
    if not 0 <= seconds < 1 << 31:
        raise invalid_value(seconds, "AUTO_SUSPEND_SECS")
    pool.auto_suspend_secs = seconds
    pool.auto_resume = options.boolean("AUTO_RESUME", pool.auto_resume)
    if "PLACEMENT_GROUP" in options:
        group = options.text("PLACEMENT_GROUP")
        if group.upper() != "DISTRIBUTED":
            raise ValueInvalid(
                f"SQL compilation error:\nInvalid value '{group}' for property 'PLACEMENT_GROUP':"
                f"\nPlacement group '{group}' does not exist in this region."
            )
        pool.placement_group = group.upper()
    if "BACKUP_INSTANCE_FAMILIES" in options:
        backups = [_family(name.upper()) for name in options.names("BACKUP_INSTANCE_FAMILIES")]
        pool.ClearField("backup_instance_families")
        pool.backup_instance_families.extend(backups)
        if not backups or len(set(backups)) < len(backups):
            raise ValueInvalid(
                "SQL compilation error:\nInvalid BACKUP_INSTANCE_FAMILIES for compute pool: "
                "at least one instance family is needed, each of them once."
            )
    if pool.instance_family in pool.backup_instance_families:
        raise ValueInvalid(
            "SQL compilation error:\nInvalid BACKUP_INSTANCE_FAMILIES for compute pool: "
            f"BACKUP_INSTANCE_FAMILIES contains '{pool.instance_family}' which matches the primary "
            "INSTANCE_FAMILY. Each backup must be different from the primary."
        )


def _family(name: str) -> str:
    if name not in FAMILIES:
        raise ValueInvalid(
            f"SQL compilation error:\nInvalid instance family {name}. Please refer to Snowflake "
            "documentation for supported instance families."
        )
    return name


async def alter_compute_pool(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("compute_pool", statement.name))
    if entry is None:
        return status(EXECUTED)
    found, change = entry.message, Change()
    changed = work.changed(found)
    match statement.action:
        case Action.SUSPEND:
            work.caller.need("OPERATE", found)
            if found.compute_pool.suspended:
                return status(EXECUTED)
            changed.compute_pool.suspended = True
            _suspend_services(work, change, found.uid)
        case Action.RESUME:
            work.caller.need("OPERATE", found)
            if not found.compute_pool.suspended:
                raise ValueInvalid(
                    f"Cannot resume compute pool '{found.name}': it is not suspended."
                )
            changed.compute_pool.suspended = False
            changed.compute_pool.resumed_on.CopyFrom(changed.updated_on)
        case Action.STOP_ALL:
            work.caller.need("OPERATE", found)
            if has_user(statement.types):
                _stop_all(work, change, found.uid)
        case Action.SET | Action.UNSET:
            work.caller.need("MODIFY", found)
            _set(changed, statement, work)
        case _:
            raise Unsupported(f"ALTER COMPUTE POOL {statement.action.name}")
    if statement.action is not Action.STOP_ALL:
        change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _set(changed: state.Object, statement: Alter, work: Work) -> None:
    pool, options = changed.compute_pool, statement.options
    rests = pool_status.status_of(changed, work).state == "SUSPENDED"
    for key in ("INSTANCE_FAMILY", "PLACEMENT_GROUP"):
        if (key in options or key in statement.unset) and not rests:
            raise ValueInvalid(
                f"SQL compilation error:\nInvalid property '{key}' for 'COMPUTE_POOL':\n"
                f"Cannot set {key} for compute pool that is not suspended. "
                "Please suspend the compute pool first."
            )
    for key in statement.unset:
        match key:
            case "AUTO_SUSPEND_SECS":
                pool.auto_suspend_secs = _AUTO_SUSPEND
            case "AUTO_RESUME":
                pool.auto_resume = True
            case "PLACEMENT_GROUP":
                pool.placement_group = ""
            case "BACKUP_INSTANCE_FAMILIES":
                pool.ClearField("backup_instance_families")
            case "COMMENT":
                changed.comment = ""
            case _:
                raise Unsupported(f"UNSET {key}")
    _apply(pool, options)
    if "INSTANCE_FAMILY" in options:
        need_machine(work, pool)
    if "COMMENT" in options:
        changed.comment = options.text("COMMENT")


def _suspend_services(work: Work, change: Change, pool: int) -> None:
    """Running jobs go on to their end."""
    for one in services_in(work, pool):
        entry = work.catalog.entry("service", one.uid)
        if entry is None or one.service.suspended or one.service.is_job:
            continue
        changed = work.changed(one)
        changed.service.suspended = True
        changed.service.suspended_on.CopyFrom(changed.updated_on)
        change.update(entry, changed)


def _stop_all(work: Work, change: Change, pool: int) -> None:
    """Drops the services and calls the jobs off."""
    for one in services_in(work, pool):
        entry = work.catalog.entry("service", one.uid)
        if entry is None:
            continue
        if not one.service.is_job:
            retire(work, change, entry)
        elif _may_run(work, one):
            changed = work.changed(one)
            changed.service.cancelled_on.CopyFrom(changed.updated_on)
            change.update(entry, changed)


def _may_run(work: Work, one: state.Object) -> bool:
    """Whether a service or job runs, or will if nothing is done about it."""
    if not one.service.is_job:
        return not one.service.suspended
    return not (one.service.HasField("cancelled_on") or has_ended(status_of(one, work)))


async def drop_compute_pool(statement: Drop, work: Work) -> Rows:
    """Refused while something in it may run; suspended services stay behind and can be dropped."""
    entry = sought(statement, lambda: work.caller.find("compute_pool", statement.name))
    if entry is None:
        return already_dropped(statement)
    name = statement.name.name
    work.caller.need_ownership(entry.message)
    running = [one for one in services_in(work, entry.message.uid) if _may_run(work, one)]
    if running:
        raise ValueInvalid(
            f"Cannot drop compute pool '{name}': it has {len(running)} service(s) or job(s) that "
            f"are not suspended, such as '{running[0].name}'. "
            f"Use ALTER COMPUTE POOL {name} STOP ALL first."
        )
    change = Change()
    retire(work, change, entry)
    await work.catalog.commit(change)
    return status(f"{name} successfully dropped.")
