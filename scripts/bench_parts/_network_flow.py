"""One end of a TCP flow, as a program of its own inside of a network namespace.

serve PORT CLOSING                takes what comes to PORT, closes what comes to CLOSING; says `ready` first
send HOST PORT SECONDS            prints bits a second
connect HOST PORT SECONDS         prints connections a second
"""

import contextlib
import socket
import struct
import sys
import threading
import time

_BLOCK = 1 << 20
# Closed by a reset: no port waits for late packets afterwards.
_NO_LINGER = struct.pack("ii", 1, 0)


def serve(port: str, closing: str) -> None:
    taking, shutting = (_listening(one) for one in (port, closing))
    threading.Thread(target=_shut, args=(shutting,), daemon=True).start()
    print("ready", flush=True)
    while True:
        connection, _ = taking.accept()
        threading.Thread(target=_take, args=(connection,), daemon=True).start()


def _listening(port: str) -> socket.socket:
    return socket.create_server(("0.0.0.0", int(port)), backlog=1024)


def _shut(server: socket.socket) -> None:
    while True:
        server.accept()[0].close()


def _take(connection: socket.socket) -> None:
    block = bytearray(_BLOCK)
    with connection, contextlib.suppress(ConnectionResetError):
        while connection.recv_into(block):
            pass


def send(host: str, port: str, seconds: str) -> None:
    block, sent = bytes(_BLOCK), 0
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(None)
        began = time.monotonic()
        while time.monotonic() - began < float(seconds):
            sent += connection.send(block)
        print(sent * 8 / (time.monotonic() - began))


def connect(host: str, port: str, seconds: str) -> None:
    made, began = 0, time.monotonic()
    while time.monotonic() - began < float(seconds):
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        made += 1
    print(made / (time.monotonic() - began))


{"serve": serve, "send": send, "connect": connect}[sys.argv[1]](*sys.argv[2:])
