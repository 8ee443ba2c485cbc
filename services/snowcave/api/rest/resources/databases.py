"""Databases and schemas."""

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.operations import Operation, Parameter
from snowcave.api.rest.resource import Resource, with_names
from snowcave.api.rest.unsupported import unsupported
from snowcave.api.sql import tree

_KIND = Parameter("kind", choices=("", "transient", "TRANSIENT", "permanent", "PERMANENT"))
_HISTORY = Parameter("history", "boolean")
_RESTRICT = Parameter("restrict", "boolean")
_KINDS = ("PERMANENT", "TRANSIENT")
_PARAMETERS = fields(
    "data_retention_time_in_days:integer default_ddl_collation log_level "
    "max_data_extension_time_in_days:integer suspend_task_after_num_failures:integer trace_level "
    "user_task_managed_initial_warehouse_size user_task_timeout_ms:integer "
    "serverless_task_min_statement_size serverless_task_max_statement_size"
)
DATABASE = Model(
    "Database",
    (
        *fields("name! comment created_on~:datetime is_default~:boolean is_current~:boolean"),
        Field("kind", choices=_KINDS),
        *fields(
            "origin~ owner~ options~ retention_time~:integer dropped_on~:datetime budget~ "
            "owner_role_type~"
        ),
        *_PARAMETERS,
    ),
)
SCHEMA = Model(
    "Schema",
    (
        *fields("name! comment created_on~:datetime is_default~:boolean is_current~:boolean"),
        Field("kind", choices=_KINDS),
        *fields(
            "database_name~ owner~ options~ managed_access:boolean retention_time~:integer "
            "dropped_on~:datetime owner_role_type~ budget~ pipe_execution_paused:boolean"
        ),
        *_PARAMETERS,
    ),
)


def _kinds(call: Call) -> set[str]:
    asked = str(call.query.get("kind") or (call.body or {}).get("kind") or "").upper()
    return {"TRANSIENT"} if asked == "TRANSIENT" else set()


def _schema_flags(call: Call) -> set[str]:
    managed = {"MANAGED ACCESS"} if call.body.get("managed_access") else set[str]()
    return managed | _kinds(call)


def _history(call: Call) -> frozenset[str]:
    return frozenset({"HISTORY"}) if call.query.get("history") else frozenset()


def _database(row: Row) -> Json:
    """`kind` of SHOW is another thing: STANDARD, of all databases here."""
    transient = "TRANSIENT" in str(row.get("options") or "")
    kind = "TRANSIENT" if transient else "PERMANENT"
    return with_names(DATABASE.shaped({**row, "kind": kind}))


def _schema(row: Row) -> Json:
    managed = "MANAGED ACCESS" in str(row.get("options") or "")
    return with_names(SCHEMA.shaped({**row, "kind": "PERMANENT", "managed_access": managed}))


databases = Resource(
    "database",
    "/databases",
    ("database", "databases"),
    DATABASE,
    "DATABASES",
    (*ops.FILTERS, _HISTORY),
    apart=frozenset({"name", "kind"}),
    shape=_database,
    flags=_kinds,
    more_query=(_KIND,),
    show_flags=_history,
)
schemas = Resource(
    "schema",
    "/databases/{database}/schemas",
    ("schema", "schemas"),
    SCHEMA,
    "SCHEMAS",
    (*ops.FILTERS, _HISTORY),
    apart=frozenset({"name", "kind", "managed_access"}),
    shape=_schema,
    flags=_schema_flags,
    more_query=(_KIND,),
    show_flags=_history,
)


def _undrop(of: Resource) -> Operation:
    async def action(call: Call) -> Json:
        return await call.change(tree.Undrop(of.domain, call.target()))

    word = of.words[0]
    return Operation(f"undrop_{word}", "POST", f"{of.path}/{{name}}:undrop", action)


_REPLICATION = "One self-hosted account has no other account to replicate to, or to take from."
_NO_CLONES = "Databases and schemas cannot be cloned."

OPERATIONS = (
    databases.create(),
    databases.list(),
    databases.fetch(),
    databases.create_or_alter(),
    databases.delete(_RESTRICT),
    _undrop(databases),
    unsupported(
        "create_database_from_share",
        "POST",
        "/databases:from-share",
        _REPLICATION,
        aliases=("/databases:from_share",),
    ),
    unsupported("clone_database", "POST", "/databases/{name}:clone", _NO_CLONES),
    *(
        unsupported(f"{word}_database_{what}", "POST", f"/databases/{{name}}/{what}:{word}", why)
        for what, word, why in (
            ("failover", "disable", _REPLICATION),
            ("failover", "enable", _REPLICATION),
            ("failover", "primary", _REPLICATION),
            ("replication", "disable", _REPLICATION),
            ("replication", "enable", _REPLICATION),
            ("replication", "refresh", _REPLICATION),
        )
    ),
    schemas.create(),
    schemas.list(),
    schemas.fetch(),
    schemas.create_or_alter(_KIND),
    schemas.delete(_RESTRICT),
    _undrop(schemas),
    unsupported("clone_schema", "POST", "/databases/{database}/schemas/{name}:clone", _NO_CLONES),
)
