"""Decides about a request: which service, who asks, may they, which instances.

What was decided is remembered for a moment, and no longer than nothing has changed, so that a request is
admitted by looking it up.
"""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, replace

import structlog

from snowcave.ingress import headers as rules
from snowcave.ingress.access import PUBLISHING, is_published, may_open
from snowcave.ingress.caller_tokens import CallerTokens
from snowcave.ingress.headers import Header
from snowcave.ingress.heads import Head
from snowcave.ingress.home import Home
from snowcave.ingress.login import OWN_PATHS, Login, login_address
from snowcave.ingress.pages import Answer, Refused, page
from snowcave.ingress.policy import is_preflight, is_same_origin
from snowcave.ingress.routes import Address, Route, Routes, host_name
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.visits import Attempts, Visit, Visitor, is_root
from snowcave.model.errors import Kind, SnowcaveError
from snowcave.runtime.identity import Identity, Principal

log = structlog.get_logger()

_BLOCKED = frozenset({b"TRACE", b"CONNECT"})
# They may be refused, or be a preflight.
_UNUSUAL = _BLOCKED | {b"OPTIONS"}
_OWN = b"/sfc-endpoint/"
# Seconds between two lines of the log on the same refusal.
_REFUSAL_TOLD = 60.0


@dataclass(frozen=True, slots=True)
class Passage:
    """The request may go to one of these instances, in this user's name."""

    user: str
    addresses: tuple[Address, ...]
    route: Route
    # Header lines that tell the instance who asks.
    added: bytes

    def without(self, address: Address) -> "Passage | None":
        """To another instance, after that one has refused the connection; None where none is left."""
        left = tuple(one for one in self.addresses if one != address)
        return replace(self, addresses=left) if left else None


@dataclass(frozen=True, slots=True)
class _Admission:
    """What was found out for a host and a token. Holds while nothing has changed, and for a moment only."""

    passage: Passage
    # Of what is known of callers, and of endpoints.
    callers: int
    routes: int
    until: float


