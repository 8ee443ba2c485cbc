"""Access tokens for one endpoint, from a key pair's JWT or a programmatic access token.

Scope: `session:role:<role> <ingress host>`; without the role the user's default one. Source: facts on
programmatic access (S0, C).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog

from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.proof import Proof
from snowcave.model.errors import Kind, SnowcaveError, ValueInvalid
from snowcave.runtime.identity import Principal

log = structlog.get_logger()

BY_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BY_TOKEN = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "programmatic_access_token"
# Snowflake's own samples write both.
_ROLE_PREFIXES = ("session:role:", "session:scope:")
_LONGEST_HOST = 253


class ExchangeRefused(ValueInvalid):
    """`reason` is one of RFC 6749's words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Scope:
    """`role` empty: the user's default one."""

    host: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Exchanged:
    token: str = field(repr=False)
    scope: Scope
    # Seconds.
    life: float


def read_scope(text: str) -> Scope:
    """Raises ExchangeRefused."""
    role, hosts = "", list[str]()
    for word in text.split():
        prefix = next((one for one in _ROLE_PREFIXES if word.lower().startswith(one)), "")
        if prefix:
            role = word[len(prefix) :]
        else:
            hosts.append(word)
    if len(hosts) != 1:
        raise ExchangeRefused(
            "invalid_scope", "The scope names one endpoint: 'session:role:<role> <ingress host>'."
        )
    return Scope(_host_of(hosts[0]), role)


def _host_of(text: str) -> str:
    """As `ingress_url` has it, with or without a scheme, a port or a path."""
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        host = ""
    if not host or len(host) > _LONGEST_HOST:
        raise ExchangeRefused("invalid_scope", "The scope's endpoint is no host name.")
    return host.rstrip(".").lower()


class TokenExchange:
    def __init__(self, proof: Proof, tokens: EndpointTokens, life: float) -> None:
        """`life` of an access token, in seconds."""
        self._proof = proof
        self._tokens = tokens
        self._life = life

    async def exchange(self, form: Mapping[str, str], peer: str) -> Exchanged:
        """Raises ExchangeRefused."""
        by = form.get("grant_type", "")
        scope = read_scope(form.get("scope", ""))
        try:
            who = await self._who(by, form)
        except SnowcaveError as error:
            if error.kind is not Kind.UNAUTHENTICATED:
                raise
            log.info("token_exchange_refused", grant_type=by[-16:], peer=peer)
            raise ExchangeRefused("invalid_grant", error.message) from error
        role = self._role(who, scope)
        token = await self._tokens.for_program(who, scope.host, role)
        log.info("token_exchanged", user=who.user_name, host=scope.host, role=role, peer=peer)
        return Exchanged(token, scope, self._life)

    async def _who(self, by: str, form: Mapping[str, str]) -> Principal:
        if by == BY_JWT:
            assertion = form.get("assertion", "")
            who = self._proof.by_jwt(assertion)
            await self._proof.spend(assertion, who)
            return who
        if by == BY_TOKEN and form.get("subject_token_type", "").lower() == _ACCESS_TOKEN:
            return self._proof.by_access_token(form.get("subject_token", ""))
        raise ExchangeRefused(
            "unsupported_grant_type",
            "Known are jwt-bearer, and token-exchange of a programmatic_access_token.",
        )

    def _role(self, who: Principal, scope: Scope) -> int:
        """uid. A token that counts for one role gives a token for that role only."""
        identity = self._tokens.identity
        found = identity.role_named(scope.role) if scope.role else None
        if not scope.role:
            return who.role_restriction or self._tokens.default_role(who.user)
        allowed = who.role_restriction in (0, found.uid) if found else False
        if found is None or not allowed or found.uid not in who.roles:
            raise ExchangeRefused(
                "invalid_scope", f"Role '{scope.role}' does not exist or not authorized."
            )
        return found.uid
