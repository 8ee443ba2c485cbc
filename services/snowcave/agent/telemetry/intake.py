"""What containers send over OTLP, whichever way it came: whose it is, and on to the event table."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import prometheus_client
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

from snowcave.agent.telemetry import conversion
from snowcave.agent.telemetry.conversion import Converted
from snowcave.agent.telemetry.measuring import Describe
from snowcave.agent.telemetry.sending import Parcel, Sender
from snowcave.kit.clock import Clock
from snowcave.model.errors import NotAuthorized
from snowcave.v1 import state_pb2 as state

RECEIVED = prometheus_client.Counter(
    "snowcave_agent_otlp_requests", "OTLP requests of containers.", ["protocol", "signal"]
)

_TOO_LARGE = f"A row of more than {conversion.LARGEST_ROW} bytes was left out."
_TOO_MUCH = "This node's allowance of metrics and traces is used up."


@dataclass(frozen=True, slots=True)
class Intake:
    """`assigned` gives the assignments of this node: an address belongs to one of them, or to nobody."""

    assigned: Callable[[], Iterable[state.Assignment]]
    describe: Describe
    sender: Sender
    clock: Clock

    async def metrics(
        self, sent: metrics.ExportMetricsServiceRequest, address: str
    ) -> metrics.ExportMetricsServiceResponse:
        """Raises NotAuthorized: nobody of ours has this address."""
        caller = self._caller(address)
        answer = metrics.ExportMetricsServiceResponse()
        found = await asyncio.to_thread(_metric_rows, sent, self._now())
        refused, why = self._take(caller, found)
        if refused:
            answer.partial_success.rejected_data_points = refused
            answer.partial_success.error_message = why
        return answer

    async def spans(
        self, sent: trace.ExportTraceServiceRequest, address: str
    ) -> trace.ExportTraceServiceResponse:
        """Raises NotAuthorized. A span and each of its events count as one row of those refused."""
        caller = self._caller(address)
        answer = trace.ExportTraceServiceResponse()
        found = await asyncio.to_thread(_span_rows, sent, self._now())
        refused, why = self._take(caller, found)
        if refused:
            answer.partial_success.rejected_spans = refused
            answer.partial_success.error_message = why
        return answer

    def _caller(self, address: str) -> state.Assignment:
        """An address that is given anew belongs to the instance that is not stopping."""
        mine = [one for one in self.assigned() if one.address == address]
        if not mine:
            raise NotAuthorized("telemetry")
        return min(mine, key=lambda one: one.stopping)

    def _take(self, caller: state.Assignment, found: Iterable[Converted]) -> tuple[int, str]:
        """Rows that were refused, and why the last of them were."""
        # The containers of an instance share its address: which of them it was is known where there is one.
        only = caller.spec.containers[0].name if len(caller.spec.containers) == 1 else ""
        parcels: list[Parcel] = []
        too_large = 0
        for one in found:
            too_large += one.refused
            if one.rows:
                resource = self.describe(caller, only, "")
                resource.attributes = one.attributes
                parcels.append(Parcel.of(resource, one.rows))
        if parcels and (refused := self.sender.offer_own(parcels)):
            return refused + too_large, _TOO_MUCH
        return too_large, _TOO_LARGE if too_large else ""

    def _now(self) -> Timestamp:
        made = Timestamp()
        made.FromDatetime(self.clock.now())
        return made


def _metric_rows(sent: metrics.ExportMetricsServiceRequest, now: Timestamp) -> list[Converted]:
    return list(conversion.of_metrics(sent.resource_metrics, now))


def _span_rows(sent: trace.ExportTraceServiceRequest, now: Timestamp) -> list[Converted]:
    return list(conversion.of_spans(sent.resource_spans, now))
