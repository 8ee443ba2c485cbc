"""Who somebody is, by what they show at a login: a password, a signed JWT, a programmatic access token.

Wrong passwords lock their user for a while; a JWT that has a name counts once, on whichever replica.
"""

import asyncio
from datetime import datetime

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.settings import LoginSettings
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import (
    AccessTokenInvalid,
    DeadlinePassed,
    Exhausted,
    JwtInvalid,
    LoginFailed,
    UserLocked,
)
from snowcave.runtime import key_pairs
from snowcave.runtime.identity import Identity, Principal, token_key
from snowcave.runtime.lockout import Lockout
from snowcave.store.api import Compare, Put, Store
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_NAME = 64


class Proof:
    """Every refusal is logged, with who claimed to be whom, and never with what they showed."""

    def __init__(
        self, identity: Identity, store: Store, clock: Clock, settings: LoginSettings
    ) -> None:
        self._identity = identity
        self._store = store
        self._clock = clock
        self._settings = settings
        self._lockout = Lockout(settings)
        self._waiting = 0

    async def by_password(self, user: str, password: str, peer: str = "") -> Principal:
        """Raises LoginFailed and its kin, UserLocked, Exhausted, DeadlinePassed."""
        self._refuse_locked(user, peer)
        if self._waiting >= self._settings.waiting:
            raise Exhausted("Too many logins at once. Try again later.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.deadline):
                principal = await self._identity.by_password(user, password)
        except LoginFailed:
            self._refuse_locked(user, peer)
            self._failed(user, peer)
            raise
        except TimeoutError:
            raise DeadlinePassed("The login took too long.") from None
        finally:
            self._waiting -= 1
        # Who tries many at once learns no more than who tries one after the other.
        self._refuse_locked(user, peer)
        self._lockout.succeeded(user)
        return principal

    def _refuse_locked(self, user: str, peer: str) -> None:
        """Raises UserLocked."""
        if wait := self._lockout.locked(user, self._clock.monotonic()):
            log.info("login_refused_while_locked", user=user[:_NAME], peer=peer)
            raise UserLocked(wait)

    def _failed(self, user: str, peer: str) -> None:
        now = self._clock.monotonic()
        self._lockout.failed(user, now)
        log.info("login_failed", user=user[:_NAME], method="password", peer=peer)
        if locked := self._lockout.locked(user, now):
            log.warning("user_locked", user=user[:_NAME], seconds=locked, peer=peer)

    def by_jwt(self, token: str) -> Principal:
        """For one request; see `spend` for what lasts. Raises JwtInvalid."""
        try:
            return self._identity.by_jwt(token)
        except JwtInvalid:
            log.info("login_failed", method="jwt")
            raise

    async def spend(self, token: str, who: Principal) -> None:
        """Where a verified JWT becomes a session or another token: raises JwtInvalid the second time."""
        if (named := key_pairs.once(token)) is None:
            return
        try:
            await self._spend(who, *named)
        except JwtInvalid:
            log.warning("jwt_shown_again", user=who.user_name)
            raise

    async def _spend(self, who: Principal, name: str, until: datetime) -> None:
        """Whoever is second finds the key there."""
        expires = Timestamp()
        expires.FromDatetime(until)
        entry = state.SessionToken(
            kind=state.SessionToken.SPENT, user=who.user, expires_on=expires
        )
        key = keys.SESSION_TOKENS.key(token_key(f"jti:{who.user}:{name}"))
        first = [Compare(key, mod_revision=0)]
        result = await self._store.txn(first, [Put(key, entry.SerializeToString())])
        if not result.succeeded:
            raise JwtInvalid

    def by_access_token(self, token: str, user: str = "") -> Principal:
        """Raises AccessTokenInvalid."""
        try:
            return self._identity.by_access_token(token, user)
        except AccessTokenInvalid:
            log.info("login_failed", user=user[:_NAME], method="access token")
            raise
