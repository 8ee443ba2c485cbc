"""Warehouses."""

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.names import identifier
from snowcave.api.rest.operations import Operation
from snowcave.api.rest.resource import Resource, with_names
from snowcave.api.rest.unsupported import unsupported
from snowcave.api.sql import tree
from snowcave.api.sql.tree import Action
from snowcave.model.names import ObjectName

_TRUTH = ("true", "false")
WAREHOUSE = Model(
    "Warehouse",
    (
        *fields("name! warehouse_type warehouse_size wait_for_completion"),
        *fields("max_cluster_count:integer min_cluster_count:integer scaling_policy"),
        *fields("auto_suspend:integer"),
        Field("auto_resume", choices=_TRUTH),
        Field("initially_suspended", choices=_TRUTH),
        *fields("resource_monitor comment"),
        Field("enable_query_acceleration", choices=_TRUTH),
        *fields(
            "query_acceleration_max_scale_factor:integer max_concurrency_level:integer "
            "statement_queued_timeout_in_seconds:integer statement_timeout_in_seconds:integer "
            "type~ size~ state~ started_clusters~:integer running~:integer queued~:integer "
            "is_default~:boolean is_current~:boolean available~ provisioning~ quiescing~ other~ "
            "created_on~:datetime resumed_on~:datetime updated_on~:datetime owner~ budget~ kind~ "
            "owner_role_type~"
        ),
    ),
)
_PATH = "/warehouses"


def _shape(row: Row) -> Json:
    """Under both names, the one that is sent and the one that SHOW has."""
    monitor = row["resource_monitor"] if row["resource_monitor"] != "null" else None
    both = {"warehouse_type": row["type"], "warehouse_size": row["size"]}
    return with_names(WAREHOUSE.shaped({**row, **both, "resource_monitor": monitor}))


warehouses = Resource(
    "warehouse",
    _PATH,
    ("warehouse", "warehouses"),
    WAREHOUSE,
    "WAREHOUSES",
    (ops.LIKE,),
    shape=_shape,
)


async def _rename(call: Call) -> Json:
    lenient = call.query.get("ifExists", False)
    new = ObjectName(identifier(call.body["name"]))
    return await call.change(
        tree.Alter("warehouse", call.target(), lenient, Action.RENAME, new_name=new)
    )


async def _use(call: Call) -> Json:
    return await call.change(tree.Use("warehouse", call.target()), apart=False)


_NO_SWITCH = "Warehouses are suspended and resumed, not disabled and enabled."

OPERATIONS = (
    warehouses.create(),
    warehouses.list(),
    warehouses.fetch(),
    warehouses.create_or_alter(),
    warehouses.delete(),
    warehouses.act("suspend", Action.SUSPEND, if_exists=True),
    warehouses.act("resume", Action.RESUME, if_exists=True),
    warehouses.act("abort", Action.ABORT_ALL, id="abort_all_queries_on_warehouse", if_exists=True),
    Operation(
        "rename_warehouse",
        "POST",
        _PATH + "/{name}:rename",
        _rename,
        (ops.IF_EXISTS,),
        WAREHOUSE,
    ),
    Operation("use_warehouse", "POST", _PATH + "/{name}:use", _use),
    unsupported("disable_warehouse", "POST", _PATH + "/{name}:disable", _NO_SWITCH),
    unsupported("enable_warehouse", "POST", _PATH + "/{name}:enable", _NO_SWITCH),
)
