"""The gateway's own page, at the domain itself: the endpoints that one may open, and the way to sign in."""

import asyncio
from dataclasses import dataclass

from snowcave.ingress.access import is_published, may_open
from snowcave.ingress.heads import Head
from snowcave.ingress.pages import Answer, Refused, home_page, page
from snowcave.ingress.routes import Routes, host_name
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.visits import Visit
from snowcave.model.errors import Kind, SnowcaveError
from snowcave.runtime.identity import Identity, Principal


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the page."""

    service: str
    endpoint: str
    status: str
    is_ready: bool
    url: str


class Home:
    def __init__(self, settings: IngressSettings, routes: Routes, identity: Identity) -> None:
        self._mesh = settings.mesh
        self._verify = settings.deadlines.verify
        self._routes = routes
        self._identity = identity

    async def answer(self, head: Head, visit: Visit) -> Answer:
        """Raises Refused."""
        if head.path != "/":
            raise Refused(page(404, "No such page", "There is one page here, at '/'."))
        if head.method not in (b"GET", b"HEAD"):
            raise Refused(page(405, "Method not allowed", "This page is there to be read."))
        who = await self._who(head)
        mesh = self._mesh
        scheme = "https" if visit.visitor.secure else "http"
        return home_page(
            account=f"{mesh.organization}-{mesh.account}",
            user=who.user_name if who else "",
            endpoints=self._open_to(who, scheme) if who else [],
            api=f"http://{visit.host}:{mesh.port('api')}/",
        )

    async def _who(self, head: Head) -> Principal | None:
        """None where nobody is signed in."""
        token = head.block.token
        if token is None:
            return None
        try:
            async with asyncio.timeout(self._verify):
                host = host_name((head.block.host or b"").decode("latin-1"))
                return await self._identity.by_token(token, host)
        except TimeoutError:
            return None
        except SnowcaveError as error:
            if error.kind in (Kind.UNAUTHENTICATED, Kind.UNAVAILABLE):
                return None
            raise Refused(page(503, "Cannot verify", error.message, retry=2)) from error

    def _open_to(self, who: Principal, scheme: str) -> list[Shown]:
        port = self._mesh.port("ingress")
        found = [
            Shown(
                service=self._identity.full_name("service", route.service),
                endpoint=route.endpoint,
                status=self._routes.status(route),
                is_ready=bool(self._routes.instances(route)),
                url=f"{scheme}://{host}:{port}/",
            )
            for host, route in self._routes.all()
            if may_open(self._identity, who, route) and is_published(self._identity, route)
        ]
        return sorted(found, key=lambda one: (one.service, one.endpoint))
