"""Names of services, instances and pools for containers and tests; other names from upstream."""

from contextlib import AbstractAsyncContextManager

from snowcave.dns.directory import Directory
from snowcave.dns.feed import Mirrors, feeding
from snowcave.dns.forwarding import open_forwarder
from snowcave.dns.responder import Responder
from snowcave.dns.server import AnswerCache, serve_dns
from snowcave.dns.settings import DnsSettings
from snowcave.dns.upstream import Upstream, read_resolv_conf, servers
from snowcave.kit.clock import LoopClock
from snowcave.kit.ids import system_random
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import KeySpace, M, Role
from snowcave.runtime.announce import announce
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.grpc import serve
from snowcave.runtime.state import open_state
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state


async def build(settings: DnsSettings, parts: Parts) -> None:
    mesh = settings.mesh
    store = await open_state(mesh, Role.DNS, parts)
    directory, cache = Directory(mesh.plan.api_address), AnswerCache(settings.cache_entries)
    mirrors = await _follow_all(store, settings, parts)
    parts.stack.enter_context(feeding(mirrors, directory, cache.clear))
    judge = Responder(
        directory, settings.ttl, settings.udp_size, system_random(), settings.monitor_port
    )
    upstream = Upstream(
        servers(settings.upstream, read_resolv_conf()),
        deadline=settings.upstream_deadline,
        outstanding=settings.upstream_outstanding,
    )
    forwarder = await parts.enter(
        "upstream",
        open_forwarder(
            upstream, settings.forward, mesh.plan.instances, settings.udp_size, LoopClock()
        ),
    )
    listening = serve_dns(
        addresses(mesh.listen, mesh.plan.machine),
        mesh.port("dns"),
        settings,
        judge,
        cache,
        forwarder,
    )
    await parts.enter("dns", listening)
    grpc_server = serve(
        Role.DNS, [mesh.grpc_address(Role.DNS)], mesh.folder("tls"), [], callers=()
    )
    await parts.enter("grpc", grpc_server)
    await parts.enter("announce", announced(store, settings))


def announced(store: Store, settings: DnsSettings) -> AbstractAsyncContextManager[None]:
    """From now on nodes send us questions, until this is left or we fall silent."""
    mesh = settings.mesh
    address, port = mesh.plan.machine, mesh.port("dns")
    message = state.DnsServer(address=address, port=port, host=mesh.host)
    key, value = keys.DNS_SERVERS.key(address, port), message.SerializeToString()
    return background(announce(store, key, value, ttl=settings.heartbeat, clock=LoopClock()))


def addresses(listen: str, machine: str) -> tuple[str, ...]:
    """Where we listen: also at the fabric link's address, unless `listen` covers it."""
    return (listen,) if listen in ("0.0.0.0", machine) else (listen, machine)


async def _follow_all(store: Store, settings: DnsSettings, parts: Parts) -> Mirrors:
    clock = LoopClock()

    async def mirror(name: str, space: KeySpace[M]) -> Mirror[M]:
        followed = await parts.enter(name, follow(store, space))
        parts.health.mirrors[name] = followed.digest
        parts.health.checks[f"{name} is stale"] = lambda: (
            followed.stale(clock) < settings.stale_after
        )
        return followed

    return Mirrors(
        databases=await mirror("databases", keys.catalog("database")),
        schemas=await mirror("schemas", keys.catalog("schema")),
        services=await mirror("services", keys.catalog("service")),
        pools=await mirror("pools", keys.catalog("compute_pool")),
        statuses=await mirror("statuses", keys.SERVICE_STATUS),
        endpoints=await mirror("endpoints", keys.ENDPOINTS),
        vms=await mirror("vms", keys.VMS),
    )


DAEMON = Daemon(role=Role.DNS, settings=DnsSettings, build=build)
