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
from importlib import import_module
from typing import Any, ClassVar

BATCH = "sf-external-function-query-batch-id"


def upper(rows: list[list[Any]]) -> dict[str, Any]:
    return {"data": [[number, None if text is None else text.upper()] for number, text in rows]}


def flask(port: int) -> None:
    # Installed in the image only.
    library: Any = import_module("flask")
    app = library.Flask("external")

    def answer() -> Any:
        body = json.dumps(upper(library.request.get_json(force=True)["data"])).encode()
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        headers = {"Content-MD5": digest}
        return library.Response(body, headers=headers, mimetype="application/json")

    app.add_url_rule("/upper", view_func=answer, methods=["POST"])
    app.run("0.0.0.0", port, threaded=True)


def fastapi(port: int) -> None:
    import uvicorn
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    library: Any = import_module("fastapi")
    app = library.FastAPI()
    accepted: dict[str, dict[str, Any]] = {}

    async def take(request: Request) -> JSONResponse:
        accepted[request.headers[BATCH]] = upper((await request.json())["data"])
        return JSONResponse({}, 202)

    async def give(request: Request) -> JSONResponse:
        return JSONResponse(accepted.pop(request.headers[BATCH]))

    app.add_api_route("/upper", take, methods=["POST"], response_model=None)
    app.add_api_route("/upper", give, methods=["GET"], response_model=None)
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
