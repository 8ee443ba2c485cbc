"""Who is it, and what may they do: for every daemon that meets users (api, registry, ingress).

Answers from mirrors, so it goes on while the store is away; what it cannot verify it refuses.
"""

import hashlib
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit.clock import Clock, LoopClock
from snowcave.model import keys
from snowcave.model.errors import (
    AccessTokenInvalid,
    JwtInvalid,
    LoginFailed,
    SessionExpired,
    SessionGone,
)
from snowcave.model.grants import ACCOUNT, AccessView
from snowcave.model.names import ObjectName, fold
from snowcave.runtime import key_pairs
from snowcave.runtime.daemon import Parts
from snowcave.runtime.passwords import Passwords
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state

# Tokens of a session, and those that are good at one endpoint.
_OF_SESSIONS = (state.SessionToken.SESSION, state.SessionToken.ISSUED)
_OF_ONE_HOST = (state.SessionToken.OAUTH, state.SessionToken.BROWSER)


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller who has shown who they are. `roles` are closed over the hierarchy."""

    user: int
    user_name: str
    # The role in use, or None where the user has none.
    role: int | None
    role_name: str
    roles: frozenset[int]
    session: int = 0
    # The only role that counts, where an access token says so; 0: any.
    role_restriction: int = 0
    email: str = ""


def token_key(token: str) -> str:
    """Where the store keeps a token's entry: tokens themselves are never stored."""
    return hashlib.sha256(token.encode()).hexdigest()


