"""The admin HTTP port that every daemon has: /livez, /readyz, /metrics, /debug/mirror."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import prometheus_client
from aiohttp import web

from snowcave.runtime.daemon import Health
from snowcave.runtime.http import AppRunner
from snowcave.runtime.metrics import READY

# An idle connection, or one on which a request's head does not come to its end, is closed after this.
_KEEP_ALIVE = 30.0


@asynccontextmanager
async def serve_admin(host: str, port: int, health: Health) -> AsyncGenerator[None]:
    """Listens on loopback by default: it tells much and asks nobody who they are."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # that the loop turns is the answer

    async def readyz(_request: web.Request) -> web.Response:
        waiting = health.not_ready()
        if waiting:
            return web.Response(status=503, text="".join(f"{name}\n" for name in waiting))
        return web.Response(text="ok\n")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=prometheus_client.generate_latest(), content_type="text/plain", charset="utf-8"
        )

    async def mirror(_request: web.Request) -> web.Response:
        return web.json_response({name: show() for name, show in health.mirrors.items()})

    READY.set_function(lambda: health.ready)
    app = web.Application(client_max_size=4096)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/debug/mirror", mirror)
    runner = AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=_KEEP_ALIVE,
        lingering_time=1.0,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    try:
        yield
    finally:
        await runner.cleanup()
