"""GET /: for people how to connect, for programs that we are here."""

from importlib import metadata
from pathlib import Path

from aiohttp import web

from snowcave.api.http import reply
from snowcave.runtime import web_pages
from snowcave.runtime.mesh import Mesh

_PAGES = web_pages.Pages(Path(__file__).parent / "templates")


class Root:
    """Says nothing that needs a login."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._version = metadata.version("snowcave")

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.get("/", self._root)]

    async def _root(self, request: web.Request) -> web.Response:
        if "text/html" not in request.headers.get("Accept", ""):
            return reply.json({"name": "snowcave", "ok": True})
        mesh = self._mesh
        host, port = request.url.host or mesh.listen, request.url.port or mesh.port("api")
        body = _PAGES.render(
            "root.html",
            account=f"{mesh.organization}-{mesh.account}",
            version=self._version,
            url=f"{request.scheme}://{host}:{port}",
            scheme=request.scheme,
            # Snowflake's own clients want a host with a dot.
            host="127.0.0.1" if host == "localhost" else host,
            port=port,
            registry=mesh.registry_host,
            endpoints=f"http://{mesh.ingress_domain}:{mesh.port('ingress')}/",
        )
        return web.Response(
            body=body, content_type="text/html", charset="utf-8", headers=web_pages.HEADERS
        )
