"""Decides about a request: which service, who asks, may they, which instance."""

import asyncio
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from snowcave.ingress import headers as rules
from snowcave.ingress.headers import Header
from snowcave.ingress.login import LOGIN_PATH, OWN_PATHS, Login
from snowcave.ingress.pages import Answer, Refused, page
from snowcave.ingress.routes import Route, Routes
from snowcave.ingress.settings import IngressSettings
from snowcave.model.errors import Kind, SnowcaveError
from snowcave.runtime.identity import Identity, Principal

_BLOCKED = frozenset({b"TRACE", b"CONNECT"})


@dataclass(slots=True)
class Head:
    """A request's first part, as parsed."""

    method: bytes = b""
    target: bytes = b""
    version: str = "1.1"
    headers: list[Header] = field(default_factory=list[Header])
    keep_alive: bool = True
    upgrade: bool = False
    # None: chunked or none at all; `has_body` tells.
    length: int | None = None
    has_body: bool = False
    # Of the headers, in bytes.
    size: int = 0

    @property
    def path(self) -> str:
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def accepts_html(self) -> bool:
        return b"text/html" in (rules.find(self.headers, b"accept") or b"")


@dataclass(frozen=True, slots=True)
class Passage:
    """The request may go to this instance, in this user's name."""

    user: str
    address: tuple[str, int]
    route: Route
    # Instances that did not take the connection.
    refused: frozenset[str] = frozenset()


class Gateway:
    def __init__(
        self, settings: IngressSettings, routes: Routes, identity: Identity, login: Login
    ) -> None:
        self._verify = settings.deadlines.verify
        self._routes = routes
        self._identity = identity
        self._login = login

    def is_own(self, head: Head) -> bool:
        """Whether the gateway answers this path itself, on every host."""
        return head.path in OWN_PATHS

    async def own_answer(self, head: Head, body: bytes) -> Answer:
        """Raises Refused."""
        self._route(head)
        return await self._login.answer(head.method, head.target, head.headers, body)

    async def admit(self, head: Head) -> Passage:
        """Raises Refused."""
        route = self._route(head)
        who = await self._who(head)
        if not self._may(who, route):
            raise Refused(
                page(
                    403,
                    "Access denied",
                    f"{who.user_name} may not use this endpoint of the service.",
                )
            )
        address = self._routes.instance(route)
        if address is None:
            text = (
                f"Service {route.service_name} is not ready to take requests "
                f"(status {self._routes.status(route)}). Try again in a moment."
            )
            raise Refused(page(503, "Service not ready", text, retry=2))
        return Passage(who.user_name, address, route)

    def elsewhere(self, passage: Passage) -> Passage | None:
        """The passage to another instance, after its own has refused; None where none is left."""
        refused = passage.refused | {passage.address[0]}
        address = self._routes.instance(passage.route, refused)
        return None if address is None else replace(passage, address=address, refused=refused)

    def _route(self, head: Head) -> Route:
        if head.method in _BLOCKED:
            raise Refused(
                page(405, "Method not allowed", "TRACE and CONNECT are not allowed here.")
            )
        hosts = [value for name, value in head.headers if name.lower() == b"host"]
        if len(hosts) != 1:
            raise Refused(
                page(400, "Bad request", "A request names exactly one Host.", close=True)
            )
        route = self._routes.find(hosts[0].decode("latin-1"))
        if route is None:
            raise Refused(page(404, "No such endpoint", "No public endpoint has this host name."))
        return route

    async def _who(self, head: Head) -> Principal:
        token = rules.token(head.headers)
        if token is None:
            raise Refused(self._unknown(head, "This endpoint needs a Snowflake token."))
        try:
            async with asyncio.timeout(self._verify):
                return await self._identity.by_token(token)
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
            where = f"{LOGIN_PATH}?next={quote(head.target.decode('latin-1'), safe='')}"
            return Answer(302, headers=[(b"Location", where.encode())])
        answer = page(401, "Not signed in", text)
        answer.headers.append((b"WWW-Authenticate", b'Snowflake realm="ingress"'))
        return answer

    def _may(self, who: Principal, route: Route) -> bool:
        if route.owner_role in who.roles:
            return True
        held = self._identity.access.service_roles(who.roles, route.service)
        return not route.roles.isdisjoint(name.upper() for name in held)


def _cannot_verify() -> Answer:
    text = "Who you are cannot be verified at the moment. Try again shortly."
    return page(503, "Cannot verify", text, retry=2)
