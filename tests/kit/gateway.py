"""A gateway between real sockets: one host, one instance that a test plays."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from snowcave.ingress.caller_tokens import CallerTokens
from snowcave.ingress.gateway import Gateway
from snowcave.ingress.login import Login
from snowcave.ingress.main import serve_gateway
from snowcave.ingress.routes import Route
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.visits import Visit
from snowcave.model.errors import LoginFailed, SessionExpired, SessionGone, Unavailable
from snowcave.runtime import tls
from snowcave.runtime.identity import Principal
from tests.kit.daemons import a_mesh

HOST = "abc-local-snowcave.localhost"
OWNER, STRANGER, GRANTEE = 1, 2, 3
ROUTE = Route(7, "ECHO", OWNER, "web", 0, frozenset({"ALL_ENDPOINTS_USAGE"}), 1)

Backend = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Routes:
    """One host, one instance."""

    port: int = 0
    ready: bool = True
    # Of more instances, on the same port; nobody listens there.
    dead: tuple[str, ...] = ()
    alive: tuple[str, ...] = ("127.0.0.1",)
    generation: int = 0
    route: Route = ROUTE

    def find(self, host: str) -> Route | None:
        return self.route if host.partition(":")[0] == HOST else None

    def all(self) -> list[tuple[str, Route]]:
        return [(HOST, self.route)]

    def instances(self, route: Route) -> tuple[tuple[str, int], ...]:
        asked = (*self.dead, *self.alive) if self.ready else ()
        return tuple((one, self.port) for one in asked)

    def status(self, route: Route) -> str:
        return "PENDING"


class Access:
    def service_roles(self, roles: frozenset[int], service: int) -> frozenset[str]:
        return frozenset({"ALL_ENDPOINTS_USAGE"} if GRANTEE in roles else set())


class Identity:
    access = Access()

    def __init__(self) -> None:
        self.generation = 1
        # Roles that may have public endpoints.
        self.publishing = {OWNER}
        # Asked so often.
        self.asked = 0

    def may_in_account(self, role: int, privilege: str) -> bool:
        return role in self.publishing and privilege == "BIND SERVICE ENDPOINT"

    async def by_token(self, token: str, host: str = "") -> Principal:
        self.asked += 1
        users = {"owner": OWNER, "stranger": STRANGER, "grantee": GRANTEE}
        if token == "old":
            raise SessionExpired
        if token == "dark":
            raise Unavailable("the store does not answer")
        if token not in users:
            raise SessionGone
        email = f"{token}@example.test"
        roles = frozenset({users[token]})
        return Principal(9, token.upper(), users[token], "R", roles, email=email)

    def full_name(self, domain: str, uid: int) -> str:
        return f"D.S.{uid}"


class Sessions:
    async def login(self, user: str, password: str, visit: Visit) -> str:
        if password != "right":
            raise LoginFailed
        return "owner"

    async def logout(self, token: str) -> None: ...

    async def caller_token(self, credential: str, host: str, service: int) -> tuple[str, float]:
        return f"{credential}-at-{service}", 600.0


@dataclass
class Stage:
    """A gateway with one instance behind it."""

    settings: IngressSettings
    routes: Routes
    identity: Identity

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.settings.mesh.port("ingress"))

    async def ask(self, raw: bytes) -> bytes:
        """Everything that comes back until the gateway closes."""
        reader, writer = await self.open()
        try:
            writer.write(raw)
            async with asyncio.timeout(20):
                return await reader.read()
        finally:
            writer.close()


def get(path: str = "/", token: str = "owner", extra: str = "", method: str = "GET") -> bytes:
    credential = f'Authorization: Snowflake Token="{token}"\r\n' if token else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}:8402\r\n{credential}{extra}Connection: close\r\n\r\n"
    ).encode()


async def echo_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its own head as the body."""
    while head := await read_head(reader):
        writer.write(b"HTTP/1.1 200 OK\r\nServer: secret\r\nX-Powered-By: secret\r\n")
        writer.write(b"Access-Control-Allow-Origin: *\r\nContent-Length: %d\r\n\r\n" % len(head))
        writer.write(head)
        await writer.drain()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def gateway_settings(home: Path) -> IngressSettings:
    mesh = a_mesh(home)
    tls.ensure(mesh.folder("tls"))
    return IngressSettings(mesh=mesh)


def a_gateway(settings: IngressSettings, routes: Routes, identity: Identity) -> Gateway:
    api = Sessions()
    login = Login(api, settings, random.Random(1))
    tokens = CallerTokens(api, 16)
    return Gateway(settings, routes, identity, login, tokens)  # type: ignore[arg-type]


@asynccontextmanager
async def stage(settings: IngressSettings, backend: Backend) -> AsyncGenerator[Stage]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await backend(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway cut the conversation, which some tests want
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    routes = Routes(port=server.sockets[0].getsockname()[1])
    identity = Identity()
    gateway = a_gateway(settings, routes, identity)
    try:
        async with serve_gateway(settings, gateway):
            yield Stage(settings, routes, identity)
    finally:
        server.close()
