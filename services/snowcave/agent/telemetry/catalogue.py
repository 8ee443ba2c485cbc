"""Platform metrics: the documented names by group, their units, and their rows. Pure.

Source: Snowflake's documentation of platform metrics.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.model.platform_events import SCOPE
from snowcave.v1 import events_pb2 as events

# Name → unit, by the group of `platformMonitor.metricConfig.groups`.
GROUPS: Mapping[str, Mapping[str, str]] = {
    "system": {
        "container.cpu.usage": "cpu cores",
        "container.memory.usage": "bytes",
        "container.gpu.memory.usage": "bytes",
        "container.gpu.utilization": "ratio",
    },
    "system_limits": {
        "container.cpu.limit": "cpu cores",
        "container.cpu.requested": "cpu cores",
        "container.memory.limit": "bytes",
        "container.memory.requested": "bytes",
        "container.gpu.limit": "gpus",
        "container.gpu.requested": "gpus",
        "container.gpu.memory.capacity": "bytes",
    },
    "status": {
        "container.restarts": "restarts",
        "container.state.finished": "boolean",
        "container.state.last.finished.reason": "boolean",
        "container.state.last.finished.exitcode": "integer",
        "container.state.pending": "boolean",
        "container.state.pending.reason": "boolean",
        "container.state.running": "boolean",
        "container.state.started": "boolean",
    },
    "network": {
        "network.egress.denied.packets": "packets",
        "network.egress.received.bytes": "bytes",
        "network.egress.received.packets": "packets",
        "network.egress.transmitted.bytes": "bytes",
        "network.egress.transmitted.packets": "packets",
        "network.ingress.connections.active": "connections",
        "network.ingress.cps": "connections/sec",
    },
    "storage": {
        "volume.capacity": "bytes",
        "volume.usage": "bytes",
        "volume.io.inflight": "operations",
        "volume.read.throughput": "bytes/sec",
        "volume.write.throughput": "bytes/sec",
        "volume.read.iops": "operations/sec",
        "volume.write.iops": "operations/sec",
    },
}
UNITS = {name: unit for group in GROUPS.values() for name, unit in group.items()}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric of an instance, or of a container, an endpoint or a volume of it."""

    metric: str
    value: float
    container: str = ""
    endpoint: str = ""
    # RECORD_ATTRIBUTES, such as the reason of a state.
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


def row(point: Point, at: datetime) -> events.EventRow:
    """A gauge, as Snowflake's rows of platform metrics are."""
    made = events.EventRow(
        record_type="METRIC",
        record=json.dumps(
            {
                "metric": {"name": point.metric, "unit": UNITS[point.metric]},
                "metric_type": "gauge",
                "value_type": "DOUBLE",
            }
        ),
        record_attributes=json.dumps(dict(point.attributes)) if point.attributes else "",
        scope=SCOPE,
        value=json.dumps(point.value),
    )
    stamp = Timestamp()
    stamp.FromDatetime(at)
    made.timestamp.CopyFrom(stamp)
    return made


def wanted(groups: Iterable[str]) -> frozenset[str]:
    """The metrics of these groups."""
    return frozenset(name for group in groups for name in GROUPS.get(group, ()))