class Identity:
    """Verifies credentials against the catalog. Made by `open_identity`."""

    def __init__(
        self,
        catalog: Mirror[state.Object],
        grants: Mirror[state.Grant],
        tokens: Mirror[state.SessionToken],
        sessions: Mirror[state.Session],
        store: Store,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._grants = grants
        self._tokens = tokens
        self._sessions = sessions
        self._store = store
        self._clock = clock
        # Another one: what was said of somebody may hold no more.
        self.generation = 0
        for mirror in (catalog, grants, tokens, sessions):
            mirror.subscribe(self._changed)
        self._passwords = Passwords()
        self._view: tuple[int, int, AccessView] | None = None
        # Access tokens by their hash, and roles by their name, as of a revision of the catalog.
        self._access_tokens: tuple[int, dict[str, tuple[int, state.AccessToken]]] = (-1, {})
        self._roles: tuple[int, dict[str, state.Object]] = (-1, {})

    def _changed(self, _parts: tuple[str, ...], _message: object) -> None:
        self.generation += 1

    @property
    def access(self) -> AccessView:
        """The grants as they are now."""
        revisions = (self._grants.revision, self._catalog.revision)
        if self._view is None or self._view[:2] != revisions:
            grants = list(self._grants.values())
            self._view = (*revisions, AccessView(grants, self._owner_of))
        return self._view[2]

    def _owner_of(self, domain: str, uid: int) -> int | None:
        found = self._catalog.get(domain, str(uid))
        return found.owner_role if found else None

    async def by_password(self, user: str, password: str) -> Principal:
        """Raises LoginFailed, after the same work whether the user exists or not.

        A programmatic access token does for a password.
        """
        if token_key(password) in self._tokens_by_hash():
            return self.by_access_token(password, user)
        found = self.user_named(user)
        stored = found.user.password_hash if found else ""
        right = await self._passwords.match(user, stored, password)
        if not right or found is None or not self.may_log_in(found):
            raise LoginFailed
        if found.user.type == "SERVICE":
            # Such users have keys and tokens; a password that is left over opens nothing.
            raise LoginFailed
        return self._principal(found, found.user.default_role)

    def by_access_token(self, token: str, user: str = "") -> Principal:
        """A programmatic access token, of the user of that name where one is given.

        Raises AccessTokenInvalid.
        """
        uid, entry = self._tokens_by_hash().get(token_key(token), (0, state.AccessToken()))
        found = self._catalog.get("user", str(uid))
        if found is None or not self.may_log_in(found) or entry.disabled:
            raise AccessTokenInvalid
        if self._passed(entry.expires_on):
            raise AccessTokenInvalid
        if user and self.user_named(user) != found:
            raise AccessTokenInvalid
        principal = self._principal(found, found.user.default_role, 0, entry.role_restriction)
        if entry.role_restriction and principal.role is None:
            raise AccessTokenInvalid
        return principal

    def by_jwt(self, token: str) -> Principal:
        """A token that a user signed with one of their keys. Raises JwtInvalid."""
        found = self.user_named(key_pairs.subject(token))
        if found is None or not self.may_log_in(found):
            raise JwtInvalid
        key_pairs.verify(token, found.user, self._clock.now())
        return self._principal(found, found.user.default_role)

    def may_log_in(self, found: state.Object) -> bool:
        """Neither dropped, disabled nor expired."""
        expired = found.user.HasField("expires_on") and self._passed(found.user.expires_on)
        return _alive(found) and not found.user.disabled and not expired

    def _passed(self, moment: Timestamp) -> bool:
        now = self._clock.now()
        return moment.ToDatetime(now.tzinfo) <= now

    def _tokens_by_hash(self) -> dict[str, tuple[int, state.AccessToken]]:
        if self._access_tokens[0] != self._catalog.revision:
            found = {
                token.sha256: (one.uid, token)
                for _, one in self._catalog.items("user")
                for token in one.user.access_tokens
            }
            self._access_tokens = (self._catalog.revision, found)
        return self._access_tokens[1]

    async def by_token(self, token: str, host: str = "") -> Principal:
        """A session token, one made for the registry, or a programmatic access token.

        At the endpoint of `host` also a token that was made for it, which counts nowhere else. Raises
        SessionGone for a token that is not known, SessionExpired for one that was.
        """
        digest = token_key(token)
        if digest in self._tokens_by_hash():
            return self.by_access_token(token)
        entry = self._tokens.get(digest)
        if entry is None:
            # Just made by an api replica whose write has not reached our mirror.
            kept = await self._store.get(keys.SESSION_TOKENS.key(digest))
            if kept is None:
                raise SessionGone
            entry = state.SessionToken.FromString(kept.value)
        of_host = entry.kind in _OF_ONE_HOST and bool(host) and entry.host == host
        if entry.kind not in _OF_SESSIONS and not of_host:
            raise SessionGone
        if self._passed(entry.expires_on):
            raise SessionExpired
        if of_host:
            return self.of_user(entry.user, entry.role)
        user = self._who_may_log_in(entry.user)
        session = await self._session(entry.session)
        if session.called_service:
            # A service that acts for its caller may ask for SQL, within its owner's caller grants.
            raise SessionGone
        return self._principal(user, session.role, entry.session, session.role_restriction)

    def of_user(self, uid: int, restriction: int = 0) -> Principal:
        """Whom a token of ours was made for, in the one role that it counts for, if it does for one only.

        Raises SessionGone where they may not log in any more, or have lost that role.
        """
        user = self._who_may_log_in(uid)
        principal = self._principal(user, user.user.default_role, 0, restriction)
        if restriction and principal.role is None:
            raise SessionGone
        return principal

    def _who_may_log_in(self, uid: int) -> state.Object:
        user = self._catalog.get("user", str(uid))
        if user is None or not self.may_log_in(user):
            raise SessionGone
        return user

    async def _session(self, session: int) -> state.Session:
        """What the session may is not known without it: the one that its token left of the roles, say.

        Raises SessionGone.
        """
        known = self._sessions.get(str(session))
        if known is not None:
            return known
        # Just opened by an api replica, or closed, and its tokens with it.
        kept = await self._store.get(keys.SESSIONS.key(session))
        if kept is None:
            raise SessionGone
        return state.Session.FromString(kept.value)

    def full_name(self, domain: str, uid: int) -> str:
        """An object of a schema by its whole name; empty where it is gone."""
        found = self._catalog.get(domain, str(uid))
        schema = self._catalog.get("schema", str(found.parent)) if found else None
        database = self._catalog.get("database", str(schema.parent)) if schema else None
        if found is None or schema is None or database is None:
            return ""
        return str(ObjectName(found.name, schema.name, database.name))

    def role_named(self, name: str) -> state.Object | None:
        """The role stored under exactly this name."""
        if self._roles[0] != self._catalog.revision:
            found = {one.name: one for _, one in self._catalog.items("role") if _alive(one)}
            self._roles = (self._catalog.revision, found)
        return self._roles[1].get(name)

    def may_in_account(self, role: int, privilege: str) -> bool:
        """Whether a role, with all that it inherits, has a privilege on the account."""
        roles = self.access.closure(role) | self._everybodys()
        admin = self.role_named("ACCOUNTADMIN")
        if admin is not None and admin.uid in roles:
            return True
        return self.access.holds(roles, privilege, ACCOUNT, 0)

    def user_named(self, name: str) -> state.Object | None:
        """The user who logs in with this name, as typed."""
        for _, one in self._catalog.items("user"):
            if _alive(one) and (one.user.login_name or one.name).upper() == fold(name).upper():
                return one
        return None

    def _principal(
        self, user: state.Object, role_name: str, session: int = 0, restriction: int = 0
    ) -> Principal:
        roles = self.access.all_roles_of(user.uid) | self._everybodys()
        role = self.role_named(role_name) if role_name else None
        if restriction:
            role = self._catalog.get("role", str(restriction)) if restriction in roles else None
            roles = (
                self.access.closure(restriction) | self._everybodys() if role else frozenset[int]()
            )
        return Principal(
            user=user.uid,
            user_name=user.name,
            role=role.uid if role else None,
            role_name=role.name if role else "",
            roles=roles,
            session=session,
            role_restriction=restriction,
            email=user.user.email,
        )

    def _everybodys(self) -> frozenset[int]:
        """What PUBLIC has, every user and every role has."""
        public = self.role_named("PUBLIC")
        return self.access.closure(public.uid) if public else frozenset[int]()


def _alive(found: state.Object) -> bool:
    return not found.HasField("dropped_on")


async def open_identity(store: Store, parts: Parts, clock: Clock | None = None) -> Identity:
    """Ready once users, roles, grants and tokens have been read."""
    return Identity(
        catalog=await parts.enter("catalog", follow(store, keys.CATALOG)),
        grants=await parts.enter("grants", follow(store, keys.GRANTS)),
        tokens=await parts.enter("tokens", follow(store, keys.SESSION_TOKENS)),
        sessions=await parts.enter("sessions", follow(store, keys.SESSIONS)),
        store=store,
        clock=clock or LoopClock(),
    )
