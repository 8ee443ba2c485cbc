"""Platform metrics: which ones an instance has, and what they say."""

import random
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from snowcave.agent.engine.api import ContainerId, Recipe, Usage
from snowcave.agent.engine.simulated import SimulatedEngine
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, RUN_LABEL, SANDBOX
from snowcave.agent.metering import Rates
from snowcave.agent.telemetry import catalogue, counters, gauges
from snowcave.agent.telemetry.counters import Count, Disk, Totals
from snowcave.agent.telemetry.gauges import NodeSize
from snowcave.agent.telemetry.measuring import Gauges, Told
from snowcave.agent.telemetry.pool_metrics import PoolMetricSettings, Readers, page
from snowcave.agent.telemetry.sending import Parcel, Sender, SendSettings
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import Events, VirtualClock
from tests.kit.fed_mirrors import mirror, put
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

ONE = "7-0-1"
OURS = {"io.snowcave.node": "n1"}
MIB = 1 << 20


class Kernel:
    """What the kernel would have counted."""

    def __init__(self) -> None:
        self.sent = {"transmitted": {"10.244.1.10": Count(5, 500)}, "denied": {}}
        self.disks: dict[str, Disk] = {}

    async def egress(self) -> dict[str, dict[str, Count]]:
        return self.sent

    def connections(self, pid: int) -> dict[int, int]:
        assert pid
        return {8080: 3, 22: 1}

    def disk(self, mount: Path) -> Disk | None:
        return self.disks.get(mount.name)


class Requests:
    def __init__(self) -> None:
        self.sent: dict[tuple[str, int], int] = {}

    async def requests(self) -> dict[tuple[str, int], int]:
        return self.sent


def describe(want: state.Assignment, container: str, run: str) -> events.Resource:
    return events.Resource(
        service=want.service, container_name=container, container_run_id=run, node="n1"
    )


