"""What the gateway counts."""

from collections.abc import Iterable

import prometheus_client
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class Requests(Collector):
    """A plain number, because it is raised on the way of every request; asked for now and then."""

    def __init__(self) -> None:
        self.count = 0

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily("snowcave_ingress_requests", "Requests taken.", self.count)


REQUESTS = Requests()
prometheus_client.REGISTRY.register(REQUESTS)
CONNECTIONS = prometheus_client.Gauge("snowcave_ingress_connections", "Open client connections.")
