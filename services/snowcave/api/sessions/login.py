"""Login: who is it, may they, and in which context does their session begin."""

from dataclasses import dataclass, field

import structlog

from snowcave.api.sessions.book import Opening, SessionBook, Tokens
from snowcave.api.sessions.directory import Directory, bounded
from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.proof import Proof
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.model.errors import (
    LoginMethodUnsupported,
    RoleNotGranted,
    TokenInvalid,
)
from snowcave.model.names import fold
from snowcave.runtime.identity import Principal
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_PUBLIC = "PUBLIC"
_JWT = "SNOWFLAKE_JWT"
# What the clients know as the failure of each method.
_METHODS = {
    "EXTERNALBROWSER": ("a browser", 390190),
    "ID_TOKEN": ("an ID token", 390195),
    "USERNAME_PASSWORD_MFA": ("multi-factor authentication", 390127),
    "WORKLOAD_IDENTITY": ("a workload identity", 390303),
}
_OTHER_METHOD = ("this authenticator", 390190)
_PARAMETERS = 200
_PARAMETER_LENGTH = 4096


@dataclass(frozen=True)
class Wish:
    """What a client asks for. Names as typed."""

    user: str
    password: str = field(default="", repr=False)
    # Empty: by password.
    method: str = ""
    token: str = field(default="", repr=False)
    database: str = ""
    schema: str = ""
    warehouse: str = ""
    role: str = ""
    secondary_roles: str = ""
    client_app: str = ""
    client_version: str = ""
    # The client's address, for the audit.
    peer: str = ""
    parameters: dict[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Known:
    """Who a client has shown to be, where their sessions begin, and the service that acts for them, or 0."""

    principal: Principal
    defaults: state.User
    called: int = 0


class Login:
    def __init__(
        self,
        directory: Directory,
        proof: Proof,
        service_tokens: ServiceTokens,
        endpoint_tokens: EndpointTokens,
        book: SessionBook,
    ) -> None:
        self._directory = directory
        self._proof = proof
        self._service_tokens = service_tokens
        self._endpoint_tokens = endpoint_tokens
        self._book = book

    async def open(self, wish: Wish) -> tuple[Tokens, state.Session]:
        """Raises LoginFailed and its kin."""
        known = await self.who(wish)
        if wish.method.upper() == _JWT:
            await self._proof.spend(wish.token, known.principal)
        return await self.begin(wish, known)

    async def who(self, wish: Wish) -> Known:
        """Raises LoginFailed and its kin."""
        method = wish.method.upper()
        if method == "OAUTH":
            # Only containers have such tokens. The login name says nothing that the token does not.
            return Known(*await self._contained(wish.token))
        principal = await self._principal(method, wish)
        return Known(principal, self._defaults(principal))

    async def begin(self, wish: Wish, known: Known) -> tuple[Tokens, state.Session]:
        """A session of somebody who has shown who they are. Raises RoleNotGranted."""
        called = known.called
        opening = self._opening(wish, known.principal, known.defaults, called)
        opened = await self._book.open(opening)
        log.info(
            "session_opened",
            user=known.principal.user_name,
            session=opened[0].session_id,
            method=wish.method.upper() or "PASSWORD",
            peer=wish.peer,
            **({"called_service": called} if called else {}),
        )
        return opened

    async def _contained(self, token: str) -> tuple[Principal, state.User, int]:
        """A container shows its service's token: it is the service. With a caller's token behind a dot it
        acts for them, as long as the service executes as its caller, which the last element then names.
        """
        own, _, callers = token.partition(".")
        service = await self._service_tokens.verify(own)
        if not callers:
            return service, self._service_tokens.defaults(service.user), 0
        entry = await self._endpoint_tokens.caller(callers, service.user)
        principal = self._directory.identity.of_user(entry.user, entry.role)
        if not self._service_tokens.executes_as_caller(service.user):
            raise TokenInvalid
        return principal, self._defaults(principal), service.user

    def _defaults(self, principal: Principal) -> state.User:
        found = self._directory.catalog.get("user", str(principal.user))
        return found.user if found else state.User()

    async def _principal(self, method: str, wish: Wish) -> Principal:
        match method:
            case "" | "SNOWFLAKE" | "DEFAULT":
                return await self._proof.by_password(wish.user, wish.password, wish.peer)
            case _ if method == _JWT:
                return self._proof.by_jwt(wish.token)
            case "PROGRAMMATIC_ACCESS_TOKEN":
                return self._proof.by_access_token(wish.token or wish.password, wish.user)
            case _:
                raise LoginMethodUnsupported(*_METHODS.get(method, _OTHER_METHOD))

    def _opening(
        self, wish: Wish, principal: Principal, defaults: state.User, called: int
    ) -> Opening:
        user = principal.user
        database, _, schema = defaults.default_namespace.partition(".")
        if wish.database:
            database, schema = wish.database, ""
        asked = self._directory.visible(user, "database", database)
        warehouse = wish.warehouse or defaults.default_warehouse
        return Opening(
            user=user,
            user_name=principal.user_name,
            role=self._role(wish.role, principal, defaults.default_role),
            warehouse=self._directory.visible(user, "warehouse", warehouse),
            database=asked,
            schema=self._directory.schema(user, asked, wish.schema or schema),
            secondary_roles=self._secondary(wish, principal, defaults),
            role_restriction=principal.role_restriction,
            called_service=called,
            client_app=wish.client_app[:128],
            client_version=wish.client_version[:64],
            parameters=bounded(wish.parameters, count=_PARAMETERS, length=_PARAMETER_LENGTH),
        )

    def _secondary(self, wish: Wish, principal: Principal, defaults: state.User) -> str:
        """With a token that counts for one role alone there are none."""
        if principal.role_restriction:
            return "NONE"
        return wish.secondary_roles.upper() or defaults.default_secondary_roles

    def _role(self, asked: str, principal: Principal, default: str) -> str:
        if not asked:
            return principal.role_name or (default if self._directory.role(default) else _PUBLIC)
        name = fold(asked)
        uid = self._directory.role(name)
        if principal.role_restriction and uid != principal.role_restriction:
            raise RoleNotGranted(asked)
        if name != _PUBLIC and uid not in principal.roles:
            raise RoleNotGranted(asked)
        return name
