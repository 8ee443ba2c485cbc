"""What the official OpenTelemetry SDK exports, over gRPC and over HTTP, and what comes of it."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from snowcave.agent.telemetry import otlp_http
from snowcave.agent.telemetry.intake import Intake
from snowcave.agent.telemetry.otlp_grpc import serve_grpc
from snowcave.agent.telemetry.sending import Parcel, Sender, SendSettings
from snowcave.kit.clock import LoopClock
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import Events
from tests.kit.ports import free_port

HOME = "127.0.0.1"
LARGEST = 64 << 10


class Noting(Sender):
    """Keeps what it is offered."""

    def __init__(self, settings: SendSettings) -> None:
        super().__init__("s", Events(), settings, LoopClock(), random.Random(1))
        self.parcels: list[Parcel] = []

    def offer(self, parcels: object) -> None:
        self.parcels.extend(parcels)  # pyright: ignore[reportArgumentType]


@dataclass
class Node:
    """The receivers of a node whose only instance has this machine's loopback address."""

    grpc: str
    http: str
    sender: Noting
    mine: list[state.Assignment] = field(default_factory=list[state.Assignment])

    def rows(self, record_type: str) -> list[events.EventRow]:
        found = (row for one in self.sender.parcels for row in one.rows)
        return [row for row in found if row.record_type == record_type]


def describe(want: state.Assignment, container: str, run: str) -> events.Resource:
    return events.Resource(service=want.service, container_name=container)


@asynccontextmanager
async def node(bytes_per_second: int = 0) -> AsyncGenerator[Node]:
    want = state.Assignment(instance="7-0-1", service=7, address=HOME)
    want.spec.containers.add(name="main")
    mine = [want]
    sender = Noting(SendSettings(bytes_per_second=bytes_per_second))
    intake = Intake(lambda: mine, describe, sender, LoopClock())
    port = free_port()
    async with (
        serve_grpc(HOME, 0, intake, LARGEST) as grpc_port,
        otlp_http.serve_http(HOME, port, otlp_http.routes(intake), LARGEST),
    ):
        yield Node(f"http://{HOME}:{grpc_port}", f"http://{HOME}:{port}", sender, mine)


def trace(exporter: GrpcSpanExporter | HttpSpanExporter) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "snow.x": "1"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests", "1").start_as_current_span("order") as span:
        span.set_attribute("items", 3)
        span.add_event("paid", {"cents": 250})
    provider.shutdown()


def count(exporter: GrpcMetricExporter | HttpMetricExporter) -> None:
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, 60_000)])
    provider.get_meter("tests").create_counter("orders", "1").add(5, {"kind": "web"})
    provider.force_flush(20_000)
    provider.shutdown()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_spans_and_their_events_become_rows(protocol: str):
    async with node() as here:
        exporter = (
            GrpcSpanExporter(here.grpc, insecure=True)
            if protocol == "grpc"
            else HttpSpanExporter(f"{here.http}/v1/traces")
        )
        await asyncio.to_thread(trace, exporter)
        (span,), (event,) = here.rows("SPAN"), here.rows("SPAN_EVENT")
        assert json.loads(span.record)["name"] == "order"
        assert json.loads(span.record_attributes) == {"items": 3}
        assert json.loads(span.scope) == {"name": "tests", "version": "1"}
        assert span.trace == event.trace
        assert json.loads(event.record_attributes) == {"cents": 250}
        resource = here.sender.parcels[0].resource
        assert (resource.service, resource.container_name) == (7, "main")
        assert json.loads(resource.attributes)["service.name"] == "shop"


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_metrics_become_rows(protocol: str):
    async with node() as here:
        exporter = (
            GrpcMetricExporter(here.grpc, insecure=True)
            if protocol == "grpc"
            else HttpMetricExporter(f"{here.http}/v1/metrics")
        )
        await asyncio.to_thread(count, exporter)
        found = {json.loads(row.record)["metric"]["name"]: row for row in here.rows("METRIC")}
        row = found["orders"]
        assert (json.loads(row.value), json.loads(row.record_attributes)) == (5, {"kind": "web"})
        assert json.loads(row.record)["is_monotonic"] is True


async def test_an_address_that_no_instance_has_is_refused():
    async with node() as here, aiohttp.ClientSession() as client:
        here.mine.clear()
        headers = {"Content-Type": "application/x-protobuf"}
        async with client.post(f"{here.http}/v1/traces", data=b"", headers=headers) as answer:
            assert answer.status == 403
        await asyncio.to_thread(trace, GrpcSpanExporter(here.grpc, insecure=True))
        assert here.sender.parcels == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-protobuf", b"\xff\xff", 400),
        ("application/json", b"[]", 400),
        ("text/plain", b"", 415),
        ("application/json", b" " * (LARGEST + 1), 413),
    ],
)
async def test_what_is_no_otlp_or_too_much_is_refused(kind: str, body: bytes, status: int):
    async with node() as here, aiohttp.ClientSession() as client:
        headers = {"Content-Type": kind}
        async with client.post(f"{here.http}/v1/metrics", data=body, headers=headers) as answer:
            assert answer.status == status


async def test_more_than_the_allowance_is_refused_and_said():
    body = {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"name": "x" * 500, "traceId": "01", "spanId": "02"}]}]}
        ]
    }
    async with node(bytes_per_second=100) as here, aiohttp.ClientSession() as client:
        said: list[dict[str, object]] = []
        for _ in range(2):
            async with client.post(f"{here.http}/v1/traces", json=body) as answer:
                assert answer.status == 200
                said.append(await answer.json())
        assert said[0] == {}
        assert said[1]["partialSuccess"] == {
            "rejectedSpans": "1",
            "errorMessage": "This node's allowance of metrics and traces is used up.",
        }
        assert len(here.rows("SPAN")) == 1
