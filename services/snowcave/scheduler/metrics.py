"""What the scheduler tells on /metrics: how everything stands, counted when it is asked for."""

from collections import Counter
from collections.abc import Iterable

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from snowcave.scheduler.world import Mirrors

BUGS = prometheus_client.Gauge("snowcave_scheduler_bugs", "Reconciles that failed unexpectedly")
LEADING = prometheus_client.Gauge("snowcave_scheduler_leading", "1 while this replica leads")


class Standing(Collector):
    """Standbys tell the same: their mirrors are as warm."""

    def __init__(self) -> None:
        self.mirrors: Mirrors | None = None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        services = Counter[str]()
        instances = Counter[str]()
        pools = Counter[str]()
        up = away = events = 0
        if (mirrors := self.mirrors) is not None:
            for status in mirrors.statuses.values():
                services[status.status] += 1
                instances.update(one.status for one in status.instances)
            pools.update(one.state for one in mirrors.pool_statuses.values())
            alive = {name for (name,), _ in mirrors.nodes.items()}
            nodes = {vm.node for vm in mirrors.vms.values()}
            up, away, events = len(nodes & alive), len(nodes - alive), len(mirrors.events)
        yield _by("status", "snowcave_services", "Services and jobs, by their status.", services)
        yield _by("status", "snowcave_instances", "Instances, by their status.", instances)
        yield _by("state", "snowcave_pools", "Compute pools, by their state.", pools)
        nodes_by = {"up": up, "away": away}
        yield _by("state", "snowcave_nodes", "Nodes whose agent is there, or is not.", nodes_by)
        yield GaugeMetricFamily(
            "snowcave_platform_events_waiting", "Platform events on their way.", events
        )


def _by(label: str, name: str, about: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


STANDING = Standing()
prometheus_client.REGISTRY.register(STANDING)
