"""ClickHouse's HTTP interface over its own engine, as much as clickhouse-connect uses: for tests.

Run by the Python of .venvs/clickhouse, which has the engine (chdb-core); nothing else is imported. The engine
reads no insert's body, so `input(…)` becomes `file(…)`; all else is answered by the engine. It stops when its
standard input ends, so it never outlives its test.
"""

import base64
import itertools
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb  # pyright: ignore[reportMissingImports]

# What HTTP itself is told, and the engine must not be.
_OF_HTTP = {
    "query", "database", "query_id", "wait_end_of_query", "client_protocol_version", "session_id",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
    "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
_INPUT = re.compile(rb"\binput\('((?:[^']|'')*)'\)")
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*(?:\n|$)")

_engine: Any = chdb


class Refused(Exception):
    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, port: int, password: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.expected = "Basic " + base64.b64encode(f"default:{password}".encode()).decode()
        self.password = password
        self.numbers = itertools.count()
        # Held open: the engine lives as long as somebody is connected.
        self.first = _engine.connect(str(folder / "data"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone."""
        del request, client_address


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        del format, args

    def do_GET(self) -> None:
        self._reply(200, b"Ok.\n", {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        try:
            if self.server.password and self.headers.get("Authorization") != self.server.expected:
                raise Refused(403, 516, "Authentication failed")
            self._reply(200, *self._answer(body))
        except Refused as refused:
            head = {"X-ClickHouse-Exception-Code": str(refused.code)}
            self._reply(refused.status, f"{refused}\n".encode(), head)

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _answer(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        text = given.get("query", "").encode() + body
        params = {n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")}
        engine = _engine.connect(str(self.server.folder / "data"))
        try:
            if given.get("database"):
                _run(engine, f"USE `{given['database']}`".encode())
            for name, value in given.items():
                if name not in _OF_HTTP and not name.startswith("param_"):
                    _run(engine, f"SET {name} = '{value}'".encode())
            return self._run(engine, text, params)
        finally:
            engine.close()

    def _run(
        self, engine: Any, text: bytes, params: dict[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        head = {"X-ClickHouse-Timezone": "UTC"}
        said = _FORMAT.search(text[:8000])
        if (found := _INPUT.search(text[:8000])) and said:
            path = self.server.folder / f"insert-{next(self.server.numbers)}"
            path.write_bytes(text[said.end() :])
            source = b"file('%s', '%s', '%s')" % (bytes(path), said[1], found[1])
            try:
                statement = text[: found.start()] + source + text[found.end() : said.start()]
                _run(engine, statement, params)
                rows = _run(engine, b"SELECT count() FROM " + source).decode().strip()
            finally:
                path.unlink()
            return b"", head | {"X-ClickHouse-Summary": f'{{"written_rows":"{rows}"}}'}
        return _run(engine, text, params), head | {
            "X-ClickHouse-Format": said[1].decode() if said else "TabSeparated"
        }

    def _reply(self, status: int, body: bytes, head: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (head | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _run(engine: Any, text: bytes, params: dict[str, str] | None = None) -> bytes:
    try:
        return engine.query(text, "TabSeparated", params=params or {}).bytes() or b""
    except Exception as error:
        code = re.search(r"Code: (\d+)", str(error))
        raise Refused(500, int(code[1]) if code else 0, str(error)) from error


def main() -> None:
    """Prints its port; the data stay in the folder."""
    folder = Path(sys.argv[1])
    server = Server(folder, int(sys.argv[2]), os.environ.get("CLICKHOUSE_PASSWORD", ""))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.first.close()


if __name__ == "__main__":
    main()
