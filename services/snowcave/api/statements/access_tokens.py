"""Programmatic access tokens. A secret is shown once, as it is made; what is kept is its hash."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import AlterToken, ShowTokens, TokenAction
from snowcave.api.statements.existing import EXECUTED
from snowcave.api.statements.filters import columns
from snowcave.api.statements.work import Work, moment
from snowcave.kit import ids
from snowcave.model.errors import (
    Exhausted,
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    OptionMissing,
)
from snowcave.model.names import ObjectName
from snowcave.runtime.identity import token_key
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

_ADDED = columns("token_name", "token_secret")
_ROTATED = columns("token_name", "token_secret", "rotated_token_name")
_SHOWN = columns(
    "name",
    "user_name",
    "role_restriction",
    "expires_at:timestamp_ltz",
    "status",
    "comment",
    "created_on:timestamp_ltz",
    "created_by",
    "mins_to_bypass_network_policy_requirement:fixed",
    "rotated_to",
)
_MOST = 15
_DAYS = 15
_LONGEST_DAYS = 365
_GRACE_HOURS = 24
# Expired ones are listed for so long.
_LISTED = timedelta(days=7)
_BYPASS = "MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT"


async def alter_token(statement: AlterToken, work: Work) -> Rows:
    try:
        entry = _user(statement.user, work)
    except ObjectNotFound:
        if statement.user_if_exists:
            return status(EXECUTED)
        raise
    _need_all_roles(entry.message, work)
    changed = work.changed(entry.message)
    _forget_old(changed.user, work.clock.now())
    rows = _ACTIONS[statement.action](statement, changed, work)
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return rows


def _user(name: str | None, work: Work) -> Entry[state.Object]:
    """One's own tokens, or those of a user whom one's role owns."""
    entry = work.catalog.entry("user", work.context.user_uid)
    if name is not None and (entry is None or entry.message.name != name):
        entry = work.caller.find("user", ObjectName(name))
        work.caller.need_ownership(entry.message)
    if entry is None:
        raise NotAuthorized(f"user '{work.context.user_name}'")
    return entry


def _need_all_roles(user: state.Object, work: Work) -> None:
    """A token that counts for one role must not make itself one for more."""
    if work.context.role_restriction and user.uid == work.context.user_uid:
        work.caller.need_ownership(user)


def _forget_old(user: state.User, now: datetime) -> None:
    kept = [one for one in user.access_tokens if one.expires_on.ToDatetime(UTC) + _LISTED > now]
    del user.access_tokens[:]
    user.access_tokens.extend(kept)


def _add(statement: AlterToken, found: state.Object, work: Work) -> Rows:
    if _named(found.user, statement.token) is not None:
        if statement.lenient:
            return status(EXECUTED)
        raise ObjectExists(statement.token)
    if len(found.user.access_tokens) >= _MOST:
        raise Exhausted(f"A user has at most {_MOST} programmatic access tokens.")
    options = statement.options
    days = options.integer("DAYS_TO_EXPIRY", _DAYS)
    if not 1 <= days <= _LONGEST_DAYS:
        raise invalid_value(days, "DAYS_TO_EXPIRY")
    token = found.user.access_tokens.add(
        name=statement.token,
        role_restriction=_restriction(options, found, work),
        days=days,
        comment=options.text("COMMENT"),
        created_by=work.context.user_name,
        mins_to_bypass_network_policy=options.integer(_BYPASS),
    )
    secret = _renew(token, work)
    return Rows(_ADDED, [(token.name, secret)], secret=True)


def _renew(token: state.AccessToken, work: Work) -> str:
    """A new secret from now on."""
    secret = ids.token(secrets.SystemRandom())
    token.sha256 = token_key(secret)
    token.created_on.CopyFrom(work.now())
    token.expires_on.CopyFrom(_stamp(work.clock.now() + timedelta(days=token.days)))
    return secret


def _restriction(options: Options, found: state.Object, work: Work) -> int:
    name = options.object_name("ROLE_RESTRICTION")
    if name is None:
        if found.user.type == "SERVICE":
            raise OptionMissing("ROLE_RESTRICTION")
        return 0
    role = work.catalog.named("role", 0, name.name) or work.catalog.named(
        "role", 0, name.name.upper()
    )
    if role is None or role.message.uid not in work.caller.access.all_roles_of(found.uid):
        raise ObjectNotFound("Role", name.name)
    return role.message.uid


def _rotate(statement: AlterToken, found: state.Object, work: Work) -> Rows:
    token = _sought(statement, found.user)
    if token is None:
        return status(EXECUTED)
    hours = statement.options.integer("EXPIRE_ROTATED_TOKEN_AFTER_HOURS", _GRACE_HOURS)
    if hours < 0:
        raise invalid_value(hours, "EXPIRE_ROTATED_TOKEN_AFTER_HOURS")
    old = found.user.access_tokens.add()
    old.CopyFrom(token)
    number = work.rng.randrange(10**6)
    while _named(found.user, f"{token.name}_ROTATED_{number}") is not None:
        number += 1
    old.name, old.rotated_to = f"{token.name}_ROTATED_{number}", token.name
    end = work.clock.now() + timedelta(hours=hours)
    old.expires_on.CopyFrom(_stamp(min(end, token.expires_on.ToDatetime(UTC))))
    secret = _renew(token, work)
    return Rows(_ROTATED, [(token.name, secret, old.name)], secret=True)


def _remove(statement: AlterToken, found: state.Object, work: Work) -> Rows:
    token = _sought(statement, found.user)
    if token is not None:
        found.user.access_tokens.remove(token)
    return status(EXECUTED)


def _set(statement: AlterToken, found: state.Object, work: Work) -> Rows:
    token, options = _sought(statement, found.user), statement.options
    if token is not None:
        if "DISABLED" in options:
            token.disabled = options.boolean("DISABLED")
        if "COMMENT" in options:
            token.comment = options.text("COMMENT")
        if _BYPASS in options:
            token.mins_to_bypass_network_policy = options.integer(_BYPASS)
    return status(EXECUTED)


def _unset(statement: AlterToken, found: state.Object, work: Work) -> Rows:
    token = _sought(statement, found.user)
    if token is not None:
        if "DISABLED" in statement.unset:
            token.disabled = False
        if "COMMENT" in statement.unset:
            token.comment = ""
        if _BYPASS in statement.unset:
            token.mins_to_bypass_network_policy = 0
    return status(EXECUTED)


def _rename(statement: AlterToken, found: state.Object, work: Work) -> Rows:
    token = _sought(statement, found.user)
    if token is not None:
        if _named(found.user, statement.new_name) is not None:
            raise ObjectExists(statement.new_name)
        token.name = statement.new_name
    return status(EXECUTED)


_ACTIONS: dict[TokenAction, Callable[[AlterToken, state.Object, Work], Rows]] = {
    TokenAction.ADD: _add,
    TokenAction.ROTATE: _rotate,
    TokenAction.REMOVE: _remove,
    TokenAction.SET: _set,
    TokenAction.UNSET: _unset,
    TokenAction.RENAME: _rename,
}


def _sought(statement: AlterToken, user: state.User) -> state.AccessToken | None:
    token = _named(user, statement.token)
    if token is None and not statement.lenient:
        raise ObjectNotFound("Programmatic access token", statement.token)
    return token


def _named(user: state.User, name: str) -> state.AccessToken | None:
    return next((one for one in user.access_tokens if one.name == name), None)


def _stamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


async def show_tokens(statement: ShowTokens, work: Work) -> Rows:
    found, now = _user(statement.user, work).message, work.clock.now()
    tokens = [
        one for one in found.user.access_tokens if one.expires_on.ToDatetime(UTC) + _LISTED > now
    ]
    return Rows(
        _SHOWN,
        [
            (
                one.name,
                found.name,
                work.catalog.name("role", one.role_restriction) or None,
                moment(one.expires_on),
                _status(one, now),
                one.comment or None,
                moment(one.created_on),
                one.created_by,
                one.mins_to_bypass_network_policy or None,
                one.rotated_to or None,
            )
            for one in sorted(tokens, key=lambda one: one.name)
        ],
    )


def _status(token: state.AccessToken, now: datetime) -> str:
    if token.disabled:
        return "DISABLED"
    return "ACTIVE" if token.expires_on.ToDatetime(UTC) > now else "EXPIRED"