class Bench:
    """One instance of two containers, one of which runs."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.engine = SimulatedEngine(self.clock)
        self.engine.images.add("image")
        self.kernel, self.requests = Kernel(), Requests()
        self.assigned = mirror(keys.ASSIGNMENTS)
        self.want = state.Assignment(
            instance=ONE, node="n1", service=7, address="10.244.1.10", instance_id=0
        )
        self.reports: dict[str, state.InstanceReport] = {}
        for name in ("main", "other"):
            spec = self.want.spec.containers.add(name=name)
            spec.requests.cpu_milli, spec.requests.memory_bytes = 500, 512 * MIB
        self.want.spec.containers[0].limits.cpu_milli = 1500
        self.want.spec.endpoints.add(name="web", port=8080)
        self.want.spec.volumes.add(name="data", source="block")
        self.gauges = Gauges(
            node="n1",
            size=NodeSize(2000, 4096 * MIB),
            volumes=Path("/volumes"),
            engine=self.engine,
            labels=OURS,
            assigned=self.assigned,
            report_of=self.reports.get,
            requests=self.requests,
            kernel=self.kernel,
            clock=self.clock,
            rates=Rates(self.clock),
        )

    def asks_for(self, *groups: str) -> None:
        self.want.spec.metric_groups[:] = groups
        put(self.assigned, keys.ASSIGNMENTS, self.want, "n1", ONE)

    async def runs(self, container: str, number: int = 0) -> ContainerId:
        labels = OURS | {
            INSTANCE_LABEL: ONE,
            CONTAINER_LABEL: container,
            RUN_LABEL: str(number),
        }
        made = await self.engine.create(Recipe(f"{container}.{number}", "image", labels))
        await self.engine.start(made)
        return made

    async def look(self) -> dict[tuple[str, str], float]:
        """By metric and container, endpoint or reason."""
        (one,) = await self.gauges.measure(lambda one: frozenset(one.spec.metric_groups))
        return {
            (p.metric, p.container or p.endpoint or p.attributes.get("snow_volume_name", "")): (
                p.value
            )
            for p in one.points
        }


async def test_nothing_is_measured_for_those_who_ask_for_nothing():
    bench = Bench()
    bench.asks_for()
    assert await bench.gauges.measure(lambda one: frozenset(one.spec.metric_groups)) == []


async def test_use_is_told_as_rates_and_levels():
    bench = Bench()
    bench.asks_for("system")
    main = await bench.runs("main")
    bench.engine.usages[main] = Usage(10.0, 5 * MIB)
    assert await bench.look() == {("container.memory.usage", "main"): 5.0 * MIB}
    await bench.clock.sleep(10)
    bench.engine.usages[main] = Usage(15.0, 6 * MIB)
    assert await bench.look() == {
        ("container.memory.usage", "main"): 6.0 * MIB,
        ("container.cpu.usage", "main"): 0.5,
    }


async def test_limits_are_the_specification_s_or_the_node_s():
    bench = Bench()
    bench.asks_for("system_limits")
    found = await bench.look()
    assert found["container.cpu.limit", "main"] == 1.5
    assert found["container.cpu.limit", "other"] == 2.0
    assert found["container.cpu.requested", "main"] == 0.5
    assert found["container.memory.limit", "main"] == 4096.0 * MIB
    assert not any(name.startswith("container.gpu") for name, _ in found)


async def test_a_state_is_told_by_its_own_metric():
    bench = Bench()
    bench.asks_for("status")
    await bench.runs("main", number=2)
    found = await bench.look()
    assert found["container.restarts", "main"] == 2.0
    assert found["container.state.running", "main"] == 1.0
    assert ("container.state.pending", "main") not in found
    assert found["container.state.pending", "other"] == 1.0


def container_status(message: str) -> state.ContainerStatus:
    return state.ContainerStatus(name="main", message=message)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Failed to pull image", "FailedToPullImage"),
        ("Encountered fatal error, retrying", "FailingToStartContainer"),
        ("Waiting to start", "Creating"),
    ],
)
def test_why_a_container_waits(message: str, reason: str):
    runs = gauges.Runs(state.ContainerSpec(name="main"), ())
    points = {one.metric: one for one in gauges.status(runs, container_status(message))}
    assert points["container.state.pending.reason"].attributes == {"reason": reason}


@pytest.mark.parametrize(
    ("code", "oom", "reason"),
    [(0, False, "Done"), (3, False, "Failed"), (137, True, "FailedWithOOM")],
)
async def test_how_the_last_run_ended(code: int, oom: bool, reason: str):
    bench = Bench()
    bench.asks_for("status")
    first = await bench.runs("main")
    bench.engine.exit(first, code, oom)
    await bench.runs("main", number=1)
    (one,) = await bench.gauges.measure(lambda one: frozenset(one.spec.metric_groups))
    points = {p.metric: p for p in one.points if p.container == "main"}
    assert points["container.state.last.finished.reason"].attributes == {"reason": reason}
    assert points["container.state.last.finished.exitcode"].value == code


async def test_packets_and_connections_are_counted_by_the_kernel():
    bench = Bench()
    bench.asks_for("network")
    await bench.runs(SANDBOX)
    bench.requests.sent["10.244.1.10", 8080] = 10
    found = await bench.look()
    assert found["network.egress.transmitted.bytes", ""] == 500.0
    assert found["network.egress.denied.packets", ""] == 0.0
    assert found["network.ingress.connections.active", "web"] == 3.0
    await bench.clock.sleep(10)
    bench.requests.sent["10.244.1.10", 8080] = 30
    assert (await bench.look())["network.ingress.cps", "web"] == 2.0


async def test_block_volumes_tell_sizes_and_rates():
    bench = Bench()
    bench.asks_for("storage")
    bench.kernel.disks["data"] = Disk(100, 40, 1, 10, 1000, 20, 2000)
    assert (await bench.look())["volume.usage", "data"] == 40.0
    await bench.clock.sleep(10)
    bench.kernel.disks["data"] = Disk(100, 50, 0, 20, 3000, 20, 2000)
    found = await bench.look()
    assert found["volume.read.iops", "data"] == 1.0
    assert found["volume.read.throughput", "data"] == 200.0
    assert found["volume.write.throughput", "data"] == 0.0


async def test_every_metric_of_the_catalogue_that_can_be_measured_here_is():
    """All but those of GPUs, which nobody here has."""
    bench = Bench()
    bench.asks_for(*catalogue.GROUPS)
    bench.kernel.sent = {key: {} for key in ("transmitted", "received", "denied")}
    bench.kernel.disks["data"] = Disk(1, 1, 1, 1, 1, 1, 1)
    first = await bench.runs("main")
    bench.engine.exit(first, 1)
    await bench.runs("main", number=1)
    await bench.runs(SANDBOX)
    other = await bench.runs("other")
    seen = {name for name, _ in await bench.look()}
    await bench.clock.sleep(10)
    bench.engine.exit(other, 1)
    seen |= {name for name, _ in await bench.look()}
    bench.want.spec.containers.add(name="third")
    bench.asks_for(*catalogue.GROUPS)
    seen |= {name for name, _ in await bench.look()}
    missing = set(catalogue.UNITS) - seen
    assert all(name.startswith("container.gpu") for name in missing)


async def test_what_is_measured_becomes_rows_of_their_container():
    bench = Bench()
    bench.asks_for("system_limits", "network")
    run = await bench.runs("main")
    offered: list[Parcel] = []

    class Noting(Sender):
        def offer(self, parcels: "object") -> None:
            offered.extend(parcels)  # pyright: ignore[reportArgumentType]

    sending = Noting("s", Events(), SendSettings(), bench.clock, random.Random(1))
    await Told(bench.gauges, describe, sending).tell()
    by_owner = {(one.resource.container_name, one.resource.endpoint_name): one for one in offered}
    assert set(by_owner) == {("main", ""), ("other", ""), ("", "web"), ("", "")}
    assert by_owner["main", ""].resource.container_run_id == run
    assert all(row.record_type == "METRIC" for one in offered for row in one.rows)


# ---- the kernel's own spelling


def test_counters_of_a_set_are_read_from_nft():
    told = (
        '{"nftables": [{"metainfo": {}}, {"set": {"name": "sent", "elem": [{"elem": {"val": '
        '"10.244.1.10", "counter": {"packets": 3, "bytes": 180}}}]}}]}'
    )
    assert counters.counted(told) == {"10.244.1.10": Count(3, 180)}
    assert counters.counted('{"nftables": [{"set": {"name": "sent"}}]}') == {}


def test_sums_go_on_where_counters_begin_anew():
    totals = Totals()
    assert [totals.of("i", "n", count) for count in (5, 8, 2, 3)] == [5, 8, 10, 11]
    totals.forget_others(["other"])
    assert totals.of("i", "n", 1) == 1


def test_connections_of_the_platform_are_found_by_port(tmp_path: Path):
    net = tmp_path / "42" / "net"
    net.mkdir(parents=True)
    head = "  sl  local_address rem_address   st\n"
    (net / "tcp").write_text(
        f"{head}   0: 0A01F40A:1F90 0100F60A:C001 01 x\n"
        "   1: 0A01F40A:1F90 0200F60A:C002 01 x\n"
        "   2: 0A01F40A:1F90 0100F60A:C003 06 x\n"
    )
    mapped = "0000000000000000FFFF0000"
    (net / "tcp6").write_text(f"{head}   0: {mapped}0A01F40A:1F90 {mapped}0100F60A:C004 01 x\n")
    assert counters.connections(42, "10.246.0.1", tmp_path) == {8080: 2}
    assert counters.connections(43, "10.246.0.1", tmp_path) == {}


# ---- compute-pool metrics


async def test_the_page_of_a_node_is_prometheus_text():
    bench = Bench()
    bench.asks_for()
    await bench.runs("main")
    measured = await bench.gauges.measure(lambda _one: frozenset(catalogue.GROUPS))
    text = page({"snow_compute_pool_name": 'P"1'}, bench.gauges, measured, describe)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (capacity,) = families["node_cpu_capacity"].samples
    assert (capacity.value, capacity.labels) == (2.0, {"snow_compute_pool_name": 'P"1'})
    limits = {
        sample.labels["snow_service_container_name"]: sample.value
        for sample in families["container_cpu_limit"].samples
    }
    assert limits == {"main": 1.5, "other": 2.0}


async def test_only_roles_with_monitor_on_the_pool_may_read():
    owner, monitor, other = 1, 2, 3
    backend = MemoryBackend()
    api = MemoryStore(Role.API, backend)
    pool = state.Object(uid=9, name="P", owner_role=owner)
    pool.compute_pool.SetInParent()
    await api.put(keys.catalog("compute_pool").key(9), pool.SerializeToString())
    grant = state.Grant(
        grantee_kind="role",
        grantee=monitor,
        domain="compute_pool",
        securable=9,
        privilege="MONITOR",
    )
    key = keys.GRANTS.key("role", monitor, "compute_pool", 9, "MONITOR")
    await api.put(key, grant.SerializeToString())
    clock, agent = VirtualClock(), MemoryStore(Role.AGENT, backend)
    readers = Readers(agent, 9, clock, PoolMetricSettings())
    assert [await readers.may(role) for role in (owner, monitor, other)] == [True, True, False]
    await api.delete(key)
    assert await readers.may(monitor)  # an answer counts for a while
    await clock.sleep(60)
    assert not await readers.may(monitor)
    backend.available = False
    await clock.sleep(60)
    assert await readers.may(owner)  # the store is away: what was known
    with pytest.raises(Unavailable):
        await readers.may(4)
