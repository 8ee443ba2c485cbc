"""The gateway to public endpoints: who asks, may they, to which instance."""

import asyncio
import resource
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog

from snowcave.ingress.caller_tokens import CallerTokens
from snowcave.ingress.certificates import HostCertificates, kept_current, server_context
from snowcave.ingress.client import ClientConnection
from snowcave.ingress.gateway import Gateway
from snowcave.ingress.heads import KnownRequests
from snowcave.ingress.login import Login
from snowcave.ingress.parties import Means
from snowcave.ingress.pool import Pool
from snowcave.ingress.routes import Routes
from snowcave.ingress.sessions import ApiSessions
from snowcave.ingress.settings import IngressSettings
from snowcave.kit.ids import system_random
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime import grpc
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.doorman import Door, open_port
from snowcave.runtime.identity import open_identity
from snowcave.runtime.state import open_state
from snowcave.store.mirror import follow

log = structlog.get_logger()

# Besides clients and instances: the store, the API, ports, files.
_OWN_HANDLES = 256


async def build(settings: IngressSettings, parts: Parts) -> None:
    mesh, rng = settings.mesh, system_random()
    _make_room(settings.limits.connections)
    store = await open_state(mesh, Role.INGRESS, parts)
    identity = await open_identity(store, parts)
    services = await parts.enter("services", follow(store, keys.catalog("service")))
    status = await parts.enter("status", follow(store, keys.SERVICE_STATUS))
    endpoints = await parts.enter("endpoints", follow(store, keys.ENDPOINTS))
    integrations = await parts.enter("integrations", follow(store, keys.catalog("integration")))
    rules = await parts.enter("rules", follow(store, keys.catalog("network_rule")))
    for name, mirror in (("services", services), ("status", status), ("endpoints", endpoints)):
        parts.health.mirrors[name] = mirror.digest
    tls_folder = mesh.folder("tls")
    await parts.enter("grpc", _serve_health(settings))
    channel = await parts.enter(
        "api", grpc.connect(mesh.grpc_address(Role.API), tls_folder, me=Role.INGRESS, to=Role.API)
    )
    api = ApiSessions(channel, settings.deadlines.verify)
    login = Login(api, settings, rng)
    routes = Routes(mesh, services, status, endpoints, integrations, rules)
    caller_tokens = CallerTokens(api, settings.limits.known)
    gateway = Gateway(settings, routes, identity, login, caller_tokens)
    await parts.enter("gateway", serve_gateway(settings, gateway))


def _make_room(connections: int) -> None:
    """Handles for as many clients, and for what goes on to instances."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OWN_HANDLES
    if resource.RLIM_INFINITY in (allowed, most) or allowed >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, min(wanted, most)), most))
    if most < wanted:
        log.warning("handles_are_few", have=most, want=wanted)


@asynccontextmanager
async def serve_gateway(settings: IngressSettings, gateway: Gateway) -> AsyncGenerator[None]:
    """The public port. Left: nothing new is taken, open exchanges get a while to end."""
    mesh, limits, deadlines = settings.mesh, settings.limits, settings.deadlines
    pool, clients = Pool(settings, system_random()), set[ClientConnection]()
    means = Means(gateway, pool, settings, KnownRequests(limits.known))

    def make(freed: Callable[[], None]) -> ClientConnection:
        return ClientConnection(means, clients, freed)

    context = tls_context(settings)
    certificate = kept_current(context, *_certificate(settings), deadlines.certificate_look)
    door = Door(limits.connections, deadlines.head, deadlines.handshake)
    addresses = [(mesh.listen, mesh.port("ingress"))]
    try:
        async with certificate, open_port(addresses, make, tls=context, door=door):
            yield
        await _drain(clients, deadlines.drain)
    finally:
        for client in list(clients):
            client.cut()
        pool.close()


async def _drain(clients: set[ClientConnection], deadline: float) -> None:
    """Returns when every client has its answer, or time is up."""
    for client in list(clients):
        client.drain()
    try:
        async with asyncio.timeout(deadline):
            while clients:
                await asyncio.sleep(0.02)
    except TimeoutError:
        log.warning("exchanges_cut", clients=len(clients))


def tls_context(settings: IngressSettings) -> ssl.SSLContext:
    """The configured certificate, or one of the cluster's authority for each host."""
    context = server_context(*_certificate(settings))
    if not settings.certificate:
        context.sni_callback = HostCertificates(settings.mesh)
    return context


def _certificate(settings: IngressSettings) -> tuple[str, str | None]:
    """The files of certificate and key; one holds both where there is no other."""
    if settings.certificate:
        return settings.certificate, settings.private_key or None
    folder = settings.mesh.folder("tls")
    return str(folder / f"{Role.INGRESS}.pem"), str(folder / f"{Role.INGRESS}.key")


@asynccontextmanager
async def _serve_health(settings: IngressSettings) -> AsyncGenerator[None]:
    mesh = settings.mesh
    address = mesh.grpc_address(Role.INGRESS)
    async with grpc.serve(Role.INGRESS, [address], mesh.folder("tls"), [], callers=(Role.ADMIN,)):
        yield


DAEMON = Daemon(role=Role.INGRESS, settings=IngressSettings, build=build)
