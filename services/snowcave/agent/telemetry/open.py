"""Telemetry as one part of the agent: what is measured, what containers send, and the ports for both."""

import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from snowcave.agent.engine.api import Engine
from snowcave.agent.logs.shipper import Collector
from snowcave.agent.metering import Counts, Rates
from snowcave.agent.telemetry import otlp_http
from snowcave.agent.telemetry.gauges import NodeSize
from snowcave.agent.telemetry.intake import Intake
from snowcave.agent.telemetry.measuring import Gauges, LinuxKernel, MetricSettings, Told
from snowcave.agent.telemetry.otlp_grpc import serve_grpc
from snowcave.agent.telemetry.pool_metrics import PoolMetrics, PoolMetricSettings, Readers
from snowcave.agent.telemetry.sending import SendSettings, open_sender
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_HTTP_BODY = 64 << 10


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    # Where containers send to, on their node's own address; 0: nowhere.
    grpc_port: int = 4317
    http_port: int = 4318
    # Bytes of one request, as it is after decompression.
    largest_request: int = 4 << 20


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    send: SendSettings = field(default_factory=SendSettings)
    metrics: MetricSettings = field(default_factory=MetricSettings)
    pool: PoolMetricSettings = field(default_factory=PoolMetricSettings)
    otlp: OtlpSettings = field(default_factory=OtlpSettings)


@dataclass(frozen=True)
class TelemetryGround:
    """What this node is, and what of it is looked at."""

    account: str
    node: str
    vm: state.Vm
    # Where the node listens, and the machine's own address.
    address: str
    machine: str
    size: NodeSize
    volumes: Path
    labels: dict[str, str]
    engine: Engine
    requests: Counts
    assigned: Mirror[state.Assignment]
    endpoints: Mirror[state.Endpoint]
    report_of: Callable[[str], state.InstanceReport | None]
    store: Store
    collector: Collector
    clock: Clock
    rng: random.Random

    def mine(self) -> Iterable[state.Assignment]:
        return (one for _, one in self.assigned.items(self.node))

    def describe(self, want: state.Assignment, container: str, run: str) -> events.Resource:
        """Whose rows they are; an instance's where there is no container."""
        identity = want.identity
        return events.Resource(
            account_name=self.account,
            compute_pool=identity.compute_pool,
            compute_pool_name=identity.compute_pool_name,
            node=self.node,
            instance_family=self.vm.instance_family,
            database=identity.database,
            database_name=identity.database_name,
            schema=identity.schema,
            schema_name=identity.schema_name,
            service=want.service,
            service_name=identity.service_name,
            service_type="Job" if want.is_job else "Service",
            instance_id=want.instance_id,
            has_instance=True,
            container_name=container,
            container_run_id=run,
        )

    def gauges(self) -> Gauges:
        return Gauges(
            node=self.node,
            size=self.size,
            volumes=self.volumes,
            engine=self.engine,
            labels=self.labels,
            assigned=self.assigned,
            report_of=self.report_of,
            requests=self.requests,
            kernel=LinuxKernel(self.machine),
            clock=self.clock,
            rates=Rates(self.clock),
        )


@asynccontextmanager
async def open_telemetry(
    ground: TelemetryGround, settings: TelemetrySettings
) -> AsyncGenerator[None]:
    """A port that something else has taken is done without, and said so: containers run all the same."""
    otlp, pool = settings.otlp, settings.pool
    async with (
        open_sender(
            f"telemetry/{ground.node}", ground.collector, settings.send, ground.clock, ground.rng
        ) as sender,
        AsyncExitStack() as ports,
    ):
        intake = Intake(ground.mine, ground.describe, sender, ground.clock)
        if otlp.grpc_port:
            served = serve_grpc(ground.address, otlp.grpc_port, intake, otlp.largest_request)
            await _open(ports, otlp.grpc_port, served)
        if otlp.http_port:
            routes = otlp_http.routes(intake)
            served = otlp_http.serve_http(
                ground.address, otlp.http_port, routes, otlp.largest_request
            )
            await _open(ports, otlp.http_port, served)
        if pool.port:
            routes = (await _pool_metrics(ground, pool)).routes()
            served = otlp_http.serve_http(ground.address, pool.port, routes, _HTTP_BODY)
            await _open(ports, pool.port, served)
        told = Told(ground.gauges(), ground.describe, sender)
        async with background(told.run(settings.metrics)):
            yield


async def _open(
    ports: AsyncExitStack, port: int, served: AbstractAsyncContextManager[Any]
) -> None:
    try:
        await ports.enter_async_context(served)
    except (OSError, Unavailable) as error:
        log.warning("telemetry_port_not_served", port=port, error=str(error))


async def _pool_metrics(ground: TelemetryGround, settings: PoolMetricSettings) -> PoolMetrics:
    uid = ground.vm.compute_pool
    kept = await ground.store.get(keys.catalog("compute_pool").key(uid))
    labels = {
        "snow_compute_pool_name": state.Object.FromString(kept.value).name if kept else "",
        "snow_compute_pool_node_instance_family": ground.vm.instance_family,
        "snow_compute_pool_node_id": ground.node,
    }
    return PoolMetrics(
        gauges=ground.gauges(),
        describe=ground.describe,
        node=labels,
        readers=Readers(ground.store, uid, ground.clock, settings),
        endpoints=ground.endpoints,
        machine=ground.machine,
        settings=settings,
    )
