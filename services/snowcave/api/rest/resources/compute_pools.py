"""Compute pools and the families of their nodes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call, Listing
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.operations import Many, Operation, Parameter
from snowcave.api.rest.resource import Resource
from snowcave.api.sql import tree
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Action, Existing

_STATES = ("UNKNOWN", "STARTING", "IDLE", "ACTIVE", "STOPPING", "SUSPENDED", "RESIZING")
POOL = Model(
    "ComputePool",
    (
        *fields(
            "name! min_nodes!:integer max_nodes!:integer instance_family! auto_resume:boolean "
            "comment"
        ),
        Field("state", read_only=True, choices=_STATES),
        *fields(
            "num_services~:integer num_jobs~:integer auto_suspend_secs:integer "
            "active_nodes~:integer idle_nodes~:integer target_nodes~:integer "
            "created_on~:datetime resumed_on~:datetime updated_on~:datetime owner~ "
            "is_exclusive~:boolean application~ error_code~ status_message~ placement_group~"
        ),
    ),
)
FAMILY = Model(
    "ComputePoolInstanceFamily",
    fields(
        "name description vcpu:integer memory_gib:integer storage_gib:number gpu "
        "gpu_count:integer gpu_memory_gib:integer current_node_usage:integer message"
    ),
)
_SUSPENDED = Parameter("initiallySuspended", "boolean")
_PATH = "/compute-pools"


@dataclass(frozen=True)
class _Pools(Resource):
    def created(self, call: Call, body: Json, existing: Existing) -> tree.Statement:
        made = super().created(call, body, existing)
        assert isinstance(made, tree.Create)
        if "initiallySuspended" not in call.query:
            return made
        suspended = {"INITIALLY_SUSPENDED": call.query["initiallySuspended"]}
        return replace(made, options=Options({**made.options, **suspended}))

    def altered(self, call: Call, body: Json, now: Json) -> Iterator[tree.Statement]:
        # Families are written in any case; and changed only while the pool is suspended.
        return super().altered(
            call, {**body, "instance_family": body["instance_family"].upper()}, now
        )


def _family(row: Row) -> Json:
    used = str(row["current_node_usage"]).partition("/")[0]
    storage = float(str(row["storage_gib"]))
    return FAMILY.shaped({**row, "current_node_usage": used, "storage_gib": storage})


async def _families(call: Call) -> Listing:
    return await call.listing(tree.Show("COMPUTE POOL INSTANCE FAMILIES"))


pools = _Pools(
    "compute_pool",
    _PATH,
    ("compute_pool", "compute_pools"),
    POOL,
    "COMPUTE POOLS",
    (ops.LIKE, ops.STARTS_WITH, ops.SHOW_LIMIT),
    described=True,
    more_query=(_SUSPENDED,),
)

_stop_all = pools.act("stop-all-services", Action.STOP_ALL, id="stop_all_services_in_compute_pool")

OPERATIONS = (
    pools.create(),
    pools.list(),
    pools.fetch(),
    pools.create_or_alter(),
    pools.delete(),
    pools.act("suspend", Action.SUSPEND),
    pools.act("resume", Action.RESUME),
    replace(_stop_all, aliases=(f"{_PATH}/{{name}}:stopallservices",)),
    Operation(
        "list_compute_pool_instance_families",
        "GET",
        f"{_PATH}/instance-families",
        _families,
        answer=Many(FAMILY),
        shape=_family,
    ),
)
