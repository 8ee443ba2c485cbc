"""Users: passwords, keys and where their sessions begin."""

import asyncio
from datetime import timedelta

from argon2 import PasswordHasher
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Existing
from snowcave.api.statements.existing import EXECUTED, create, kept, sought, taken
from snowcave.api.statements.user_shows import fingerprint
from snowcave.api.statements.work import Work
from snowcave.model import public_keys
from snowcave.model.errors import ObjectExists, Unsupported, ValueInvalid
from snowcave.v1 import state_pb2 as state

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
            _need_own_login_name(changed, work)
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
        if given and given != fingerprint(getattr(user, attribute)):
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
