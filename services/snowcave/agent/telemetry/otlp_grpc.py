"""OTLP over gRPC, as containers speak it: in the clear, within their node. Callers are known by address."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

from snowcave.agent.telemetry.intake import RECEIVED, Intake
from snowcave.model.errors import NotAuthorized, Unavailable

_CALLS = 64
_GRACE = 1.0


class MetricsServicer(metrics_grpc.MetricsServiceServicer):
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def Export(  # noqa: N802
        self, request: metrics.ExportMetricsServiceRequest, context: Any
    ) -> metrics.ExportMetricsServiceResponse:
        RECEIVED.labels("grpc", "metrics").inc()
        try:
            return await self._intake.metrics(request, caller_address(context))
        except NotAuthorized as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, error.message)
            raise


class TraceServicer(trace_grpc.TraceServiceServicer):
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def Export(  # noqa: N802
        self, request: trace.ExportTraceServiceRequest, context: Any
    ) -> trace.ExportTraceServiceResponse:
        RECEIVED.labels("grpc", "traces").inc()
        try:
            return await self._intake.spans(request, caller_address(context))
        except NotAuthorized as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, error.message)
            raise


def caller_address(context: Any) -> str:
    """Of what gRPC calls its peer: `ipv4:10.0.0.1:4711`."""
    return unquote(context.peer()).partition(":")[2].rpartition(":")[0].strip("[]")


@asynccontextmanager
async def serve_grpc(host: str, port: int, intake: Intake, largest: int) -> AsyncGenerator[int]:
    """Gives the port. Raises Unavailable where it cannot be had."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", largest),
            ("grpc.so_reuseport", 0),
            ("grpc.max_metadata_size", 16 << 10),
        ],
        maximum_concurrent_rpcs=_CALLS,
    )
    metrics_grpc.add_MetricsServiceServicer_to_server(MetricsServicer(intake), server)
    trace_grpc.add_TraceServiceServicer_to_server(TraceServicer(intake), server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise Unavailable(f"Port {port} of {host} is taken.") from error
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(_GRACE)
