"""Services as people write them for external functions: each text in upper case, by three frameworks.

python3 external.py flask|fastapi|plain PORT

flask sends a Content-MD5; fastapi answers 202 at first, and the rows when asked again; plain refuses every
batch once, for overload.
"""

import base64
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

BATCH = "sf-external-function-query-batch-id"


def upper(rows: list[list[Any]]) -> dict[str, Any]:
    return {"data": [[number, None if text is None else text.upper()] for number, text in rows]}


def flask(port: int) -> None:
    from flask import Flask, Response, request

    app = Flask("external")

    @app.post("/upper")
    def answer() -> Response:
        body = json.dumps(upper(request.get_json(force=True)["data"])).encode()
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        return Response(body, headers={"Content-MD5": digest}, mimetype="application/json")

    app.run("0.0.0.0", port, threaded=True)


def fastapi(port: int) -> None:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    app = FastAPI()
    accepted: dict[str, dict[str, Any]] = {}

    @app.post("/upper")
    async def take(request: Request) -> JSONResponse:
        accepted[request.headers[BATCH]] = upper((await request.json())["data"])
        return JSONResponse({}, 202)

    @app.get("/upper")
    async def give(request: Request) -> JSONResponse:
        return JSONResponse(accepted.pop(request.headers[BATCH]))

    uvicorn.run(app, host="0.0.0.0", port=port, log_level="warning")


class Plain(BaseHTTPRequestHandler):
    refused: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        batch = self.headers[BATCH]
        if batch not in self.refused:
            self.refused.add(batch)
            self.send_error(429)
            return
        body = json.dumps(upper(rows)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)  # its length is told by the end of the connection


def plain(port: int) -> None:
    ThreadingHTTPServer(("0.0.0.0", port), Plain).serve_forever()


KINDS = {"flask": flask, "fastapi": fastapi, "plain": plain}
KINDS[sys.argv[1]](int(sys.argv[2]))
