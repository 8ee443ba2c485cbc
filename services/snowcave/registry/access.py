"""Who asks, and whether they may: credentials of a request, and privileges on a repository."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import orjson
import structlog

from snowcave.kit.clock import Clock
from snowcave.model.errors import Kind, SessionGone, SnowcaveError, UserLocked
from snowcave.registry.errors import Denied, NameUnknown, Unauthorized, from_snowcave
from snowcave.registry.repositories import Repositories, Repository
from snowcave.registry.settings import RegistrySettings
from snowcave.registry.tokens import NodeToken, Sealer
from snowcave.runtime.lockout import Lockout

log = structlog.get_logger()

SESSION_USER = "0sessiontoken"
NODE_USER = "0node"
_DOMAIN = "image_repository"
_LONGEST_CREDENTIAL = 16 << 10
# Of a name that somebody claims, in a log.
_SHOWN = 64


class Action(StrEnum):
    PULL = "pull"
    PUSH = "push"


# WRITE includes pulling.
_PRIVILEGES = {Action.PULL: ("READ", "WRITE"), Action.PUSH: ("WRITE",)}


class Access(Protocol):
    def holds(self, roles: Iterable[int], privilege: str, domain: str, uid: int) -> bool: ...


class Principal(Protocol):
    @property
    def user(self) -> int: ...
    @property
    def user_name(self) -> str: ...
    @property
    def roles(self) -> frozenset[int]: ...
    @property
    def session(self) -> int: ...
    @property
    def role_restriction(self) -> int: ...


class Identity(Protocol):
    """What the registry asks of `runtime.identity`."""

    @property
    def access(self) -> Access: ...

    async def by_password(self, user: str, password: str) -> Principal: ...

    async def by_token(self, token: str) -> Principal: ...

    def of_user(self, uid: int, restriction: int = 0) -> Principal: ...


@dataclass(frozen=True, slots=True)
class User:
    """A user of the account."""

    uid: int
    name: str
    roles: frozenset[int]
    session: int = 0
    # uid of the only role that counts; 0: any.
    role: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A node's engine, that may pull from one repository, until `ends` (seconds since 1970)."""

    repository: str
    ends: float


Caller = User | Node


@dataclass(frozen=True, slots=True)
class Credential:
    """What an Authorization header carries."""

    scheme: str
    user: str
    secret: str


def credential(header: str | None) -> Credential | None:
    """None where there is none. Raises Unauthorized on one that cannot be read."""
    if not header:
        return None
    scheme, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    if len(rest) > _LONGEST_CREDENTIAL:
        raise Unauthorized("the credential is too long")
    if scheme.lower() == "bearer" and rest:
        return Credential("bearer", "", rest)
    if scheme.lower() != "basic":
        raise Unauthorized("credentials are Basic or Bearer")
    try:
        user, colon, secret = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized("the Basic credential cannot be read") from error
    if not colon or not user:
        raise Unauthorized("the Basic credential has no user or no password")
    return Credential("basic", user, secret)


def session_token(secret: str) -> str:
    """The token in the JSON text that `snow` hands to docker; a bare token is taken too."""
    try:
        parsed = orjson.loads(secret)
    except orjson.JSONDecodeError:
        return secret.strip()
    token = parsed.get("token") if isinstance(parsed, dict) else None
    if not isinstance(token, str) or not token:
        raise Unauthorized('the password of 0sessiontoken is JSON with a "token"')
    return token


class Gate:
    """Turns headers into callers and lets them through, or not."""

    def __init__(
        self,
        identity: Identity,
        repositories: Repositories,
        sealer: Sealer,
        settings: RegistrySettings,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._repositories = repositories
        self._sealer = sealer
        self._tokens = settings.tokens
        self._lockout = Lockout(settings.passwords)
        self._clock = clock

    async def caller(self, header: str | None) -> Caller:
        """Raises Unauthorized, or UNAVAILABLE where nobody can tell now."""
        found = credential(header)
        if found is None:
            raise Unauthorized
        try:
            if found.scheme == "bearer":
                return await self._by_bearer(found.secret)
            return await self._by_basic(found.user, found.secret)
        except SnowcaveError as error:
            raise from_snowcave(error) from error

    async def login(self, header: str | None) -> tuple[str, float]:
        """A bearer for Basic credentials, and its life in seconds. No token lengthens its own life."""
        found = credential(header)
        if found is not None and found.scheme == "bearer":
            raise Unauthorized("a bearer is had for a user and a password")
        caller = await self.caller(header)
        seconds = self._tokens.bearer
        match caller:
            case Node(repository, ends):
                seconds = min(seconds, self._sealer.seconds_left(ends))
                return self._sealer.for_node(repository, seconds), seconds
            case User(uid, _, _, session, role):
                return self._sealer.for_user(uid, session, seconds, role), seconds

    def pull_token(self, path: str) -> tuple[str, str, float]:
        """User, password and life of a node's credential. Raises NameUnknown."""
        repository = self._repositories.at(path)
        seconds = self._tokens.pull
        return NODE_USER, self._sealer.for_node(repository.path, seconds), seconds

    def admit(self, caller: Caller, path: str, action: Action) -> Repository:
        """The repository at `path`. Raises NameUnknown or Denied."""
        repository = self._repositories.at(path)
        if not self.allows(caller, repository, action):
            raise Denied(f"{action} on image repository '{path}'")
        return repository

    def allows(self, caller: Caller, repository: Repository, action: Action) -> bool:
        match caller:
            case Node(path, _):
                return action is Action.PULL and path == repository.path
            case User(roles=roles):
                holds = self._identity.access.holds
                wanted = _PRIVILEGES[action]
                return any(holds(roles, one, _DOMAIN, repository.uid) for one in wanted)

    def may(self, caller: Caller, path: str, action: Action) -> Repository | None:
        """As `admit`, with None for every refusal."""
        try:
            return self.admit(caller, path, action)
        except (NameUnknown, Denied):
            return None

    async def _by_basic(self, user: str, secret: str) -> Caller:
        if user == SESSION_USER:
            return _user(await self._identity.by_token(session_token(secret)))
        if user == NODE_USER:
            return await self._by_bearer(secret)
        return _user(await self._by_password(user, secret))

    async def _by_password(self, user: str, secret: str) -> Principal:
        """Raises LoginFailed, UserLocked."""
        self._refuse_locked(user)
        try:
            principal = await self._identity.by_password(user, secret)
        except SnowcaveError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                self._refuse_locked(user)
                self._lockout.failed(user, self._clock.monotonic())
                log.info("login_failed", user=user[:_SHOWN], method="password")
            raise
        # Who tries many at once learns no more than who tries one after the other.
        self._refuse_locked(user)
        self._lockout.succeeded(user)
        return principal

    def _refuse_locked(self, user: str) -> None:
        """Raises UserLocked."""
        if wait := self._lockout.locked(user, self._clock.monotonic()):
            log.info("login_refused_while_locked", user=user[:_SHOWN])
            raise UserLocked(wait)

    async def _by_bearer(self, secret: str) -> Caller:
        token = self._sealer.open(secret)
        if isinstance(token, NodeToken):
            return Node(token.repository, token.ends)
        try:
            # Looked up again on every request: a role taken away is gone at once.
            principal = self._identity.of_user(token.user, token.role)
        except SessionGone:
            raise Unauthorized("the token's user may not log in any more") from None
        return User(
            principal.user, principal.user_name, principal.roles, token.session, token.role
        )


def _user(principal: Principal) -> User:
    return User(
        principal.user,
        principal.user_name,
        principal.roles,
        principal.session,
        principal.role_restriction,
    )