class Gateway:
    def __init__(
        self,
        settings: IngressSettings,
        routes: Routes,
        identity: Identity,
        login: Login,
        caller_tokens: CallerTokens,
    ) -> None:
        self._verify = settings.deadlines.verify
        self._verified = settings.deadlines.verified
        self._limit = settings.limits.known
        self._routes = routes
        self._identity = identity
        self._login = login
        self._caller_tokens = caller_tokens
        self._home = Home(settings, routes, identity)
        self._domain = settings.mesh.ingress_domain
        self._tells_email = settings.email_header
        self._refusals = Attempts(1, _REFUSAL_TOLD, self._limit)
        self._admissions: dict[Hashable, _Admission] = {}

    def is_own(self, head: Head) -> bool:
        """Whether the gateway answers this itself: on every host its own paths, at the domain all."""
        own = head.target.startswith(_OWN) and head.path in OWN_PATHS
        return own or self._is_root(head)

    def _is_root(self, head: Head) -> bool:
        host = (head.block.host or b"").decode("latin-1")
        return is_root(host, self._domain) and self._routes.find(host) is None

    async def own_answer(self, head: Head, body: bytes, visitor: Visitor) -> Answer:
        """Raises Refused."""
        root = self._is_root(head)
        if not root or head.method in _BLOCKED:
            self._route(head)
        visit = Visit(host_name((head.block.host or b"").decode("latin-1")), visitor)
        if head.path in OWN_PATHS:
            return await self._login.answer(head, body, visit)
        return await self._home.answer(head, visit)

    def admit_now(self, head: Head, now: float) -> Passage | None:
        """Without asking anybody: of callers who were admitted a moment ago. `now`: the loop's time."""
        known = self._admissions.get(head.block.asks_as)
        if (
            known is None
            or known.until <= now
            or known.routes != self._routes.generation
            or known.callers != self._identity.generation
            or head.method in _UNUSUAL
            or head.target.startswith(_OWN)
            or not head.target.startswith(b"/")
        ):
            return None
        return known.passage

    async def admit(self, head: Head) -> Passage:
        """Raises Refused."""
        route = self._route(head)
        if route.cors is not None and is_preflight(head.method, head.headers):
            raise Refused(_preflight(route, head))
        try:
            return await self._admitted(head, route)
        except Refused as refused:
            # A page of an allowed origin may read what went wrong, too.
            refused.answer.headers.extend(route.cors_headers(head.block.origin))
            raise

    async def _admitted(self, head: Head, route: Route) -> Passage:
        # As of before we ask: what changes meanwhile must be asked for again.
        callers, routes = self._identity.generation, self._routes.generation
        who = await self._who(head)
        if not may_open(self._identity, who, route):
            self._tell_of_refusal(who, route)
            text = f"{who.user_name} may not use this endpoint of the service."
            onward = ("Sign in as somebody else", login_address(head.target.decode("latin-1")))
            raise Refused(page(403, "Access denied", text, onward=onward))
        if not is_published(self._identity, route):
            text = f"The owner of service {route.service_name} has no privilege {PUBLISHING} now."
            raise Refused(page(403, "Endpoint closed", text))
        addresses = self._routes.instances(route)
        if not addresses:
            text = (
                f"Service {route.service_name} is not ready to take requests "
                f"(status {self._routes.status(route)}). Try again in a moment."
            )
            raise Refused(page(503, "Service not ready", text, retry=2))
        added = rules.lines(await self._told(head, who, route))
        passage = Passage(who.user_name, addresses, route, added)
        self._remember(head, _Admission(passage, callers, routes, self._soon()))
        return passage

    def _tell_of_refusal(self, who: Principal, route: Route) -> None:
        """Once a minute for each user and endpoint: some clients never stop asking."""
        now = asyncio.get_running_loop().time()
        if not self._refusals.take(f"{who.user} {route.service} {route.endpoint}", now):
            log.info(
                "endpoint_refused",
                user=who.user_name,
                service=route.service_name,
                endpoint=route.endpoint,
            )

    async def _told(self, head: Head, who: Principal, route: Route) -> list[Header]:
        """What the instance hears of who asks. Raises Refused."""
        told = [rules.told(b"Sf-Context-Current-User", who.user_name)]
        if self._tells_email and who.email:
            told.append(rules.told(b"Sf-Context-Current-User-Email", who.email))
        if not route.as_caller:
            return told
        host = host_name((head.block.host or b"").decode("latin-1"))
        try:
            async with asyncio.timeout(self._verify):
                token = await self._caller_tokens.of(head.block.token or "", host, route.service)
        except (TimeoutError, SnowcaveError) as error:
            raise Refused(_cannot_verify()) from error
        return [*told, rules.told(b"Sf-Context-Current-User-Token", token)]

    def _soon(self) -> float:
        """Tokens end by time, too, which no revision tells."""
        return asyncio.get_running_loop().time() + self._verified

    def _remember(self, head: Head, admission: _Admission) -> None:
        key = head.block.asks_as
        self._admissions.pop(key, None)
        if len(self._admissions) >= self._limit:
            del self._admissions[next(iter(self._admissions))]
        self._admissions[key] = admission

    def _route(self, head: Head) -> Route:
        if head.method in _BLOCKED:
            raise Refused(
                page(405, "Method not allowed", "TRACE and CONNECT are not allowed here.")
            )
        if head.block.host is None:
            text = "A request names exactly one Host."
            raise Refused(page(400, "Bad request", text, close=True))
        if not head.target.startswith(b"/") and head.target != b"*":
            # A whole URL names a host as well: who looks at which one?
            text = "A request's target begins with a slash."
            raise Refused(page(400, "Bad request", text, close=True))
        route = self._routes.find(head.block.host.decode("latin-1"))
        if route is None:
            raise Refused(page(404, "No such endpoint", "No public endpoint has this host name."))
        return route

    async def _who(self, head: Head) -> Principal:
        token, host = head.block.token, head.block.host or b""
        if token is None:
            raise Refused(self._unknown(head, "This endpoint needs a Snowflake token."))
        if head.block.from_cookie and not is_same_origin(head.block.origin, host):
            # The page of another site, and the browser adds our cookie unasked.
            text = "Pages of another origin need an Authorization header."
            raise Refused(page(401, "Not signed in", text))
        try:
            async with asyncio.timeout(self._verify):
                # Some tokens count at one host only.
                return await self._identity.by_token(token, host_name(host.decode("latin-1")))
        except TimeoutError as error:
            raise Refused(_cannot_verify()) from error
        except SnowcaveError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                raise Refused(self._unknown(head, error.message)) from error
            # Nobody passes who cannot be verified.
            raise Refused(_cannot_verify()) from error

    def _unknown(self, head: Head, text: str) -> Answer:
        """People are sent to the login page, programs are told."""
        if head.accepts_html and head.method in (b"GET", b"HEAD"):
            where = login_address(head.target.decode("latin-1"))
            return Answer(302, headers=[(b"Location", where.encode())])
        answer = page(401, "Not signed in", text)
        answer.headers.append((b"WWW-Authenticate", b'Snowflake realm="ingress"'))
        return answer


def _preflight(route: Route, head: Head) -> Answer:
    allowed = route.cors_headers(head.block.origin)
    if not allowed:
        return page(403, "Origin not allowed", "The endpoint's corsSettings do not name it.")
    return Answer(200, headers=allowed)


def _cannot_verify() -> Answer:
    text = "Who you are cannot be verified at the moment. Try again shortly."
    return page(503, "Cannot verify", text, retry=2)
