"""The registry daemon, wired."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

from snowcave.kit.clock import Clock, LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.registry.access import Gate
from snowcave.registry.backend.api import Backend
from snowcave.registry.backend.disk import open_disk
from snowcave.registry.backend.proxy import open_proxy
from snowcave.registry.http.app import App
from snowcave.registry.http.context import Services
from snowcave.registry.http.listener import listen, make_server, tls_context
from snowcave.registry.repositories import Repositories
from snowcave.registry.rpc import RegistryServicer, serve_registry
from snowcave.registry.settings import RegistrySettings
from snowcave.registry.tags import Tags
from snowcave.registry.tokens import Sealer, read_key
from snowcave.registry.upkeep import Upkeep
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.identity import open_identity
from snowcave.runtime.listen import node_addresses
from snowcave.runtime.state import open_state
from snowcave.store.api import Store
from snowcave.store.mirror import follow

# Threads that move bytes from files to sockets; each is held for milliseconds.
_SENDERS = 16


async def build(settings: RegistrySettings, parts: Parts) -> None:
    store = await open_state(settings.mesh, Role.REGISTRY, parts)
    await assemble(settings, parts, store, LoopClock())


async def assemble(
    settings: RegistrySettings, parts: Parts, store: Store, clock: Clock
) -> list[tuple[str, int]]:
    """Everything above the store; gives where HTTP listens."""
    mesh = settings.mesh
    catalog = await parts.enter("catalog", follow(store, keys.CATALOG))
    parts.health.mirrors["catalog"] = catalog.digest
    identity = await open_identity(store, parts, clock)
    folder = mesh.folder("registry")
    folder.mkdir(parents=True, exist_ok=True)
    sealer = Sealer(read_key(folder / "token.key"), clock)
    repositories = Repositories(catalog)
    gate = Gate(identity, repositories, sealer, settings, clock)
    backend = await parts.enter("backend", open_backend(settings, sealer, clock))
    tags = Tags(store, backend, repositories, clock, settings.deadlines.store)
    upkeep = Upkeep(settings, backend, repositories, tags, clock, lambda: catalog.stale(clock))
    senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="sender")
    app = App(Services(settings, gate, backend, tags, senders))
    hosts = node_addresses(mesh, mesh.listen)
    tls = tls_context(mesh.folder("tls")) if settings.tls else None
    http = listen(
        [(host, mesh.port("registry")) for host in hosts],
        make_server(app, settings),
        tls,
        settings,
    )
    listening = await parts.enter("http", http)
    servicer = RegistryServicer(backend, repositories, gate, upkeep.collect)
    ports = [f"{host}:{mesh.grpc_port(Role.REGISTRY)}" for host in node_addresses(mesh)]
    await parts.enter("grpc", serve_registry(mesh, ports, servicer))
    await parts.enter("upkeep", background(upkeep.keep_tags(), upkeep.keep_clean()))
    return listening


def open_backend(
    settings: RegistrySettings, sealer: Sealer, clock: Clock
) -> AbstractAsyncContextManager[Backend]:
    """As the setting `backend` has it."""
    match settings.backend:
        case "disk":
            return open_disk(settings, clock)
        case "proxy":
            return open_proxy(settings, sealer)


DAEMON = Daemon(role=Role.REGISTRY, settings=RegistrySettings, build=build)
