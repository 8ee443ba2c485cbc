"""Tokens that stand for a user at one endpoint, or in one service: opaque, known by their hash, revocable.

Those of the login page and of /oauth/token count at one host. A caller token lets the containers of one
service, and nobody else, act for who called them.
"""

import random
from dataclasses import dataclass
from datetime import UTC, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.settings import SessionSettings
from snowcave.kit import ids
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import NotAuthorized, TokenExpired, TokenInvalid
from snowcave.runtime.identity import Identity, Principal, token_key
from snowcave.store.api import Delete, Put, Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

Kind = state.SessionToken.Kind
_PUBLIC = "PUBLIC"


@dataclass(frozen=True)
class EndpointTokens:
    store: Store
    objects: Mirror[state.Object]
    identity: Identity
    clock: Clock
    rng: random.Random
    settings: SessionSettings

    async def for_browser(self, who: Principal, host: str) -> str:
        """In all roles of its user, as the login page has it."""
        made = state.SessionToken(kind=Kind.BROWSER, user=who.user, host=host)
        made.role = who.role_restriction
        return await self._keep(made, self.settings.browser_token)

    async def for_program(self, who: Principal, host: str, role: int) -> str:
        """In one role."""
        made = state.SessionToken(kind=Kind.OAUTH, user=who.user, host=host, role=role)
        return await self._keep(made, self.settings.endpoint_token)

    async def for_service(self, who: Principal, service: int) -> str:
        """In the caller's default role, or the only one that their own credential leaves them.

        Raises NotAuthorized where the service does not execute as its caller.
        """
        found = self.objects.get("service", service)
        if found is None or not executes_as_caller(found):
            raise NotAuthorized("service")
        role = who.role_restriction or self.default_role(who.user)
        made = state.SessionToken(kind=Kind.CALLER, user=who.user, service=service, role=role)
        token = await self._keep(made, self.settings.caller_token)
        log.info("caller_token_issued", user=who.user_name, service=found.name)
        return token

    def default_role(self, user: int) -> int:
        """uid of the user's default role where they have it, else of PUBLIC.

        Raises NotAuthorized where there is neither: a token without a role would count with all of them.
        """
        found = self.objects.get("user", user) or state.Object()
        role = self.identity.role_named(found.user.default_role)
        if role is not None and role.uid in self.identity.access.all_roles_of(user):
            return role.uid
        public = self.identity.role_named(_PUBLIC)
        if public is None:
            raise NotAuthorized("role")
        return public.uid

    async def caller(self, token: str, service: int) -> state.SessionToken:
        """Of the token that the service was given with a request. Raises TokenInvalid, TokenExpired."""
        entry = await self._entry(token)
        if entry.kind != Kind.CALLER or entry.service != service:
            raise TokenInvalid
        if entry.expires_on.ToDatetime(UTC) <= self.clock.now():
            raise TokenExpired
        return entry

    async def revoke(self, token: str) -> None:
        """A login page's; others are left alone."""
        if (await self._entry(token)).kind == Kind.BROWSER:
            await self.store.txn([], [Delete(keys.SESSION_TOKENS.key(token_key(token)))])

    async def _entry(self, token: str) -> state.SessionToken:
        kept = await self.store.get(keys.SESSION_TOKENS.key(token_key(token)))
        return state.SessionToken.FromString(kept.value) if kept else state.SessionToken()

    async def _keep(self, entry: state.SessionToken, life: float) -> str:
        token, expires = ids.token(self.rng), Timestamp()
        expires.FromDatetime(self.clock.now() + timedelta(seconds=life))
        entry.expires_on.CopyFrom(expires)
        key = keys.SESSION_TOKENS.key(token_key(token))
        await self.store.txn([], [Put(key, entry.SerializeToString())])
        return token


def executes_as_caller(service: state.Object) -> bool:
    return service.service.spec.execute_as_caller and not service.HasField("dropped_on")
