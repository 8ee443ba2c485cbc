"""The tutorial's echo service: answers service-function batches, and people by a page.

Environment: SERVER_HOST (0.0.0.0), SERVER_PORT (8080), CHARACTER_NAME (I). Standard library only.
"""

import html
import json
import os
import signal
import sys
import urllib.parse
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = os.environ.get("SERVER_HOST", "0.0.0.0")
PORT = int(os.environ.get("SERVER_PORT", "8080"))
CHARACTER = os.environ.get("CHARACTER_NAME", "I")
LARGEST_BODY = 32 << 20

PAGE = """<!doctype html>
<title>Echo service</title>
<h1>Welcome to echo service!</h1>
<form action="/ui" method="post"><label>Input <input name="input" value="{given}"></label>
<button>Send</button></form>
<p>Output: {answer}</p>
"""


def log(level: str, text: str) -> None:
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    print(f"echo-service [{stamp}] [{level}] {text}", flush=True)


def say(value: object) -> str:
    return f"{CHARACTER} said {value}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "echo"
    # Headers and body leave in two writes; without this the second one waits for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        if path == "/healthcheck":
            self.answer(200, "I'm ready!", "text/plain")
        elif path in ("/", "/ui"):
            self.answer(200, PAGE.format(given="", answer=""), "text/html; charset=utf-8")
        elif path == "/whoami":
            self.answer(200, json.dumps(self.caller()), "application/json")
        else:
            self.answer(404, "no such page\n", "text/plain")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if length > LARGEST_BODY:
            self.close_connection = True
            self.answer(413, "too large\n", "text/plain")
            return
        body = self.rfile.read(length)
        path = urllib.parse.urlsplit(self.path).path
        if path == "/echo":
            self.echo(body)
        elif path == "/ui":
            given = urllib.parse.parse_qs(body.decode()).get("input", [""])[0]
            page = PAGE.format(given=html.escape(given), answer=html.escape(say(given)))
            self.answer(200, page, "text/html; charset=utf-8")
        else:
            self.answer(404, "no such page\n", "text/plain")

    def echo(self, body: bytes) -> None:
        try:
            rows = json.loads(body)["data"]
            answers = [[row[0], say(row[1])] for row in rows]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            log("ERROR", f"refused a batch: {error!r}")
            self.answer(400, 'want {"data": [[0, value], ...]}\n', "text/plain")
            return
        log("DEBUG", f"answered a batch of {len(answers)} rows")
        self.answer(200, json.dumps({"data": answers}), "application/json")

    def caller(self) -> dict[str, str]:
        """What the gateway told us about who asks, and who we are."""
        told = {k: v for k, v in self.headers.items() if k.lower().startswith("sf-context")}
        return {"hostname": os.uname().nodename, **told}

    def answer(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        if self.path != "/healthcheck":
            log("INFO", format % args)


def stop(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    # The first process of a container dies of no signal that it does not handle.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log("INFO", f"listens on {HOST}:{PORT}")
    ThreadingHTTPServer((HOST, PORT), Handler).serve_forever()
