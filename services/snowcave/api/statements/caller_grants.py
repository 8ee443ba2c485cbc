"""GRANT CALLER and GRANT INHERITED CALLER: which of their callers' rights services of a role may use."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import GrantCaller
from snowcave.api.statements.existing import EXECUTED
from snowcave.api.statements.grants import OWNERSHIP, grantee, hold, new_grant
from snowcave.api.statements.securables import container, targets
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, Unsupported, ValueInvalid
from snowcave.model.privileges import CALLER, INHERITED_CALLER, PRIVILEGES

_ACCOUNT = 0


async def grant_caller(statement: GrantCaller, work: Work) -> Rows:
    if not work.caller.may_in_account("MANAGE CALLER GRANTS"):
        raise NotAuthorized(f"account '{work.context.account}'")
    _need_known(statement)
    if statement.grantee.kind != "role":
        raise Unsupported("caller grants to a user")
    to = grantee(statement.grantee, work)
    change = Change()
    hold(to, change, work)
    domain = statement.on.domain
    prefix = INHERITED_CALLER if statement.on.all_in is not None else CALLER
    for uid in await _about(statement, change, work):
        for privilege in statement.privileges or PRIVILEGES[domain]:
            made = new_grant(work, to, domain, uid, prefix + privilege)
            (change.revoke if statement.revoke else change.grant)(made)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def _about(statement: GrantCaller, change: Change, work: Work) -> list[int]:
    """uid of the object, or of the container whose objects are all meant."""
    within = statement.on.all_in
    if within is not None and within.domain == "account":
        return [_ACCOUNT]
    if within is not None:
        uid, entry = container(within, work)
        change.stands(entry)
        return [uid]
    found = await targets(statement.on, work)
    for target in found:
        if target.entry is not None:
            change.stands(target.entry)
    return [target.uid for target in found]


def _need_known(statement: GrantCaller) -> None:
    domain = statement.on.domain
    where = domain.replace("_", " ").upper()
    if domain not in PRIVILEGES:
        raise Unsupported(f"GRANT CALLER ON {where}")
    allowed = (*PRIVILEGES[domain], OWNERSHIP)
    for privilege in statement.privileges:
        if privilege not in allowed:
            raise ValueInvalid(
                f"SQL compilation error:\nPrivilege '{privilege}' cannot be granted on {where}."
            )
