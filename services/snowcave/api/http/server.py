"""The public ports: HTTP, and the same over TLS with a certificate of our authority."""

import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from snowcave.api.http import reply
from snowcave.api.settings import HttpSettings
from snowcave.runtime.http import AppRunner


@asynccontextmanager
async def serve(
    routes: Sequence[web.AbstractRouteDef],
    settings: HttpSettings,
    *,
    plain: Sequence[tuple[str, int]],
    encrypted: Sequence[tuple[str, int]],
    certificate: tuple[Path, Path],
) -> AsyncGenerator[web.AppRunner]:
    """Listens on every address; left when the requests have been answered.

    `certificate` is the pair of PEM files, certificate and key.
    """
    app = web.Application(
        client_max_size=settings.max_body,
        middlewares=_middlewares(settings),
    )
    app.router.add_routes(routes)
    runner = AppRunner(
        app,
        access_log=None,
        # A stage file stays as it was sent; other bodies are unpacked where they are read, up to a limit.
        auto_decompress=False,
        handle_signals=False,
        keepalive_timeout=settings.keep_alive,
        lingering_time=1.0,
        shutdown_timeout=5.0,
    )
    await runner.setup()
    try:
        for host, port in plain:
            await web.TCPSite(runner, host, port).start()
        if encrypted:
            context = _context(*certificate)
            for host, port in encrypted:
                await web.TCPSite(runner, host, port, ssl_context=context).start()
        yield runner
    finally:
        await runner.cleanup()


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _middlewares(settings: HttpSettings) -> list[Any]:
    # aiohttp's own type of a middleware knows only functions that are declared with async.
    return [reply.admission(settings.requests), reply.errors]
