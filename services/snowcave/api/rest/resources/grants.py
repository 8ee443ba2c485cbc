"""Grants: those of a role or a user, and the same by their paths."""

from collections.abc import Callable

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest import securables
from snowcave.api.rest.call import Call, Listing
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.operations import SHOW_LIMIT, Action, Many, Operation, Parameter
from snowcave.api.sql import tree
from snowcave.api.sql.tree import Grantee, GrantPrivileges, Securable

_SECURABLE = Model("Securable", fields("database schema service name!"))
_SCOPE = Model("ContainingScope", fields("database! schema"))
GRANT = Model(
    "Grant",
    (
        Field("securable", _SECURABLE),
        Field("containing_scope", _SCOPE),
        *fields(
            "securable_type! grant_option:boolean privileges:strings created_on~:datetime "
            "granted_by~"
        ),
    ),
)
GRANT_OF = Model(
    "RoleGrantOf", fields("created_on~:datetime role~ granted_to~ grantee_name~ granted_by~")
)
GRANT_ON = Model(
    "GrantOn",
    fields(
        "created_on~:datetime privilege~ granted_on~ name~ granted_to~ grantee_name~ "
        "grant_option~ granted_by~ granted_by_role_type~"
    ),
)
_PATH_GRANT = Model(
    "PrivilegeGrant",
    fields(
        "privileges:strings grant_option:boolean created_on~:datetime grantee_type grantee_name "
        "securable_type securable_name granted_by_role_type granted_by_name"
    ),
)
_MODES = ("cascade", "restrict")
_MODE = Parameter("mode", choices=_MODES)
_DELETE_MODE = Parameter("deleteMode", choices=_MODES)


def shape(row: Row) -> Json:
    found = GRANT.shaped({**row, "privileges": None})
    return {**found, **securables.shown(row), "privileges": [str(row["privilege"])]}


def _privileges(call: Call, to: Grantee, on: Securable, *, revoke: bool) -> GrantPrivileges:
    words = tuple(one.upper().strip() for one in call.body.get("privileges", ()))
    return GrantPrivileges(
        tuple(one for one in words if one not in ("ALL", "ALL PRIVILEGES")),
        on,
        to,
        call.body.get("grant_option", False),
        revoke,
        cascade=call.query.get("mode") == "cascade",
    )


def given(
    kind: str, id: str, path: str, *, revoke: bool = False, future: bool = False
) -> Operation:
    """POST of a Grant to what belongs to one role or user."""

    async def action(call: Call) -> Json:
        to = Grantee(kind, call.name())
        if not future and (granted := securables.role_granted(call.body, to, revoke=revoke)):
            return await call.change(granted)
        on = securables.in_body(call.body)
        if future:
            if on.all_in is None:
                raise RequestInvalid("containing_scope is missing.")
            on = Securable(on.domain, all_in=on.all_in, future=True)
        return await call.change(_privileges(call, to, on, revoke=revoke))

    return Operation(id, "POST", path, action, (_MODE,) if revoke else (), GRANT)


def listed(
    id: str,
    path: str,
    statement: Callable[[Call], tree.ShowGrants],
    model: Model,
    of_row: Callable[[Row], Json],
) -> Operation:
    async def action(call: Call) -> Listing:
        return await call.listing(statement(call))

    return Operation(id, "GET", path, action, (SHOW_LIMIT,), answer=Many(model), shape=of_row)


# ---------------------------------------------------------------- by path

_ONE = "/grants/{granteeType}/{granteeName}/{securableType}/{securableName}/privileges"
_MANY = (
    "/grants/{granteeType}/{granteeName}/{bulkGrantType}/{securableTypePlural}/{scopeType}"
    "/{scopeName}/privileges"
)
_FREE = frozenset(
    {
        "granteeType",
        "bulkGrantType",
        "securableType",
        "securableTypePlural",
        "scopeType",
        "scopeName",
        "securableName",
        "privilege",
    }
)


def _on(call: Call) -> Securable:
    names = call.names
    if "securableType" in names:
        return securables.in_path(names["securableType"], names["securableName"])
    bulk = names["bulkGrantType"].lower()
    if bulk not in ("all", "future"):
        raise RequestInvalid("The type of a bulk grant is all or future.")
    domain = securables.domain_of(names["securableTypePlural"], plural=True)
    scope = securables.scope_in_path(names["scopeType"], names["scopeName"])
    return Securable(domain, all_in=scope, future=bulk == "future")


def _to(call: Call) -> Grantee:
    return securables.grantee(call.names["granteeType"], call.names["granteeName"])


async def _grant(call: Call) -> Json:
    to, on = _to(call), _on(call)
    if on.domain == "role" and on.name is not None and not call.body.get("privileges"):
        return await call.change(tree.GrantRole(on.name.name, to))
    return await call.change(_privileges(call, to, on, revoke=False))


def _revoking(*, only_option: bool) -> Action:
    async def action(call: Call) -> Json:
        to, on = _to(call), _on(call)
        word = call.names["privilege"].upper().replace("_", " ")
        if on.domain == "role" and on.name is not None and word == "USAGE":
            return await call.change(tree.GrantRole(on.name.name, to, revoke=True))
        words = () if word in ("ALL", "ALL PRIVILEGES") else (word,)
        cascade = call.query.get("deleteMode") == "cascade"
        return await call.change(
            GrantPrivileges(words, on, to, only_option, revoke=True, cascade=cascade)
        )

    return action


def _by_path(row: Row) -> Json:
    words = str(row["granted_on"]).replace("_", " ")
    return _PATH_GRANT.shaped(
        {
            "created_on": row["created_on"],
            "grantee_type": row["granted_to"],
            "grantee_name": row["grantee_name"],
            "securable_type": words,
            "securable_name": row["name"],
            "granted_by_role_type": "ROLE",
            "granted_by_name": row["granted_by"],
            "grant_option": row["grant_option"],
        }
    ) | {"privileges": [str(row["privilege"])]}


def _delete(id: str, path: str, *, only_option: bool = False) -> Operation:
    tail = "/{privilege}" + ("/grant-option" if only_option else "")
    action = _revoking(only_option=only_option)
    return Operation(id, "DELETE", path + tail, action, (_DELETE_MODE,), free=_FREE)


OPERATIONS = (
    Operation("grant_privilege", "POST", _ONE, _grant, body=_PATH_GRANT, free=_FREE),
    Operation("grant_group_privilege", "POST", _MANY, _grant, body=_PATH_GRANT, free=_FREE),
    _delete("revoke_privilege", _ONE),
    _delete("revoke_privilege_grant_option", _ONE, only_option=True),
    _delete("revoke_group_privilege", _MANY),
    _delete("revoke_group_privilege_grant_option", _MANY, only_option=True),
    Operation(
        "list_grants_to",
        "GET",
        "/grants/{granteeType}/{granteeName}",
        lambda call: call.listing(
            tree.ShowGrants("TO", grantee=_to(call), limit=call.query.get("showLimit"))
        ),
        (SHOW_LIMIT,),
        answer=Many(_PATH_GRANT),
        free=_FREE,
        shape=_by_path,
    ),
)
