"""SHOW GRANTS and SHOW FUTURE GRANTS."""

from snowcave.api.catalog.change import domain_of
from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Grantee, Scope, ShowGrants
from snowcave.api.statements.filters import columns
from snowcave.api.statements.grants import grantee as named_grantee
from snowcave.api.statements.role_grants import need_service_role
from snowcave.api.statements.securables import (
    Target,
    container,
    full_name,
    of_warehouse,
    targets,
)
from snowcave.api.statements.service_shows import ALL_ENDPOINTS
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import SnowcaveError
from snowcave.model.names import ObjectName, quoted
from snowcave.model.privileges import OF_WAREHOUSE, is_caller_grant
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse

Row = tuple[Cell, ...]
_SHAPE = columns(
    "created_on:timestamp_ltz",
    "privilege",
    "granted_on",
    "name",
    "granted_to",
    "grantee_name",
    "grant_option",
    "granted_by",
)
_TO_USER = columns(
    "created_on:timestamp_ltz",
    "privilege",
    "granted_on",
    "name",
    "role",
    "granted_to",
    "grantee_name",
    "grant_option",
    "granted_by",
)
_OF = columns("created_on:timestamp_ltz", "role", "granted_to", "grantee_name", "granted_by")
_TO_SERVICE_ROLE = columns(
    "created_on:timestamp_ltz", "privilege", "granted_on", "name", "granted_to", "grantee_name"
)
_FUTURE = columns(
    "created_on:timestamp_ltz",
    "privilege",
    "grant_on",
    "name",
    "grant_to",
    "grantee_name",
    "grant_option",
)


async def show_grants(statement: ShowGrants, work: Work) -> Rows:
    rows = await _shown(statement, work)
    if statement.limit is not None:
        rows = Rows(rows.columns, list(rows.rows)[: max(0, statement.limit)])
    return rows


async def _shown(statement: ShowGrants, work: Work) -> Rows:
    if statement.future:
        return Rows(_FUTURE, _future(statement, work))
    if statement.service is not None:
        return _of_service_role(statement.service, statement, work)
    if statement.relation == "ON" and statement.on is not None:
        found = await targets(statement.on, work)
        return Rows(_SHAPE, [row for target in found for row in _on(target, work)])
    if statement.relation == "OF" and statement.grantee is not None:
        return Rows(_OF, _of(named_grantee(statement.grantee, work), work))
    who = named_grantee(statement.grantee or Grantee("user", work.context.user_name), work)
    if domain_of(who) == "user":
        return Rows(_TO_USER, await _to_user(who, work))
    return Rows(_SHAPE, await _to_role(who, work))


def _on(target: Target, work: Work) -> list[Row]:
    rows = [
        _row(grant, target.name, work)
        for grant in _grants(work)
        if (grant.domain, grant.securable) == (target.domain, target.uid)
    ]
    if target.owner:
        created = moment(target.entry.message.created_on) if target.entry else None
        rows.insert(0, _ownership(target, created, work))
    return rows


async def _to_role(role: state.Object, work: Work) -> list[Row]:
    held = [one for one in _grants(work) if (one.grantee_kind, one.grantee) == ("role", role.uid)]
    ordinary = await warehouse_names(held, role.uid, work)
    rows = [_row(grant, name, work) for grant in held if (name := _name(grant, ordinary, work))]
    for found in work.catalog.mirrors.objects.values():
        domain = domain_of(found)
        if found.owner_role == role.uid and work.catalog.get(domain, found.uid) is not None:
            target = Target(domain, found.uid, role.uid, 0, full_name(domain, found.uid, work))
            rows.append(_ownership(target, moment(found.created_on), work))
    rows += [
        _ownership(target, None, work) for target in ordinary.values() if target.owner == role.uid
    ]
    return rows


async def _to_user(user: state.Object, work: Work) -> list[Row]:
    held = [one for one in _grants(work) if (one.grantee_kind, one.grantee) == ("user", user.uid)]
    names = await warehouse_names(held, 0, work)
    rows: list[Row] = []
    for grant in held:
        if name := _name(grant, names, work):
            row = _row(grant, name, work)
            rows.append((*row[:4], name if grant.domain == "role" else None, *row[4:]))
    return rows


async def warehouse_names(held: list[state.Grant], owner: int, work: Work) -> dict[int, Target]:
    """The warehouse's own objects among them, and those that the role owns, by uid.

    Without the warehouse there are grants to show all the same.
    """
    uids = {one.securable for one in held if one.domain in OF_WAREHOUSE}
    requests: list[warehouse.ListObjectsRequest] = []
    if uids:
        requests.append(warehouse.ListObjectsRequest(uids=sorted(uids)))
    if owner:
        requests.append(warehouse.ListObjectsRequest(owner=owner))
    found: dict[int, Target] = {}
    for request in requests:
        try:
            listed = await work.ports.ddl.objects(request)
        except SnowcaveError:
            continue
        found.update({one.uid: of_warehouse(one, work) for one in listed})
    return found


