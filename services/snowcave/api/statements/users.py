"""Users: passwords, keys and where their sessions begin."""

import asyncio
from datetime import UTC, timedelta

from argon2 import PasswordHasher
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.work import Work, moment
from snowcave.model import public_keys
from snowcave.model.errors import ObjectExists, Unsupported, ValueInvalid
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
_TYPES = ("PERSON", "SERVICE", "LEGACY_SERVICE")
# Property → field of the user, by how it is read.
_TEXTS = {
    "LOGIN_NAME": "login_name",
    "DISPLAY_NAME": "display_name",
    "FIRST_NAME": "first_name",
    "MIDDLE_NAME": "middle_name",
    "LAST_NAME": "last_name",
    "EMAIL": "email",
}
_NAMES = {
    "DEFAULT_ROLE": "default_role",
    "DEFAULT_WAREHOUSE": "default_warehouse",
    "DEFAULT_NAMESPACE": "default_namespace",
}
_FLAGS = {"DISABLED": "disabled", "MUST_CHANGE_PASSWORD": "must_change_password"}
_KEYS = {"RSA_PUBLIC_KEY": "rsa_public_key", "RSA_PUBLIC_KEY_2": "rsa_public_key_2"}
_FIELDS = {
    **_TEXTS,
    **_NAMES,
    **_FLAGS,
    **_KEYS,
    "TYPE": "type",
    "PASSWORD": "password_hash",
    "DEFAULT_SECONDARY_ROLES": "default_secondary_roles",
    "DAYS_TO_EXPIRY": "expires_on",
}


async def create_user(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "user", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE USER")
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.user.login_name = made.user.display_name = name
    await _apply(made, statement.options, work)
    change = Change()
    create(work, change, made, statement.existing)
    await work.catalog.commit(change)
    return status(f"User {name} successfully created.")


async def alter_user(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("user", statement.name))
    if entry is None:
        return status(EXECUTED)
    if not _is_own_password(statement, entry.message, work):
        work.caller.need_ownership(entry.message)
    changed, change = work.changed(entry.message), Change()
    match statement.action:
        case Action.SET:
            await _apply(changed, statement.options, work)
            if "COMMENT" in statement.options:
                changed.comment = statement.options.text("COMMENT")
            change.update(entry, changed)
        case Action.UNSET:
            _unset(changed, statement.unset)
            change.update(entry, changed)
        case Action.RENAME if statement.new_name is not None:
            changed.name = statement.new_name.name
            if taken(work, "user", 0, changed.name):
                raise ObjectExists(changed.name)
            change.rename(entry, changed)
        case _:
            raise Unsupported(f"ALTER USER {statement.action.name}")
    await work.catalog.commit(change)
    return status(EXECUTED)


def _is_own_password(statement: Alter, found: state.Object, work: Work) -> bool:
    """Which everybody may change, but with a token for one role: a password is good for all."""
    is_own = found.uid == work.context.user_uid and not work.context.role_restriction
    return is_own and set(statement.options) == {"PASSWORD"}


async def _apply(made: state.Object, options: Options, work: Work) -> None:
    user = made.user
    for key, attribute in _TEXTS.items():
        if key in options:
            setattr(user, attribute, options.text(key))
    for key, attribute in _NAMES.items():
        if key in options:
            setattr(user, attribute, str(options.object_name(key) or ""))
    for key, attribute in _FLAGS.items():
        if key in options:
            setattr(user, attribute, options.boolean(key))
    if "TYPE" in options:
        if (kind := options.text("TYPE")) not in _TYPES:
            raise invalid_value(kind, "TYPE")
        user.type = kind
    if "DEFAULT_SECONDARY_ROLES" in options:
        user.default_secondary_roles = _secondary(options.names("DEFAULT_SECONDARY_ROLES"))
    if "DAYS_TO_EXPIRY" in options:
        user.expires_on.CopyFrom(_days_from_now(options.integer("DAYS_TO_EXPIRY"), work))
    _apply_keys(user, options, work)
    _need_own_login_name(made, work)
    if "PASSWORD" in options:
        password = options.text("PASSWORD")
        user.password_hash = await asyncio.to_thread(PasswordHasher().hash, password)
        user.password_set_on.CopyFrom(work.now())


def _apply_keys(user: state.User, options: Options, work: Work) -> None:
    """A fingerprint beside a key must be that key's."""
    for key, attribute in _KEYS.items():
        if key in options:
            held: state.PublicKey = getattr(user, attribute)
            held.text = public_keys.normal(options.text(key))
            held.set_on.CopyFrom(work.now())
        given = options.text(f"{key}_FP")
        if given and given != _fingerprint(getattr(user, attribute)):
            raise invalid_value(given, f"{key}_FP")


def _secondary(names: tuple[str, ...]) -> str:
    if not names:
        return "NONE"
    if tuple(name.upper() for name in names) != ("ALL",):
        raise invalid_value(", ".join(names), "DEFAULT_SECONDARY_ROLES")
    return "ALL"


def _days_from_now(days: int, work: Work) -> Timestamp:
    if not 0 < days <= 36500:
        raise invalid_value(days, "DAYS_TO_EXPIRY")
    stamp = Timestamp()
    stamp.FromDatetime(work.clock.now() + timedelta(days=days))
    return stamp


def _need_own_login_name(made: state.Object, work: Work) -> None:
    """Two users of one login name could not be told apart."""
    name = made.user.login_name.upper()
    for other in work.catalog.all("user"):
        if other.uid != made.uid and (other.user.login_name or other.name).upper() == name:
            if other.name == made.name:
                continue  # the one that CREATE OR REPLACE is about, or whose name is taken
            raise ValueInvalid(
                f"SQL compilation error:\nLogin name '{name}' already used by another user."
            )


def _unset(changed: state.Object, names: tuple[str, ...]) -> None:
    for name in names:
        if name == "COMMENT":
            changed.comment = ""
        elif name in ("LOGIN_NAME", "DISPLAY_NAME"):
            setattr(changed.user, _FIELDS[name], changed.name)
        elif name in _FIELDS:
            changed.user.ClearField(_FIELDS[name])  # type: ignore[arg-type]


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
        "RSA_PUBLIC_KEY_FP": _fingerprint(user.rsa_public_key),
        "RSA_PUBLIC_KEY_LAST_SET_TIME": _stamp(user.rsa_public_key.set_on),
        "RSA_PUBLIC_KEY_2": user.rsa_public_key_2.text,
        "RSA_PUBLIC_KEY_2_FP": _fingerprint(user.rsa_public_key_2),
        "RSA_PUBLIC_KEY_2_LAST_SET_TIME": _stamp(user.rsa_public_key_2.set_on),
        "PASSWORD_LAST_SET_TIME": _stamp(user.password_set_on),
    }
    return Rows(_PROPERTIES, [(key, value or "null", "null", "") for key, value in values.items()])


def _fingerprint(key: state.PublicKey) -> str:
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
