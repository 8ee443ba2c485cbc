"""USE, ALTER SESSION and ALTER ACCOUNT."""

from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import SetParameters, UnsetParameters, Use
from snowcave.api.statements import parameters
from snowcave.api.statements.caller import roles_of
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, ObjectNotFound, Unsupported
from snowcave.model.names import ObjectName

_EXECUTED = "Statement executed successfully."
_MOST_PARAMETERS = 200


async def use(statement: Use, work: Work) -> Rows:
    name = statement.name
    match statement.what:
        case "role":
            _use_role(name.name, work)
        case "secondary_roles":
            if name.name not in ("ALL", "NONE"):
                raise Unsupported(f"USE SECONDARY ROLES {name.name}")
            if work.context.role_restriction and name.name != "NONE":
                raise NotAuthorized("secondary roles with a token for one role")
            work.context.secondary_roles = name.name
        case "warehouse":
            warehouse = work.caller.find("warehouse", name).message
            work.caller.need("USAGE", warehouse)
            work.context.warehouse = warehouse.name
        case "schema":
            _use_schema(name, work)
        case _:
            _use_database(name.name, work)
    return status(_EXECUTED)


def _use_role(name: str, work: Work) -> None:
    found = work.catalog.named("role", 0, name)
    if found is None:
        raise ObjectNotFound("Role", name)
    only = work.context.role_restriction
    granted = roles_of(work.caller.access, work.context)
    is_left_out = only and found.message.uid != only
    if is_left_out or (found.message.uid not in granted and name != "PUBLIC"):
        raise NotAuthorized(f"role '{name}', which is not granted to this user")
    work.context.role, work.context.role_uid = name, found.message.uid


def _use_database(name: str, work: Work) -> None:
    database = work.caller.database(name).message
    public = work.catalog.named("schema", database.uid, "PUBLIC")
    work.context.database = database.name
    work.context.schema = "PUBLIC" if public and work.caller.sees(public.message) else ""


def _use_schema(name: ObjectName, work: Work) -> None:
    if name.name == "INFORMATION_SCHEMA":
        # Every database has it; it is the warehouse's, not the catalog's.
        work.context.database = work.caller.database(name.database).message.name
        work.context.schema = name.name
        return
    schema = work.caller.schema(name).message
    work.context.database = work.catalog.name("database", schema.parent)
    work.context.schema = schema.name


async def set_parameters(statement: SetParameters, work: Work) -> Rows:
    if statement.account:
        return await parameters.set_account_parameters(statement, work)
    for key, value in statement.values.items():
        value = parameters.check(key, value)
        if len(work.context.parameters) >= _MOST_PARAMETERS and key not in work.context.parameters:
            raise Unsupported(f"more than {_MOST_PARAMETERS} session parameters")
        work.context.parameters[key] = value
    return status(_EXECUTED)


async def unset_parameters(statement: UnsetParameters, work: Work) -> Rows:
    if statement.account:
        return await parameters.unset_account_parameters(statement, work)
    for name in statement.names:
        work.context.parameters.pop(name, None)
    return status(_EXECUTED)
