"""Runs in a container under test: says what it sees from there. Standard library only.

python3 probe.py PORT [ADDRESS]

GET  /whoami   the address that was reached, the host name, the caller's headers
POST /checks   a list of checks, answered by a list of results: ["connect", host, port], ["resolve", name],
               ["http", url], ["post", url, JSON], ["read", path], ["write", path, text],
               ["append", path, text], ["list", path], ["size", path], ["environment"],
               ["open", name, host, port] and ["use", name]: a connection that stays, and a request over it.
               A failure is {"failed": class of the error}.
POST /echo     a service function's batch
"""

import http.client
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 5.0


def connect(host: str, port: int) -> dict[str, Any]:
    began = time.monotonic()
    with socket.create_connection((host, port), PATIENCE) as connection:
        peer = connection.getpeername()[0]
    return {"peer": peer, "seconds": time.monotonic() - began}


def resolve(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in found})


def fetch(url: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE) as answer:
        return {"status": answer.status, "body": answer.read().decode()}


def post(url: str, value: Any) -> int:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(value).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE) as answer:
        return answer.status


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> bool:
    with open(path, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return True


def append(path: str, text: str) -> bool:
    with open(path, "a") as file:
        file.write(text)
    return True


def listed(path: str) -> list[str]:
    return sorted(os.listdir(path))


def size(path: str) -> int:
    """Of the file system, in bytes."""
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize


def environment() -> dict[str, str]:
    return dict(os.environ)


# Kept by name between requests.
CONNECTIONS: dict[str, http.client.HTTPConnection] = {}


def keep_open(name: str, host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    connection.connect()
    # One connection and no second one behind our back.
    connection.auto_open = 0
    CONNECTIONS[name] = connection
    return True


def use(name: str) -> int:
    connection = CONNECTIONS[name]
    try:
        connection.request("GET", "/whoami")
        answer = connection.getresponse()
    except http.client.HTTPException as error:
        raise ConnectionError(f"the connection has ended: {error!r}") from error
    answer.read()
    return answer.status


CHECKS: dict[str, Any] = {
    "open": keep_open,
    "use": use,
    "connect": connect,
    "resolve": resolve,
    "http": fetch,
    "post": post,
    "read": read,
    "write": write,
    "append": append,
    "list": listed,
    "size": size,
    "environment": environment,
}


def check(name: str, *arguments: Any) -> Any:
    try:
        return CHECKS[name](*arguments)
    except OSError as error:
        reason = getattr(error, "reason", error)
        return {"failed": type(reason).__name__, "message": str(reason)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        context = {k: v for k, v in self.headers.items() if k.lower().startswith("sf-context")}
        address = self.connection.getsockname()[0]
        self.answer({"address": address, "hostname": socket.gethostname(), **context})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        if self.path == "/checks":
            self.answer([check(*one) for one in body])
        else:
            self.answer({"data": [[row[0], row[1]] for row in body["data"]]})

    def answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    # The first process of a container has to ask for it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    address = sys.argv[2] if len(sys.argv) > 2 else "0.0.0.0"
    print(f"probe listens on {address}:{sys.argv[1]}", flush=True)
    ThreadingHTTPServer((address, int(sys.argv[1])), Handler).serve_forever()
