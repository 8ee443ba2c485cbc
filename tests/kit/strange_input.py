"""Bytes that no good client sends, at every port of a mesh."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh

PUBLIC = ("api", "registry", "ingress", "grpc", "api-tls", "grpc-tls", "dns")
NO_PORT_HERE = (Role.ADMIN, Role.AGENT)

# Each is sent whole, and the connection then left open for the other side to decide.
COMPLETE: Mapping[str, bytes] = {
    "garbage": random.Random(7).randbytes(64 << 10),
    "zeros": bytes(64 << 10),
    "huge request line": b"GET /" + b"a" * (8 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "huge header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (8 << 20) + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Y: z\r\n" * 200_000 + b"\r\n",
    "huge length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS record": bytes.fromhex("160301001001000000") + bytes(64),
}
# Begun and never ended.
HALF: Mapping[str, bytes] = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: localhost\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc",
    "half a TLS hello": bytes.fromhex("1603010200"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    port: str
    sent: str
    # The first bytes of what was answered; empty: none.
    answer: bytes
    closed: bool


def ports(mesh: Mesh) -> dict[str, int]:
    """Everything that listens on this machine's loopback."""
    found = {name: mesh.port(name) for name in PUBLIC}
    for role in Role:
        if role not in NO_PORT_HERE:
            found[f"{role} grpc"] = mesh.grpc_port(role)
            found[f"{role} admin"] = mesh.admin_port(role)
    return found


async def send_everywhere(
    mesh: Mesh, inputs: Mapping[str, bytes], patience: float, *, until_closed: bool = False
) -> list[Outcome]:
    """Every input to every port at once. An answer is enough, unless `until_closed`."""
    outcomes = (
        _one(name, port, sent, data, patience, until_closed)
        for name, port in ports(mesh).items()
        for sent, data in inputs.items()
    )
    return await asyncio.gather(*outcomes)


async def _one(
    name: str, port: int, sent: str, data: bytes, patience: float, until_closed: bool
) -> Outcome:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer, closed = b"", False
    try:
        async with asyncio.timeout(patience):
            sending = asyncio.create_task(_write(writer, data))
            try:
                while piece := await reader.read(1 << 16):
                    answer = (answer + piece)[:200]
                    if not until_closed:
                        break
                else:
                    closed = True
            finally:
                sending.cancel()
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    finally:
        writer.transport.abort()
    return Outcome(name, sent, answer, closed)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
