"""The caller's own session: what is in use, and its parameters."""

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Json, Model, Row, fields
from snowcave.api.rest.names import any_name, identifier
from snowcave.api.rest.operations import Many, Operation
from snowcave.api.sql import tree
from snowcave.model.names import ObjectName, quoted

_DEFAULT = Model("DefaultResult", fields("session_default"))
_NAMED = Model("NamedDefault", fields("name!"))
_PARAMETER = Model("Parameter", fields("name! value defaultValue dataType level description"))
_SECONDARY = Model("SecondaryRoles", fields("use!:boolean"))
_CURRENT = Model("CurrentSecondaryRoles", fields("roles value"))


def _getter(what: str) -> Operation:
    async def action(call: Call) -> Json:
        name = getattr(call.context, what)
        return {"session_default": quoted(name)} if name else {}

    path = f"/session/default-{what}"
    return Operation(f"get_default_{what}", "GET", path, action, answer=_DEFAULT)


def _setter(what: str) -> Operation:
    async def action(call: Call) -> Json:
        if what == "schema":
            given = any_name(call.body["name"])
            name = ObjectName(given.name, database=given.schema)
        else:
            name = ObjectName(identifier(call.body["name"]))
        return await call.change(tree.Use(what, name), apart=False)

    path = f"/session/default-{what}"
    return Operation(f"set_default_{what}", "PUT", path, action, body=_NAMED)


async def _use_secondary(call: Call) -> Json:
    name = ObjectName("ALL" if call.body["use"] else "NONE")
    return await call.change(tree.Use("secondary_roles", name), apart=False)


async def _secondary(call: Call) -> Json:
    return {"roles": "", "value": call.context.secondary_roles or "NONE"}


def _parameter(row: Row) -> Json:
    named = {"name": row["key"], "defaultValue": row["default"], "dataType": row["type"]}
    return _PARAMETER.shaped({**row, **named})


async def _parameters(call: Call) -> list[Json]:
    statement = tree.ShowParameters(call.query.get("like"), tree.Scope("session"))
    return [_parameter(row) for row in await call.look(statement)]


_WHAT = ("database", "role", "schema", "warehouse")

OPERATIONS = (
    *map(_getter, _WHAT),
    *map(_setter, _WHAT),
    Operation(
        "get_current_secondary_roles",
        "GET",
        "/session/secondary-roles",
        _secondary,
        answer=_CURRENT,
    ),
    Operation(
        "use_secondary_role", "PUT", "/session/secondary-roles", _use_secondary, body=_SECONDARY
    ),
    Operation(
        "get_parameters",
        "GET",
        "/session/parameters/effective",
        _parameters,
        (ops.LIKE,),
        answer=Many(_PARAMETER),
    ),
)
