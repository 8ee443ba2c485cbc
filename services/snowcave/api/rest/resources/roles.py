"""Roles and users, and what is granted to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snowcave.api.rest.call import Call, named
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.resource import Resource, with_names
from snowcave.api.rest.resources import grants
from snowcave.api.sql import tree
from snowcave.api.sql.tree import Grantee, ShowGrants
from snowcave.model.errors import ObjectNotFound
from snowcave.model.names import ObjectName

ROLE = Model(
    "Role",
    fields(
        "name! comment created_on~:datetime owner~ is_default~:boolean is_current~:boolean "
        "is_inherited~:boolean assigned_to_users~:integer granted_to_roles~:integer "
        "granted_roles~:integer"
    ),
)
USER = Model(
    "User",
    (
        *fields("name!"),
        Field("password", secret=True),
        *fields(
            "login_name display_name first_name middle_name last_name email "
            "must_change_password:boolean disabled:boolean days_to_expiry:integer "
            "mins_to_unlock:integer default_warehouse default_namespace default_role"
        ),
        Field("default_secondary_roles", choices=("ALL", "NONE")),
        *fields(
            "mins_to_bypass_mfa:integer rsa_public_key rsa_public_key_2 comment type "
            "enable_unredacted_query_syntax_error:boolean network_policy created_on~:datetime "
            "last_successful_login~:datetime expires_at~:datetime locked_until~:datetime "
            "has_password~:boolean has_rsa_public_key~:boolean rsa_public_key_fp~ "
            "rsa_public_key_2_fp~ ext_authn_duo~:boolean ext_authn_uid~ owner~ "
            "snowflake_lock~:boolean snowflake_support~:boolean"
        ),
    ),
)
_SECONDARY = {'["ALL"]': "ALL", "[]": "NONE"}
_BY_DESCRIBE = (
    "MIDDLE_NAME",
    "RSA_PUBLIC_KEY",
    "RSA_PUBLIC_KEY_2",
    "RSA_PUBLIC_KEY_FP",
    "RSA_PUBLIC_KEY_2_FP",
    "SNOWFLAKE_SUPPORT",
)


def _user(row: Row) -> Json:
    secondary = str(row["default_secondary_roles"] or "")
    texts = {key: value for key, value in row.items() if value != ""}
    renamed = {
        "default_secondary_roles": _SECONDARY.get(secondary),
        "last_successful_login": row["last_success_login"],
        "expires_at": row["expires_at_time"],
        "locked_until": row["locked_until_time"],
    }
    return with_names(USER.shaped({**texts, **renamed}))


@dataclass(frozen=True)
class _Users(Resource):
    async def row(self, call: Call, name: ObjectName) -> Row:
        """As SHOW has it; what only DESCRIBE says is there, too, for those who may ask."""
        row = await super().row(call, name)
        try:
            described = named(await call.rows(tree.Describe("user", name)))
        except ObjectNotFound:
            return row
        found = {str(one["property"]): one["value"] for one in described}
        more = {key.lower(): found.get(key) for key in _BY_DESCRIBE}
        return {**row, **{key: value for key, value in more.items() if value != "null"}}

    def altered(self, call: Call, body: Json, now: Json) -> Iterator[tree.Statement]:
        yield from super().altered(call, _with_secondary(body), now)

    def created(self, call: Call, body: Json, existing: Any) -> tree.Statement:
        return super().created(call, _with_secondary(body), existing)


def _with_secondary(body: Json) -> Json:
    """ALL is said as a list of one, NONE as one of nothing."""
    chosen = body.get("default_secondary_roles")
    if chosen is None:
        return body
    return {**body, "default_secondary_roles": ["ALL"] if chosen == "ALL" else []}


roles = Resource("role", "/roles", ("role", "roles"), ROLE, "ROLES")
users = _Users("user", "/users", ("user", "users"), USER, "USERS", shape=_user)


def _to(kind: str) -> Any:
    return lambda call: ShowGrants(
        "TO", grantee=Grantee(kind, call.name()), limit=call.query.get("showLimit")
    )


def _future(call: Call) -> ShowGrants:
    limit = call.query.get("showLimit")
    return ShowGrants("TO", grantee=Grantee("role", call.name()), future=True, limit=limit)


def _of(call: Call) -> ShowGrants:
    limit = call.query.get("showLimit")
    return ShowGrants("OF", grantee=Grantee("role", call.name()), limit=limit)


def _on(call: Call) -> ShowGrants:
    on = tree.Securable("role", call.target())
    return ShowGrants("ON", on=on, limit=call.query.get("showLimit"))


def _future_shape(row: Row) -> Json:
    """`DB.SCHEMA.<TABLE>`: the scope is what stands before the last part."""
    place = str(row["name"]).rpartition(".<")[0]
    shown = grants.shape({**row, "granted_on": row["grant_on"], "name": place})
    scope = shown.pop("securable", {})
    if "database" in scope or "schema" in scope:
        parts = {"database": scope.get("database") or scope.get("schema"), "schema": scope["name"]}
    else:
        parts = {"database": scope.get("name", "")}
    return {**shown, "containing_scope": parts}


_ROLE, _USER = "/roles/{name}", "/users/{name}"

OPERATIONS = (
    roles.create(),
    roles.list(),
    roles.delete(),
    grants.given("role", "grant_privileges", f"{_ROLE}/grants"),
    grants.given("role", "revoke_grants", f"{_ROLE}/grants:revoke", revoke=True),
    grants.given("role", "grant_future_privileges", f"{_ROLE}/future-grants", future=True),
    grants.given(
        "role",
        "revoke_future_grants",
        f"{_ROLE}/future-grants:revoke",
        revoke=True,
        future=True,
    ),
    grants.listed("list_grants", f"{_ROLE}/grants", _to("role"), grants.GRANT, grants.shape),
    grants.listed(
        "list_future_grants", f"{_ROLE}/future-grants", _future, grants.GRANT, _future_shape
    ),
    grants.listed(
        "list_grants_of", f"{_ROLE}/grants-of", _of, grants.GRANT_OF, grants.GRANT_OF.shaped
    ),
    grants.listed(
        "list_grants_on", f"{_ROLE}/grants-on", _on, grants.GRANT_ON, grants.GRANT_ON.shaped
    ),
    users.create(),
    users.list(),
    users.fetch(),
    users.create_or_alter(),
    users.delete(),
    grants.given("user", "grant_user", f"{_USER}/grants"),
    grants.given("user", "revoke_user_grants", f"{_USER}/grants:revoke", revoke=True),
    grants.listed("list_user_grants", f"{_USER}/grants", _to("user"), grants.GRANT, grants.shape),
)
