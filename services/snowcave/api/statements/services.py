"""Services: created with everything they need checked, pinned and named, in one transaction."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Action, Alter, CreateService, Drop, Existing, SpecSource
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, retire, sought, taken
from snowcave.api.statements.external_access import need_external_access
from snowcave.api.statements.functions import take_up
from snowcave.api.statements.images import pin_images
from snowcave.api.statements.service_events import tell
from snowcave.api.statements.service_places import check_name, check_place
from snowcave.api.statements.spec_source import spec_text
from snowcave.api.statements.volumes import (
    blocks_of,
    check_counts,
    check_same_count,
    resolve_volumes,
)
from snowcave.api.statements.work import Work
from snowcave.kit import ids
from snowcave.model import names, platform_events, spec
from snowcave.model.errors import (
    SpecInvalid,
    Unsupported,
    ValueInvalid,
)
from snowcave.model.families import FAMILIES
from snowcave.model.platform_events import PlatformEvent
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

_MOST_INSTANCES = 1000
_LEAST_AUTO_SUSPEND = 300
_LABEL_LENGTH = 8
_EVENT_LEVELS = ("INFO", "ERROR", "OFF")
_LOG_LEVELS = ("INFO", "ERROR", "WARN", "DEBUG", "TRACE", "FATAL", "OFF")


async def create_service(statement: CreateService, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    if taken(work, "service", schema.message.uid, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE SERVICE", schema.message)
    check_name(name)
    check_place(work, schema.message)
    pool = work.caller.find("compute_pool", names.ObjectName(statement.compute_pool))
    work.caller.need("USAGE", pool.message)
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT"))
    service = made.service
    service.compute_pool = pool.message.uid
    service.auto_resume = True
    least = _count(statement.options, "MIN_INSTANCES", 1, 1)
    service.min_instances = service.max_instances = service.min_ready_instances = least
    _apply(service, statement.options)
    _set_event_level(made, statement.options)
    set_external_access(work, service, statement.options)
    await specify(work, made, statement.source)
    service.resumed_on.CopyFrom(made.created_on)
    change = Change()
    create(work, change, made, statement.existing)
    take_up(work, change, made)
    change.stands(schema)
    wake_pool(work, change, pool)
    await work.catalog.commit(change)
    return status(f"Service {name} successfully created.")


def wake_pool(work: Work, change: Change, pool: Entry[state.Object]) -> None:
    """A suspended pool is resumed by what needs it, where it lets itself be."""
    if not pool.message.compute_pool.suspended:
        change.stands(pool)
        return
    if not pool.message.compute_pool.auto_resume:
        raise ValueInvalid(
            f"Compute pool '{pool.message.name}' is suspended and AUTO_RESUME is FALSE. "
            "Resume the compute pool first."
        )
    woken = work.changed(pool.message)
    woken.compute_pool.suspended = False
    woken.compute_pool.resumed_on.CopyFrom(woken.updated_on)
    change.update(pool, woken)


async def specify(work: Work, found: state.Object, source: SpecSource) -> None:
    """Validate the specification, pin its images, name its public endpoints."""
    service = found.service
    text = await spec_text(source, work)
    parsed = spec.parse(text)
    _check_fit(work, parsed, service.compute_pool)
    public = [endpoint.name for endpoint in parsed.endpoints if endpoint.public]
    if public:
        work.caller.need_in_account("BIND SERVICE ENDPOINT")
    await pin_images(work, found, parsed)
    resolve_volumes(work, found, parsed, service.spec)
    service.spec_text = text
    service.spec.CopyFrom(parsed)
    service.spec_digest = spec.digest(parsed)
    check_counts(found)
    # A host stays with its endpoint's name over upgrades.
    labels = dict(service.ingress_labels)
    service.ingress_labels.clear()
    for name in public:
        service.ingress_labels[name] = labels.get(name) or ids.label(work.rng, _LABEL_LENGTH)


def _check_fit(work: Work, parsed: state.ServiceSpec, pool_uid: int) -> None:
    pool = work.catalog.get("compute_pool", pool_uid)
    family = FAMILIES.get(pool.compute_pool.instance_family) if pool else None
    if pool is None or family is None:
        return
    lacking = spec.misfit(parsed, family)
    if lacking:
        raise SpecInvalid(
            f"the containers of one instance request more {lacking} than a node of compute pool "
            f"'{pool.name}' ({family.name}: {family.vcpu} vCPU, {family.memory_gib} GiB, "
            f"{family.gpu_count} GPU) has."
        )


def _apply(service: state.Service, options: Options) -> None:
    """The properties given. MIN_READY_INSTANCES follows MIN_INSTANCES until it is set to something else."""
    follows = service.min_ready_instances == service.min_instances
    service.min_instances = _count(options, "MIN_INSTANCES", 1, service.min_instances)
    service.max_instances = _count(options, "MAX_INSTANCES", 1, service.max_instances)
    ready = service.min_instances if follows else service.min_ready_instances
    service.min_ready_instances = _count(options, "MIN_READY_INSTANCES", 0, ready)
    if service.min_instances > service.max_instances:
        raise _combination(service, "MIN_INSTANCES", "MAX_INSTANCES")
    if service.min_ready_instances > service.min_instances:
        raise _combination(service, "MIN_READY_INSTANCES", "MIN_INSTANCES")
    if "AUTO_SUSPEND_SECS" in options:
        seconds = options.integer("AUTO_SUSPEND_SECS")
        if seconds != 0 and not _LEAST_AUTO_SUSPEND <= seconds < 1 << 31:
            raise invalid_value(seconds, "AUTO_SUSPEND_SECS")
        service.auto_suspend_secs = seconds
    if "AUTO_RESUME" in options:
        service.auto_resume = options.boolean("AUTO_RESUME")
    if "QUERY_WAREHOUSE" in options:
        service.query_warehouse = str(options.object_name("QUERY_WAREHOUSE") or "")
    if "LOG_LEVEL" in options:
        level = options.text("LOG_LEVEL")
        if level not in _LOG_LEVELS:
            raise invalid_value(level, "LOG_LEVEL")
        service.log_level = level


def _set_event_level(changed: state.Object, options: Options) -> None:
    if "LOG_EVENT_LEVEL" in options:
        level = options.text("LOG_EVENT_LEVEL")
        if level not in _EVENT_LEVELS:
            raise invalid_value(level, "LOG_EVENT_LEVEL")
        changed.parameters["LOG_EVENT_LEVEL"] = level


def set_external_access(work: Work, service: state.Service, options: Options) -> None:
    """Replaces the list. Raises where one of them is not to be had."""
    if "EXTERNAL_ACCESS_INTEGRATIONS" in options:
        allowed = need_external_access(work, options.names("EXTERNAL_ACCESS_INTEGRATIONS"))
        service.ClearField("external_access_integrations")
        service.external_access_integrations.extend(allowed)


def _count(options: Options, key: str, least: int, default: int) -> int:
    value = options.integer(key, default)
    if not least <= value <= _MOST_INSTANCES:
        raise invalid_value(value, key)
    return value


def _combination(service: state.Service, low: str, high: str) -> ValueInvalid:
    values = tuple(getattr(service, key.lower()) for key in (low, high))
    return ValueInvalid(
        "SQL compilation error:\ninvalid property combination "
        f"'{low}'='{values[0]}' and '{high}'='{values[1]}'"
    )


async def alter_service(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("service", statement.name))
    if entry is None:
        return status(EXECUTED)
    found = entry.message
    if found.service.is_job:
        raise ValueInvalid(f"Cannot alter job service '{found.name}'.")
    changed, change = work.changed(found), Change()
    match statement.action:
        case Action.SUSPEND:
            work.caller.need("OPERATE", found)
            if found.service.suspended:
                return status(EXECUTED)
            changed.service.suspended = True
            changed.service.suspended_on.CopyFrom(changed.updated_on)
        case Action.RESUME:
            work.caller.need("OPERATE", found)
            resume(work, change, changed)
        case Action.FROM_SPECIFICATION:
            work.caller.need("OPERATE", found)
            await specify(work, changed, statement.source or SpecSource())
        case Action.SET | Action.UNSET:
            work.caller.need_ownership(found)
            _set(changed, statement)
            set_external_access(work, changed.service, statement.options)
            check_same_count(found, changed)
            _tell_properties(work, change, changed, statement)
        case _:
            raise Unsupported(f"ALTER SERVICE {statement.action.name}")
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _tell_properties(work: Work, change: Change, changed: state.Object, said: Alter) -> None:
    told: list[PlatformEvent] = []
    if said.options:
        told.append(platform_events.of_properties("Set", said.options))
    if said.unset:
        told.append(platform_events.of_properties("Unset", said.unset))
    tell(work, change, changed, *told)


def resume(work: Work, change: Change, changed: state.Object) -> None:
    """`changed` runs again, and with it its pool. Raises ValueInvalid where the pool cannot."""
    pool = work.catalog.entry("compute_pool", changed.service.compute_pool)
    if pool is None:
        raise ValueInvalid(
            f"Cannot resume service '{changed.name}': its compute pool has been dropped."
        )
    wake_pool(work, change, pool)
    if changed.service.suspended:
        changed.service.suspended = False
        changed.service.resumed_on.CopyFrom(changed.updated_on)


_UNSET = {
    "AUTO_SUSPEND_SECS": 0,
    "AUTO_RESUME": True,
    "QUERY_WAREHOUSE": "",
    "LOG_LEVEL": "",
}


def _set(changed: state.Object, statement: Alter) -> None:
    service = changed.service
    for key in statement.unset:
        match key:
            case "COMMENT":
                changed.comment = ""
            case "MIN_INSTANCES":
                service.min_instances = service.min_ready_instances = 1
            case "MAX_INSTANCES":
                service.max_instances = service.min_instances
            case "MIN_READY_INSTANCES":
                service.min_ready_instances = service.min_instances
            case "LOG_EVENT_LEVEL":
                changed.parameters.pop(key, None)
            case "EXTERNAL_ACCESS_INTEGRATIONS":
                service.ClearField("external_access_integrations")
            case _:
                setattr(service, key.lower(), _UNSET[key])
    _apply(service, statement.options)
    _set_event_level(changed, statement.options)
    if "COMMENT" in statement.options:
        changed.comment = statement.options.text("COMMENT")


async def drop_service(statement: Drop, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("service", statement.name))
    if entry is not None and not statement.force and blocks_of(entry.message.service.spec):
        work.caller.need_ownership(entry.message)
        raise ValueInvalid(
            f"Cannot drop service '{entry.message.name}': it has block storage volumes. "
            "DROP SERVICE … FORCE drops it with its volumes."
        )
    return await drop(statement, work, lambda: work.caller.find("service", statement.name), retire)
