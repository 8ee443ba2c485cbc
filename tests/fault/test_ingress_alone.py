"""The gateway as a daemon, with a state store and nothing else: what goes on, is refused, and is survived."""

import asyncio
import resource
import socket
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.state import open_state
from tests.kit.daemons import Running, a_mesh, running
from tests.kit.gateway import read_head
from tests.kit.published_endpoint import endpoint_host, fill_catalog, fill_instances

pytestmark = pytest.mark.ours

PATIENCE = 60.0
IDLE = 5_000
LARGE = 64 << 20
USERS = {"token-of-alice": "ALICE", "token-of-bob": "BOB"}

# An instance in a process of its own: it says its port, and begins an answer to GET /long that never ends.
INSTANCE = """
import socket, sys, threading
listening = socket.create_server((sys.argv[1], int(sys.argv[2])))
print(listening.getsockname()[1], flush=True)
def serve(connection):
    data = b""
    while True:
        more = connection.recv(65536)
        if not more:
            return
        data += more
        while b"\\r\\n\\r\\n" in data:
            head, _, data = data.partition(b"\\r\\n\\r\\n")
            if head.startswith(b"GET /long"):
                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000000\\r\\n\\r\\nbegun")
            else:
                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
while True:
    threading.Thread(target=serve, args=listening.accept()[:1], daemon=True).start()
"""


@dataclass
class Alone:
    mesh: Mesh
    store: Running
    ingress: Running

    def request(self, path: str = "/", token: str = "token-of-alice", extra: str = "") -> bytes:
        host = endpoint_host(self.mesh)
        credential = f'Authorization: Snowflake Token="{token}"\r\n'
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}{extra}\r\n".encode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.mesh.port("ingress"))

    async def status(self, token: str = "token-of-alice") -> int:
        """Of one request on a connection of its own."""
        reader, writer = await self.open()
        writer.write(self.request(token=token, extra="Connection: close\r\n"))
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        return int(answer[9:12])

    def resident(self) -> int:
        """Bytes of memory that the gateway has."""
        statm = Path(f"/proc/{self.ingress.process.pid}/statm").read_text()
        return int(statm.split()[1]) * resource.getpagesize()


@asynccontextmanager
async def alone(home: Path, port: int, addresses: list[str]) -> AsyncGenerator[Alone]:
    mesh = a_mesh(home)
    async with running(mesh, "statestore") as store:
        async with AsyncExitStack() as stack:
            parts = Parts(stack, Health())
            await fill_catalog(await open_state(mesh, Role.API, parts), port, USERS)
            await fill_instances(await open_state(mesh, Role.SCHEDULER, parts), addresses)
        quick = {"SNOWCAVE_INGRESS__DEADLINES__VERIFY": "2"}
        async with running(mesh, "ingress", quick) as ingress:
            yield Alone(mesh, store, ingress)


@asynccontextmanager
async def instance(address: str, port: int = 0) -> AsyncGenerator[tuple[Running, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INSTANCE, address, str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            yield Running(process, Path()), int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_callers_who_can_be_verified_go_on_without_api_and_store(tmp_path: Path):
    async with instance("127.0.0.1") as (_, port), alone(tmp_path, port, ["127.0.0.1"]) as gate:
        assert await gate.status() == 200
        assert await gate.status("unknown") == 401
        gate.store.kill()
        await gate.store.process.wait()
        for _ in range(5):
            assert await gate.status() == 200
            # Nobody has asked in this one's name before: the mirror knows him all the same.
            assert await gate.status("token-of-bob") == 200
        # It may be one that was made a moment ago: nobody can say.
        assert await gate.status("unknown") == 503


async def test_an_instance_killed_in_its_answer_cuts_it_and_others_take_over(tmp_path: Path):
    async with (
        instance("127.0.0.1") as (_, port),
        instance("127.0.0.2", port) as (dying, _),
        alone(tmp_path, port, ["127.0.0.1", "127.0.0.2"]) as gate,
    ):
        talks = [await gate.open() for _ in range(8)]
        async with asyncio.timeout(PATIENCE):
            for reader, writer in talks:
                writer.write(gate.request("/long"))
                assert (await reader.readuntil(b"begun")).startswith(b"HTTP/1.1 200 ")
            # Kept connections to both, which the gateway must not trust.
            assert [await gate.status() for _ in range(8)] == [200] * 8
            dying.kill()
            await dying.process.wait()
            cut = await asyncio.gather(*(_is_cut(reader) for reader, _ in talks))
        # The least loaded one was taken each time.
        assert cut.count(True) == 4
        assert [await gate.status() for _ in range(40)] == [200] * 40
        for _, writer in talks:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Who only says no more is still owed the answer, and would be waited for at the gateway's end."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _is_cut(reader: asyncio.StreamReader) -> bool:
    """Ended before the length that was announced; those of the other instance just wait."""
    try:
        async with asyncio.timeout(2):
            return await reader.read(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_slow_readers_and_writers_cost_neither_memory_nor_others_their_answers(
    tmp_path: Path,
):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await read_head(reader):
                size = LARGE if b"/large" in head else 2
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(max(1, size >> 20)):
                    writer.write(b"x" * min(size, 1 << 20))
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    async with server, alone(tmp_path, port, ["127.0.0.1"]) as gate:
        assert await gate.status() == 200
        before = gate.resident()
        slow: list[socket.socket] = []
        for number in range(16):
            one = socket.create_connection(("127.0.0.1", gate.mesh.port("ingress")))
            # Half of them ask for much and read nothing, half never come to the end of what they say.
            one.sendall(gate.request("/large") if number % 2 else gate.request()[:-4])
            slow.append(one)
        assert [await gate.status() for _ in range(40)] == [200] * 40
        assert gate.resident() - before < LARGE
        for one in slow:
            one.close()


async def test_five_thousand_idle_connections_do_not_keep_others_out(tmp_path: Path):
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = most if most == resource.RLIM_INFINITY else max(most, 4 * IDLE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * IDLE, enough))
    try:
        async with (
            instance("127.0.0.1") as (_, port),
            alone(tmp_path, port, ["127.0.0.1"]) as gate,
        ):
            before = gate.resident()
            idle = await asyncio.to_thread(_connected, gate, IDLE)
            assert [await gate.status() for _ in range(20)] == [200] * 20
            # They are still there: each may ask again.
            again = await asyncio.to_thread(lambda: [_ask(gate, one) for one in idle[::100]])
            assert again == [200] * len(again)
            assert (gate.resident() - before) / IDLE < 32 << 10
            for one in idle:
                one.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


def _connected(gate: Alone, count: int) -> list[socket.socket]:
    """Connections that have asked once and are kept."""
    found: list[socket.socket] = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", gate.mesh.port("ingress")), timeout=PATIENCE)
        assert _ask(gate, one) == 200
        found.append(one)
    return found


def _ask(gate: Alone, connection: socket.socket) -> int:
    connection.sendall(gate.request())
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        more = connection.recv(65536)
        assert more, answer
        answer += more
    return int(answer[9:12])
