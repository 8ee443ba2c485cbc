"""Login: who is it, may they, and in which context does their session begin."""

import asyncio
from dataclasses import dataclass, field

import structlog

from snowcave.api.sessions.book import Opening, SessionBook, Tokens
from snowcave.api.sessions.directory import Directory, bounded
from snowcave.api.sessions.lockout import Lockout
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.settings import LoginSettings
from snowcave.kit.clock import Clock
from snowcave.model.errors import (
    DeadlinePassed,
    Exhausted,
    LoginFailed,
    LoginMethodUnsupported,
    RoleNotGranted,
    UserLocked,
)
from snowcave.model.names import fold
from snowcave.runtime.identity import Principal
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_PUBLIC = "PUBLIC"
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
    parameters: dict[str, object] = field(default_factory=dict[str, object])


class Login:
    def __init__(
        self,
        directory: Directory,
        service_tokens: ServiceTokens,
        book: SessionBook,
        clock: Clock,
        settings: LoginSettings,
    ) -> None:
        self._directory = directory
        self._service_tokens = service_tokens
        self._book = book
        self._clock = clock
        self._settings = settings
        self._lockout = Lockout(settings)
        self._waiting = 0

    async def open(self, wish: Wish) -> tuple[Tokens, state.Session]:
        """Raises LoginFailed and its kin."""
        method = wish.method.upper()
        if method == "OAUTH":
            # Only containers have such tokens. The login name says nothing that the token does not.
            principal = await self._service_tokens.verify(wish.token)
            defaults = self._service_tokens.defaults(principal.user)
        else:
            principal = await self._principal(method, wish)
            found = self._directory.catalog.get("user", str(principal.user))
            defaults = found.user if found else state.User()
        opened = await self._book.open(self._opening(wish, principal, defaults))
        log.info("session_opened", user=principal.user_name, session=opened[0].session_id)
        return opened

    async def _principal(self, method: str, wish: Wish) -> Principal:
        match method:
            case "" | "SNOWFLAKE" | "DEFAULT":
                return await self._verified(wish.user, wish.password)
            case "SNOWFLAKE_JWT":
                return self._directory.identity.by_jwt(wish.token)
            case "PROGRAMMATIC_ACCESS_TOKEN":
                token = wish.token or wish.password
                return self._directory.identity.by_access_token(token, wish.user)
            case _:
                raise LoginMethodUnsupported(*_METHODS.get(method, _OTHER_METHOD))

    async def _verified(self, user: str, password: str) -> Principal:
        if wait := self._lockout.locked(user, self._clock.monotonic()):
            raise UserLocked(wait)
        if self._waiting >= self._settings.waiting:
            raise Exhausted("Too many logins at once. Try again later.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.deadline):
                principal = await self._directory.identity.by_password(user, password)
        except LoginFailed:
            self._lockout.failed(user, self._clock.monotonic())
            log.info("login_failed", user=user[:64])
            raise
        except TimeoutError:
            raise DeadlinePassed("The login took too long.") from None
        finally:
            self._waiting -= 1
        self._lockout.succeeded(user)
        return principal

    def _opening(self, wish: Wish, principal: Principal, defaults: state.User) -> Opening:
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
