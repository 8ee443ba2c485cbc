"""What SHOW and DESCRIBE say of compute pools: what is wanted, joined with what the scheduler sees."""

from datetime import UTC, datetime

from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Describe, Show
from snowcave.api.statements import pool_status
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.jobs import has_ended
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.work import Work, moment
from snowcave.model.families import FAMILIES
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHOW = columns(
    "name",
    "state",
    "min_nodes:fixed",
    "max_nodes:fixed",
    "instance_family",
    "num_services:fixed",
    "num_jobs:fixed",
    "auto_suspend_secs:fixed",
    "auto_resume",
    "active_nodes:fixed",
    "idle_nodes:fixed",
    "target_nodes:fixed",
    "created_on:timestamp_ltz",
    "resumed_on:timestamp_ltz",
    "updated_on:timestamp_ltz",
    "owner",
    "comment",
    "is_exclusive",
    "application",
    "placement_group",
    "backup_instance_families",
)
_DESCRIBE = (
    *_SHOW[:19],
    *columns("error_code", "status_message", "placement_group", "backup_instance_families"),
)
_FAMILIES = columns(
    "name",
    "description",
    "vcpu:fixed",
    "memory_gib:fixed",
    "storage_gib",
    "gpu",
    "gpu_count:fixed",
    "gpu_memory_gib:fixed",
    "current_node_usage",
    "message",
)
_EPOCH = datetime.fromtimestamp(0, UTC)


def services_in(work: Work, pool: int) -> list[state.Object]:
    return [one for one in work.catalog.all("service") if one.service.compute_pool == pool]


async def show_compute_pools(statement: Show, work: Work) -> Rows:
    seen = [one for one in work.catalog.all("compute_pool") if work.caller.sees(one)]
    return filtered(statement, _SHOW, [_row(one, work) for one in seen])


async def describe_compute_pool(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("compute_pool", ObjectName(statement.name.name)).message
    row = _row(found, work)
    known = pool_status.status_of(found, work)
    return Rows(_DESCRIBE, [(*row[:19], known.error_code, known.message, *row[19:])])


async def show_instance_families(statement: Show, work: Work) -> Rows:
    nodes: dict[str, int] = {}
    for pool in work.catalog.all("compute_pool"):
        known = work.catalog.mirrors.pools.get(pool.uid)
        used = known.active_nodes + known.idle_nodes if known else 0
        family = pool.compute_pool.instance_family
        nodes[family] = nodes.get(family, 0) + used
    rows = [
        (
            one.name,
            f"{one.vcpu} vCPU, {one.memory_gib} GiB",
            one.vcpu,
            one.memory_gib,
            f"{one.storage_gb / 1.073741824:.2f}",
            one.gpu or None,
            one.gpu_count or None,
            one.gpu_memory_gib or None,
            f"{nodes.get(one.name, 0)}/{one.node_limit}",
            "" if one.node_limit else "Instance family available by reservation only.",
        )
        for one in FAMILIES.values()
    ]
    # From small to large, as the documents list them.
    return filtered(statement, _FAMILIES, rows, ordered=False)


def _row(found: state.Object, work: Work) -> tuple[Cell, ...]:
    pool = found.compute_pool
    known = pool_status.status_of(found, work)
    held = services_in(work, found.uid)
    return (
        found.name,
        known.state,
        pool.min_nodes,
        pool.max_nodes,
        pool.instance_family,
        sum(not one.service.is_job for one in held),
        sum(one.service.is_job and not has_ended(status_of(one, work)) for one in held),
        pool.auto_suspend_secs,
        str(pool.auto_resume).lower(),
        known.active_nodes,
        known.idle_nodes,
        known.target_nodes,
        moment(found.created_on),
        moment(pool.resumed_on) or _EPOCH,
        moment(found.updated_on),
        work.catalog.name("role", found.owner_role),
        found.comment or None,
        "false",
        None,
        pool.placement_group or None,
        ",".join(pool.backup_instance_families),
    )
