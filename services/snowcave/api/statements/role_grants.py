"""GRANT and REVOKE of roles and of service roles."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import GrantRole, GrantServiceRole
from snowcave.api.statements.existing import EXECUTED
from snowcave.api.statements.grants import grantee, hold, new_grant, role_or_user
from snowcave.api.statements.service_shows import ALL_ENDPOINTS
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, ObjectNotFound, Unsupported, ValueInvalid
from snowcave.v1 import state_pb2 as state


async def grant_role(statement: GrantRole, work: Work) -> Rows:
    role = role_or_user("role", statement.role, work)
    to = grantee(statement.grantee, work)
    if not (work.caller.owns(role) or work.caller.may_in_account("MANAGE GRANTS")):
        raise NotAuthorized(f"role '{role.name}'")
    if statement.grantee.kind == "role" and not statement.revoke:
        _refuse_circle(role, to, work)
    change = Change()
    hold(role, change, work)
    hold(to, change, work)
    grant = new_grant(work, to, "role", role.uid, "USAGE")
    (change.revoke if statement.revoke else change.grant)(grant)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _refuse_circle(role: state.Object, to: state.Object, work: Work) -> None:
    if to.uid in work.caller.access.closure(role.uid):
        raise ValueInvalid(
            f"SQL compilation error:\nGranting role '{role.name}' to role '{to.name}' "
            "would make a circle of roles."
        )


async def grant_service_role(statement: GrantServiceRole, work: Work) -> Rows:
    """The service's owner alone may. As documented, users get service roles by way of their roles."""
    if statement.grantee.kind != "role":
        raise Unsupported("GRANT SERVICE ROLE TO USER")
    entry = work.caller.find("service", statement.service)
    service = entry.message
    work.caller.need_ownership(service)
    need_service_role(service, statement.role)
    to = grantee(statement.grantee, work)
    grant = new_grant(work, to, "service_role", service.uid, "USAGE")
    grant.service_role = statement.role
    change = Change()
    change.stands(entry)
    hold(to, change, work)
    (change.revoke if statement.revoke else change.grant)(grant)
    await work.catalog.commit(change)
    return status(EXECUTED)


def need_service_role(service: state.Object, role: str) -> None:
    known = {one.name.upper() for one in service.service.spec.service_roles} | {ALL_ENDPOINTS}
    if role.upper() not in known:
        raise ObjectNotFound("Service role", f"{service.name}!{role}")
