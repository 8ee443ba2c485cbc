"""GRANT [INHERITED] CALLER, SHOW CALLER GRANTS: which of their callers' rights services of a role may use."""

from collections.abc import Callable, Mapping

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.tree import GrantCaller, Grantee, ShowCallerGrants
from snowcave.api.statements.existing import EXECUTED
from snowcave.api.statements.filters import columns
from snowcave.api.statements.grants import OWNERSHIP, grantee, hold, new_grant
from snowcave.api.statements.securables import Target, container, full_name, targets
from snowcave.api.statements.show_grants import oldest_first, warehouse_names
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import NotAuthorized, Unsupported, ValueInvalid
from snowcave.model.privileges import CALLER, INHERITED_CALLER, PRIVILEGES, is_caller_grant
from snowcave.v1 import state_pb2 as state

_ACCOUNT = 0
_CONTAINERS = ("account", "database", "schema")
_SHAPE = columns(
    "created_on:timestamp_ltz",
    "privilege",
    "granted_on",
    "name",
    "is_inherited",
    "inherited_from",
    "inherited_from_database",
    "inherited_from_schema",
    "granted_to",
    "grantee_name",
)


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


async def show_caller_grants(statement: ShowCallerGrants, work: Work) -> Rows:
    """Of an object also those that are inherited from what holds it; only of what the caller sees."""
    grants = [
        one for one in work.catalog.mirrors.grants.values() if is_caller_grant(one.privilege)
    ]
    if statement.on is not None:
        wanted = [_counts_for(one, work) for one in await targets(statement.on, work)]
        grants = [one for one in grants if any(counts(one) for counts in wanted)]
    else:
        role = grantee(statement.grantee or Grantee("role", work.context.role), work)
        grants = [one for one in grants if one.grantee == role.uid]
    names = await warehouse_names(grants, 0, work)
    ordered = sorted(grants, key=oldest_first)
    shown = [_shown(one, names, work) for one in ordered]
    return Rows(_SHAPE, [row for row in shown if row is not None])


def _counts_for(target: Target, work: Work) -> Callable[[state.Grant], bool]:
    containers = {_ACCOUNT}
    if target.schema:
        schema = work.catalog.get("schema", target.schema)
        containers |= {target.schema, schema.parent if schema else _ACCOUNT}
    elif target.entry is not None:
        containers.add(target.entry.message.parent)

    def counts(one: state.Grant) -> bool:
        inherited = one.privilege.startswith(INHERITED_CALLER)
        if inherited and target.domain in _CONTAINERS and one.securable == target.uid:
            return True  # it stands after IN
        if one.domain != target.domain:
            return False
        return one.securable in containers if inherited else one.securable == target.uid

    return counts


def _shown(one: state.Grant, names: Mapping[int, Target], work: Work) -> tuple[Cell, ...] | None:
    inherited = one.privilege.startswith(INHERITED_CALLER)
    level = database = schema = name = None
    if not inherited:
        known = names.get(one.securable)
        name = known.name if known else full_name(one.domain, one.securable, work)
        if not name:
            return None  # it is gone
    elif one.securable == _ACCOUNT:
        level = "ACCOUNT"
    elif (found := work.catalog.get("schema", one.securable)) is not None:
        level, schema, database = "SCHEMA", found.name, work.catalog.name("database", found.parent)
    elif (found := work.catalog.get("database", one.securable)) is not None:
        level, database = "DATABASE", found.name
    else:
        return None
    return (
        moment(one.created_on),
        one.privilege.removeprefix(INHERITED_CALLER if inherited else CALLER),
        one.domain.replace("_", " ").upper(),
        name,
        str(inherited).lower(),
        level,
        database,
        schema,
        one.grantee_kind.upper(),
        work.catalog.name(one.grantee_kind, one.grantee),
    )
