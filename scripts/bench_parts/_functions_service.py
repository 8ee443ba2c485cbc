"""The functions benchmark's service: `/upper/<milliseconds>` answers texts in upper case, after a while."""

import asyncio

import orjson
import uvloop
from aiohttp import web


async def upper(request: web.Request) -> web.Response:
    rows = orjson.loads(await request.read())["data"]
    if pause := int(request.match_info["pause"]):
        await asyncio.sleep(pause / 1000)
    body = orjson.dumps({"data": [[number, text.upper()] for number, text in rows]})
    return web.Response(body=body, content_type="application/json")


async def ready(_request: web.Request) -> web.Response:
    return web.Response(text="ready")


def main() -> None:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/upper/{pause}", upper)
    app.router.add_get("/ready", ready)
    uvloop.install()
    web.run_app(app, port=8000, access_log=None, print=lambda *_: None)


main()
