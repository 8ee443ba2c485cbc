"""Compute-pool metrics: what this node says of itself and of its instances, as Prometheus text on port 9001.

Source: Snowflake's documentation of compute pool metrics: services of roles that have OWNERSHIP or MONITOR on
the pool may read them. Who asks is known by the address; the machine itself may, too. Attributes are labels.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from snowcave.agent.telemetry import catalogue
from snowcave.agent.telemetry.measuring import Describe, Gauges, Measured
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.model.grants import AccessView
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

PORT = 9001
_ALL = frozenset(catalogue.GROUPS)
_POOL, _ADMIN = "compute_pool", "ACCOUNTADMIN"


@dataclass(frozen=True, slots=True)
class PoolMetricSettings:
    """Seconds."""

    # Where nodes publish them; 0: nowhere.
    port: int = PORT
    # What was measured counts for so long, however many ask.
    fresh: float = 5.0
    # How long an answer to who may read counts.
    access: float = 30.0


@dataclass
class Readers:
    """Which roles may read, asked of the store when somebody wants to know."""

    store: Store
    pool: int
    clock: Clock
    settings: PoolMetricSettings
    _known: dict[int, tuple[float, bool]] = field(default_factory=dict[int, tuple[float, bool]])

    async def may(self, role: int) -> bool:
        """Raises Unavailable where the store is away and the role is not known yet."""
        now, known = self.clock.monotonic(), self._known.get(role)
        if known is not None and now - known[0] < self.settings.access:
            return known[1]
        try:
            answer = await self._ask(role)
        except SnowcaveError:
            if known is None:
                raise
            return known[1]
        self._known[role] = (now, answer)
        return answer

    async def _ask(self, role: int) -> bool:
        pool = await self.store.get(keys.catalog(_POOL).key(self.pool))
        if pool is None:
            return False
        owner = state.Object.FromString(pool.value).owner_role
        listing = await self.store.list(keys.GRANTS.prefix)
        grants = [state.Grant.FromString(item.value) for item in listing.items]
        view = AccessView(grants, lambda _domain, uid: owner if uid == self.pool else None)
        roles = view.closure(role)
        if owner in roles or view.holds(roles, "MONITOR", _POOL, self.pool):
            return True
        return bool(roles & await self._admins())

    async def _admins(self) -> set[int]:
        listing = await self.store.list(keys.catalog("role").prefix)
        found = [state.Object.FromString(item.value) for item in listing.items]
        return {one.uid for one in found if one.name == _ADMIN and one.role.system}


@dataclass
class PoolMetrics:
    """The page itself."""

    gauges: Gauges
    describe: Describe
    # Labels of the node's own metrics.
    node: Mapping[str, str]
    readers: Readers
    endpoints: Mirror[state.Endpoint]
    # The machine's own address on the underlay.
    machine: str
    settings: PoolMetricSettings
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _page: tuple[float, str] | None = None

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            if not await self._is_reader(request.remote or ""):
                return web.Response(status=403, text="MONITOR on the compute pool is needed.\n")
            return web.Response(text=await self.text(), content_type="text/plain")
        except SnowcaveError as error:
            log.info("pool_metrics_not_told", error=error.message)
            return web.Response(status=503, text=f"{error.message}\n")

    async def _is_reader(self, address: str) -> bool:
        if address == self.machine:
            return True
        owners = {one.owner_role for one in self.endpoints.values() if one.address == address}
        # One address is one instance's; while it changes hands, nobody's.
        return len(owners) == 1 and await self.readers.may(owners.pop())

    async def text(self) -> str:
        """Raises EngineUnavailable."""
        async with self._turn:
            now = self.gauges.clock.monotonic()
            if self._page is not None and now - self._page[0] < self.settings.fresh:
                return self._page[1]
            measured = await self.gauges.measure(lambda _one: _ALL)
            text = page(self.node, self.gauges, measured, self.describe)
            self._page = (now, text)
            return text


def page(
    node: Mapping[str, str], gauges: Gauges, measured: Iterable[Measured], describe: Describe
) -> str:
    """Prometheus text, every metric's samples together. Pure."""
    samples: dict[str, list[str]] = {}

    def add(name: str, labels: Mapping[str, str], value: float) -> None:
        samples.setdefault(name, []).append(f"{name}{{{_labels(labels)}}} {value!r}")

    add("node_cpu_capacity", node, gauges.size.cpu_milli / 1000)
    add("node_memory_capacity", node, float(gauges.size.memory_bytes))
    for one in measured:
        for point in one.points:
            resource = describe(one.of, point.container, "")
            labels = _of_resource(resource) | dict(point.attributes)
            if point.endpoint:
                labels["snow_endpoint_name"] = point.endpoint
            add(point.metric.replace(".", "_"), labels, point.value)
    return "".join(
        f"# HELP {name} {_about(name)}\n# TYPE {name} gauge\n" + "".join(f"{one}\n" for one in of)
        for name, of in samples.items()
    )


def _about(name: str) -> str:
    if name.startswith("node_"):
        return "What the node has for containers"
    return "Platform metric of an instance on this node"


def _of_resource(of: events.Resource) -> dict[str, str]:
    labels = {
        "snow_account_name": of.account_name,
        "snow_compute_pool_name": of.compute_pool_name,
        "snow_compute_pool_node_id": of.node,
        "snow_compute_pool_node_instance_family": of.instance_family,
        "snow_database_name": of.database_name,
        "snow_schema_name": of.schema_name,
        "snow_service_name": of.service_name,
        "snow_service_type": of.service_type,
        "snow_service_container_instance": str(of.instance_id),
        "snow_service_container_name": of.container_name,
    }
    return {name: value for name, value in labels.items() if value}


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
