"""SHOW USERS and DESCRIBE USER."""

from datetime import UTC, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Describe, Show
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.work import Work, moment
from snowcave.model import public_keys
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_USERS = columns(
    "name",
    "created_on:timestamp_ltz",
    "login_name",
    "display_name",
    "first_name",
    "last_name",
    "email",
    "mins_to_unlock",
    "days_to_expiry",
    "comment",
    "disabled",
    "must_change_password",
    "snowflake_lock",
    "default_warehouse",
    "default_namespace",
    "default_role",
    "default_secondary_roles",
    "ext_authn_duo",
    "ext_authn_uid",
    "mins_to_bypass_mfa",
    "owner",
    "last_success_login:timestamp_ltz",
    "expires_at_time:timestamp_ltz",
    "locked_until_time:timestamp_ltz",
    "has_password",
    "has_rsa_public_key",
    "type",
    "has_mfa",
    "has_workload_identity",
)
_PROPERTIES = columns("property", "value", "default", "description")


async def show_users(statement: Show, work: Work) -> Rows:
    rows = [
        _row(one, work)
        for one in work.catalog.all("user")
        if work.caller.sees(one) or work.caller.may_in_account("MANAGE GRANTS")
    ]
    return filtered(statement, _USERS, rows)


def _row(one: state.Object, work: Work) -> tuple[Cell, ...]:
    user = one.user
    has_key = user.HasField("rsa_public_key") or user.HasField("rsa_public_key_2")
    return (
        one.name,
        moment(one.created_on),
        user.login_name,
        user.display_name or one.name,
        user.first_name,
        user.last_name,
        user.email,
        "",
        _days_left(user, work),
        one.comment,
        _flag(user.disabled),
        _flag(user.must_change_password),
        "false",
        user.default_warehouse,
        user.default_namespace,
        user.default_role,
        _shown_secondary(user),
        "false",
        "",
        "",
        work.catalog.name("role", one.owner_role),
        None,
        moment(user.expires_on),
        None,
        _flag(bool(user.password_hash)),
        _flag(has_key),
        user.type or None,
        "false",
        "false",
    )


async def describe_user(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("user", ObjectName(statement.name.name)).message
    user, has_password = found.user, bool(found.user.password_hash)
    values = {
        "NAME": found.name,
        "COMMENT": found.comment,
        "DISPLAY_NAME": user.display_name or found.name,
        "TYPE": user.type,
        "LOGIN_NAME": user.login_name,
        "FIRST_NAME": user.first_name,
        "MIDDLE_NAME": user.middle_name,
        "LAST_NAME": user.last_name,
        "EMAIL": user.email,
        "PASSWORD": "********" if has_password else "",
        "MUST_CHANGE_PASSWORD": _flag(user.must_change_password),
        "DISABLED": _flag(user.disabled),
        "SNOWFLAKE_LOCK": "false",
        "SNOWFLAKE_SUPPORT": "false",
        "DAYS_TO_EXPIRY": _days_left(user, work),
        "MINS_TO_UNLOCK": "",
        "DEFAULT_WAREHOUSE": user.default_warehouse,
        "DEFAULT_NAMESPACE": user.default_namespace,
        "DEFAULT_ROLE": user.default_role,
        "DEFAULT_SECONDARY_ROLES": _shown_secondary(user),
        "EXT_AUTHN_DUO": "false",
        "EXT_AUTHN_UID": "",
        "HAS_MFA": "false",
        "MINS_TO_BYPASS_MFA": "",
        "MINS_TO_BYPASS_NETWORK_POLICY": "",
        "RSA_PUBLIC_KEY": user.rsa_public_key.text,
        "RSA_PUBLIC_KEY_FP": fingerprint(user.rsa_public_key),
        "RSA_PUBLIC_KEY_LAST_SET_TIME": _stamp(user.rsa_public_key.set_on),
        "RSA_PUBLIC_KEY_2": user.rsa_public_key_2.text,
        "RSA_PUBLIC_KEY_2_FP": fingerprint(user.rsa_public_key_2),
        "RSA_PUBLIC_KEY_2_LAST_SET_TIME": _stamp(user.rsa_public_key_2.set_on),
        "PASSWORD_LAST_SET_TIME": _stamp(user.password_set_on),
    }
    return Rows(_PROPERTIES, [(key, value or "null", "null", "") for key, value in values.items()])


def fingerprint(key: state.PublicKey) -> str:
    return public_keys.fingerprint(key.text) if key.text else ""


def _flag(value: bool) -> str:
    return str(value).lower()


def _shown_secondary(user: state.User) -> str:
    return {"ALL": '["ALL"]', "NONE": "[]"}.get(user.default_secondary_roles, "")


def _days_left(user: state.User, work: Work) -> str:
    if not user.HasField("expires_on"):
        return ""
    left = user.expires_on.ToDatetime(UTC) - work.clock.now()
    return str(left / timedelta(days=1))


def _stamp(stamp: Timestamp) -> str:
    found = moment(stamp)
    return found.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if found else ""
