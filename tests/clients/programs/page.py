"""A page with a WebSocket, in a container under test. Standard library only.

python3 page.py PORT...

GET /       a page whose script sends what is in its field over a WebSocket, and shows what comes back
GET /ws     the WebSocket: each text comes back with the port before it
GET /told   what the gateway said of the caller, and whatever else might be a credential
"""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PAGE = """<!doctype html><title>Talk</title><form><input name=said><button>Say</button></form>
<p id=heard></p><script>
const socket = new WebSocket((location.protocol == 'https:' ? 'wss://' : 'ws://') + location.host + '/ws')
socket.onopen = () => document.title = 'Connected'
socket.onmessage = (message) => document.getElementById('heard').innerText = message.data
document.querySelector('form').onsubmit = (event) => {
  event.preventDefault(); socket.send(document.querySelector('input').value)
}
</script>"""
TELLING = ("authorization", "cookie", "x-sf-spcs-authorization")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/ws":
            self.talk()
        elif self.path == "/told":
            told = {
                name: value
                for name, value in self.headers.items()
                if name.lower().replace("_", "-").startswith("sf-context")
                or name.lower() in TELLING
            }
            self.say(json.dumps(told).encode(), "application/json")
        else:
            self.say(PAGE.encode(), "text/html")

    def say(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def talk(self) -> None:
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        _, port, *_ = self.connection.getsockname()
        while (text := self.heard()) is not None:
            said = f"{port}: ".encode() + text
            self.wfile.write(bytes([0x81, len(said)]) + said)

    def heard(self) -> bytes | None:
        """A short text; None at the end of the conversation."""
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] & 0x0F != 1:
            return None
        mask, length = bytes(self.rfile.read(4)), head[1] & 0x7F
        return bytes(one ^ mask[at % 4] for at, one in enumerate(self.rfile.read(length)))


if __name__ == "__main__":
    # The first process of a container has to ask for it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    servers = [ThreadingHTTPServer(("0.0.0.0", int(port)), Handler) for port in sys.argv[1:]]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("page listens", flush=True)
    servers[0].serve_forever()