def _name(grant: state.Grant, ordinary: dict[int, Target], work: Work) -> str:
    if grant.domain == "service_role":
        return f"{full_name('service', grant.securable, work)}!{grant.service_role}"
    known = ordinary.get(grant.securable)
    return known.name if known else full_name(grant.domain, grant.securable, work)


def _of(role: state.Object, work: Work) -> list[Row]:
    return [
        (
            moment(grant.created_on),
            role.name,
            grant.grantee_kind.upper(),
            work.catalog.name(grant.grantee_kind, grant.grantee),
            work.catalog.name("role", grant.granted_by),
        )
        for grant in _grants(work)
        if (grant.domain, grant.securable) == ("role", role.uid)
    ]


def _of_service_role(name: ObjectName, statement: ShowGrants, work: Work) -> Rows:
    service = work.caller.find("service", name).message
    need_service_role(service, statement.service_role)
    if statement.relation == "TO":
        return Rows(_TO_SERVICE_ROLE, _to_service_role(service, statement.service_role, work))
    return Rows(
        _OF,
        [
            (
                moment(grant.created_on),
                grant.service_role,
                "ROLE",
                work.catalog.name("role", grant.grantee),
                work.catalog.name("role", grant.granted_by),
            )
            for grant in _grants(work)
            if (grant.domain, grant.securable) == ("service_role", service.uid)
            and grant.service_role == statement.service_role
        ],
    )


def _to_service_role(service: state.Object, role: str, work: Work) -> list[Row]:
    full = full_name("service", service.uid, work)
    endpoints = [
        endpoint
        for one in service.service.spec.service_roles
        if one.name.upper() == role
        for endpoint in one.endpoints
    ]
    if role == ALL_ENDPOINTS:
        endpoints = [endpoint.name for endpoint in service.service.spec.endpoints]
    created = moment(service.created_on)
    return [
        (created, "USAGE", "SERVICE_ENDPOINT", f"{full}!{endpoint}", "SERVICE ROLE", role)
        for endpoint in endpoints
    ]


def _future(statement: ShowGrants, work: Work) -> list[Row]:
    if statement.grantee is not None:
        who = named_grantee(statement.grantee, work)
        chosen = [one for one in _future_grants(work) if one.grantee == who.uid]
    else:
        scope = statement.within or Scope("schema")
        uid, _ = container(scope, work)
        chosen = [
            one
            for one in _future_grants(work)
            if (one.future_in, one.securable) == (scope.domain, uid)
        ]
    return [
        (
            moment(one.created_on),
            one.privilege,
            one.domain.upper(),
            f"{_future_place(one, work)}.<{one.domain.upper()}>",
            one.grantee_kind.upper(),
            work.catalog.name(one.grantee_kind, one.grantee),
            str(one.grant_option).lower(),
        )
        for one in chosen
        if work.catalog.get(one.future_in, one.securable) is not None
    ]


def _future_place(grant: state.Grant, work: Work) -> str:
    if grant.future_in == "database":
        return quoted(work.catalog.name("database", grant.securable))
    return full_name("schema", grant.securable, work)


def _grants(work: Work) -> list[state.Grant]:
    grants = work.catalog.mirrors.grants.values()
    found = [one for one in grants if not one.future_in and not is_caller_grant(one.privilege)]
    return sorted(found, key=oldest_first)


def _future_grants(work: Work) -> list[state.Grant]:
    found = [one for one in work.catalog.mirrors.grants.values() if one.future_in]
    return sorted(found, key=oldest_first)


def oldest_first(grant: state.Grant) -> tuple[int, str, str]:
    """Of those that one statement made: by what they are on, then by what they allow."""
    return grant.created_on.ToNanoseconds(), grant.domain, grant.privilege


def _row(grant: state.Grant, name: str, work: Work) -> Row:
    return (
        moment(grant.created_on),
        grant.privilege,
        grant.domain.upper(),
        name,
        grant.grantee_kind.upper(),
        work.catalog.name(grant.grantee_kind, grant.grantee),
        str(grant.grant_option).lower(),
        work.catalog.name("role", grant.granted_by),
    )


def _ownership(target: Target, created: Cell, work: Work) -> Row:
    owner = work.catalog.name("role", target.owner)
    return (
        created,
        "OWNERSHIP",
        target.domain.upper(),
        target.name,
        "ROLE",
        owner,
        "true",
        owner,
    )
