"""Secrets: what is to be kept from sight is sealed before it is written and opened for containers alone."""

import secrets as chance
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import Options, invalid_property, invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import OptionMissing, Unsupported
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHOW = columns(
    "created_on:timestamp_ltz",
    "name",
    "schema_name",
    "database_name",
    "owner",
    "comment",
    "secret_type",
    "oauth_scopes",
    "owner_role_type",
)
_DESCRIBE = columns(
    "created_on:timestamp_ltz",
    "name",
    "schema_name",
    "database_name",
    "owner",
    "comment",
    "secret_type",
    "username",
    "oauth_access_token_expiry_time:timestamp_ltz",
    "oauth_refresh_token_expiry_time:timestamp_ltz",
    "oauth_scopes",
    "integration_name",
)
# By type: what CREATE needs, and what else it takes.
_PROPERTIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "PASSWORD": (("USERNAME", "PASSWORD"), ()),
    "GENERIC_STRING": (("SECRET_STRING",), ()),
    "OAUTH2": (
        ("API_AUTHENTICATION",),
        ("OAUTH_SCOPES", "OAUTH_REFRESH_TOKEN", "OAUTH_REFRESH_TOKEN_EXPIRY_TIME"),
    ),
    "SYMMETRIC_KEY": (("ALGORITHM",), ()),
    "CLOUD_PROVIDER_TOKEN": (("API_AUTHENTICATION",), ("ENABLED",)),
}
_COMMON = ("TYPE", "COMMENT", "TAG")
_SEALED = {
    "PASSWORD": "password",
    "SECRET_STRING": "secret_string",
    "OAUTH_REFRESH_TOKEN": "oauth_refresh_token",
}
# Longest content: a store value holds it with ease.
_MOST = 256 * 1024


async def create_secret(statement: Create, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    if taken(work, "secret", schema.message.uid, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE SECRET", schema.message)
    kind = _type(statement.options)
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT"))
    made.secret.type = kind
    content = state.SecretContent()
    if kind == "SYMMETRIC_KEY":
        algorithm = statement.options.text("ALGORITHM")
        if algorithm != "GENERIC":
            raise invalid_value(algorithm, "ALGORITHM")
        made.secret.algorithm = algorithm
        content.symmetric_key = chance.token_bytes(32)
    _apply(work, made, content, statement.options)
    change = Change()
    create(work, change, made, statement.existing)
    change.stands(schema)
    await work.catalog.commit(change)
    return status(f"Secret {name} successfully created.")


def _type(options: Options) -> str:
    """The type, with all that it needs and nothing that it does not take."""
    if "TYPE" not in options:
        raise OptionMissing("TYPE")
    kind = options.text("TYPE")
    if kind not in _PROPERTIES:
        raise invalid_value(kind, "TYPE")
    needed, taken_too = _PROPERTIES[kind]
    if missing := options.missing(*needed):
        raise OptionMissing(*missing)
    for key in options:
        if key not in (*_COMMON, *needed, *taken_too):
            raise invalid_property(key, "SECRET")
    return kind


def _apply(
    work: Work, found: state.Object, content: state.SecretContent, options: Options
) -> None:
    """The properties given; the content is sealed anew, under a version of its own."""
    secret = found.secret
    for key, field in _SEALED.items():
        if key in options:
            if len(options.text(key).encode()) > _MOST:
                raise invalid_value("…", key)
            setattr(content, field, options.text(key))
    if "USERNAME" in options:
        secret.username = options.text("USERNAME")
    if "API_AUTHENTICATION" in options:
        secret.api_authentication = _integration(work, options.object_name("API_AUTHENTICATION"))
    if "OAUTH_SCOPES" in options:
        secret.ClearField("oauth_scopes")
        secret.oauth_scopes.extend(options.names("OAUTH_SCOPES"))
    if "OAUTH_REFRESH_TOKEN_EXPIRY_TIME" in options:
        secret.refresh_token_expires_on.CopyFrom(_moment(options))
    secret.sealed = work.ports.sealer.seal(found.uid, content.SerializeToString())
    secret.version += 1


def _integration(work: Work, name: ObjectName | None) -> str:
    found = work.caller.find("integration", name or ObjectName("")).message
    work.caller.need("USAGE", found)
    if found.integration.category != "SECURITY":
        raise invalid_value(found.name, "API_AUTHENTICATION")
    return found.name


def _moment(options: Options) -> Timestamp:
    text = options.text("OAUTH_REFRESH_TOKEN_EXPIRY_TIME")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_value(text, "OAUTH_REFRESH_TOKEN_EXPIRY_TIME") from None
    stamp = Timestamp()
    stamp.FromDatetime(found if found.tzinfo else found.replace(tzinfo=UTC))
    return stamp


async def alter_secret(statement: Alter, work: Work) -> Rows:
    if statement.action not in (Action.SET, Action.UNSET):
        raise Unsupported(f"ALTER SECRET {statement.action.name}")
    entry = sought(statement, lambda: work.caller.find("secret", statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    needed, others = _PROPERTIES[changed.secret.type]
    for key in statement.options:
        if key not in (*_COMMON, *needed, *others):
            raise invalid_property(key, "SECRET")
    for key in statement.unset:
        if key not in ("COMMENT", "OAUTH_SCOPES"):
            raise invalid_property(key, "SECRET")
    if "OAUTH_SCOPES" in statement.unset:
        changed.secret.ClearField("oauth_scopes")
    if "COMMENT" in statement.options or "COMMENT" in statement.unset:
        changed.comment = statement.options.text("COMMENT")
    if set(statement.options) - {"COMMENT"}:
        sealer = work.ports.sealer
        kept_content = sealer.unseal(changed.uid, changed.secret.sealed)
        _apply(work, changed, state.SecretContent.FromString(kept_content), statement.options)
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def drop_secret(statement: Drop, work: Work) -> Rows:
    return await drop(statement, work, lambda: work.caller.find("secret", statement.name))


async def show_secrets(statement: Show, work: Work) -> Rows:
    rows = [(*_head(one, work), _scopes(one), "ROLE") for one in _seen(statement, work)]
    return filtered(statement, _SHOW, rows)


def _seen(statement: Show, work: Work) -> list[state.Object]:
    return list(within(work, "secret", statement.scope))


async def describe_secret(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("secret", statement.name).message
    row = (
        *_head(found, work),
        found.secret.username or None,
        None,
        moment(found.secret.refresh_token_expires_on),
        _scopes(found),
        found.secret.api_authentication or None,
    )
    return Rows(_DESCRIBE, [row])


def _head(found: state.Object, work: Work) -> tuple[Cell, ...]:
    schema, database = work.catalog.place(found.parent)
    return (
        moment(found.created_on),
        found.name,
        schema,
        database,
        work.catalog.name("role", found.owner_role),
        found.comment or None,
        found.secret.type,
    )


def _scopes(found: state.Object) -> str | None:
    scopes = found.secret.oauth_scopes
    return "[" + ", ".join(scopes) + "]" if scopes else None
