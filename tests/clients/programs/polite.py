"""A web application that takes its time and finishes its requests on SIGTERM. Standard library only.

python3 polite.py PORT

GET  /        who answers; takes WORK seconds
GET  /ready   for the readiness probe
POST /echo    a service function's batch; takes WORK seconds
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORK = 0.03
# It listens on for this long after the last request: an open connection may still carry one.
QUIET = 0.3


class Busy:
    """How many requests are being answered, and since when there are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._since = time.monotonic()

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            self._since = time.monotonic()

    def quiet_for(self) -> float:
        with self._lock:
            return 0.0 if self._count else time.monotonic() - self._since


BUSY = Busy()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        with BUSY:
            if self.path != "/ready":
                time.sleep(WORK)
            self.answer({"version": os.environ.get("VERSION", ""), "host": os.uname().nodename})

    def do_POST(self) -> None:
        with BUSY:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            time.sleep(WORK)
            self.answer({"data": [[row[0], row[1]] for row in body["data"]]})

    def answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def leave(server: Server) -> None:
    """Nobody new, then whoever is here."""
    server.shutdown()
    server.server_close()
    while BUSY.quiet_for() < QUIET:
        time.sleep(0.02)
    print("has answered everybody", flush=True)
    os._exit(0)


if __name__ == "__main__":
    server = Server(("0.0.0.0", int(sys.argv[1])), Handler)
    leaving = threading.Thread(target=leave, args=(server,))
    signal.signal(signal.SIGTERM, lambda *_: leaving.start())
    print(f"polite listens on {sys.argv[1]}", flush=True)
    server.serve_forever()
    leaving.join()
