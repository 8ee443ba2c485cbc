"""Event tables of one's own."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.names import identifier
from snowcave.api.rest.operations import Operation, Parameter
from snowcave.api.rest.resource import Resource, with_names
from snowcave.api.rest.tag_operations import of_kind
from snowcave.api.sql import tree
from snowcave.api.sql.domains import label
from snowcave.api.sql.event_tables import CLUSTER_BY, COPY_GRANTS
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Action, Existing
from snowcave.api.statements.event_table_shows import COLUMNS, PROPERTIES
from snowcave.model.errors import ObjectNotFound
from snowcave.model.names import ObjectName

_COLUMN = Model("EventTableColumn", fields("name datatype nullable:boolean"))
EVENT_TABLE = Model(
    "EventTable",
    (
        *fields(
            "name! cluster_by:strings data_retention_time_in_days:integer "
            "max_data_extension_time_in_days:integer change_tracking:boolean default_ddl_collation "
            "comment created_on~:datetime database_name~ schema_name~ owner~ owner_role_type~ "
            "rows~:integer bytes~:integer automatic_clustering~:boolean search_optimization~:boolean "
            "search_optimization_progress~:integer search_optimization_bytes~:integer"
        ),
        Field("columns", [_COLUMN], read_only=True),
    ),
)
_PATH = "/databases/{database}/schemas/{schema}/event-tables"


def _shape(row: Row) -> Json:
    """`rows` and `bytes` are left out: nobody counts them."""
    keys = row["cluster_by"]
    shown = EVENT_TABLE.shaped({**row, "cluster_by": None})
    if keys:
        shown["cluster_by"] = [str(keys)]
    shown |= {"automatic_clustering": False, "search_optimization": False}
    shown["columns"] = [
        {"name": name, "datatype": kind, "nullable": True} for name, kind in COLUMNS.items()
    ]
    return with_names(shown)


def _flags(call: Call) -> Iterable[str]:
    return {COPY_GRANTS} if call.query.get("copyGrants") else ()


@dataclass(frozen=True)
class _EventTables(Resource):
    async def row(self, call: Call, name: ObjectName) -> Row:
        for row in await call.look(self.show(call)):
            if row["name"] == name.name:
                return row
        raise ObjectNotFound(label(self.domain), str(name))

    def created(self, call: Call, body: Json, existing: Existing) -> tree.Statement:
        made = super().created(call, body, existing)
        assert isinstance(made, tree.Create)
        keys = body.get("cluster_by")
        more = {CLUSTER_BY: ", ".join(keys)} if keys else {}
        return replace(made, options=Options({**made.options, **more}))


event_tables = _EventTables(
    "event_table",
    _PATH,
    ("event_table", "event_tables"),
    EVENT_TABLE,
    "EVENT TABLES",
    apart=frozenset({"name", "cluster_by"}),
    shape=_shape,
    flags=_flags,
    more_query=(Parameter("copyGrants", "boolean"),),
    show_flags=lambda _call: frozenset({PROPERTIES}),
)


async def _rename(call: Call) -> Json:
    lenient = call.query.get("ifExists", False)
    new = ObjectName(identifier(call.query["targetName"]))
    return await call.change(
        tree.Alter("event_table", call.target(), lenient, Action.RENAME, new_name=new)
    )


OPERATIONS = (
    event_tables.create(),
    event_tables.list(),
    event_tables.fetch(),
    event_tables.delete(),
    Operation(
        "rename_event_table",
        "POST",
        _PATH + "/{name}:rename",
        _rename,
        (ops.IF_EXISTS, Parameter("targetName", required=True)),
    ),
    *of_kind(event_tables),
)
