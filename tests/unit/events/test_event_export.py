"""Rows of the event table, sent on to an OTLP collector: as what they are, and without holding up anybody."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

from snowcave.agent.telemetry import conversion as received
from snowcave.events.export.conversion import outgoing
from snowcave.events.export.exporter import Exporter, headers, open_exporter, target
from snowcave.events.settings import ExportSettings
from snowcave.kit.clock import LoopClock
from snowcave.model import platform_events
from snowcave.runtime import tls
from snowcave.runtime.settings import SettingsInvalid
from snowcave.v1 import events_pb2 as events

NOW = Timestamp(seconds=1_800_000_000)
AT, BEGAN = 1_700_000_001_500_000_000, 1_700_000_000_000_000_000
RESOURCE = events.Resource(service=7, service_name="SHOP", container_name="main")


def text(key: str, value: str) -> common.KeyValue:
    return common.KeyValue(key=key, value=common.AnyValue(string_value=value))


def append(*rows: events.EventRow) -> events.AppendRequest:
    return events.AppendRequest(resources=[RESOURCE], rows=rows)


def line(words: str, **attributes: str) -> events.EventRow:
    row = events.EventRow(
        record_type="LOG",
        record='{"severity_text": "WARN"}',
        record_attributes=json.dumps({"log.iostream": "stdout"}),
        value=json.dumps(words),
    )
    row.timestamp.FromNanoseconds(AT)
    return row


def test_a_line_is_a_log_record_of_its_container():
    (of,) = outgoing(append(line("hello"))).logs.resource_logs
    names = {one.key: one.value for one in of.resource.attributes}
    assert names["snow.service.name"].string_value == "SHOP"
    assert names["snow.service.container.name"].string_value == "main"
    (record,) = of.scope_logs[0].log_records
    assert (record.body.string_value, record.severity_text) == ("hello", "WARN")
    assert (record.severity_number, record.time_unix_nano) == (13, AT)
    assert list(record.attributes) == [text("log.iostream", "stdout")]


def test_lines_that_came_as_columns_are_the_same():
    request = events.AppendRequest(resources=[RESOURCE])
    request.lines.kinds.add(record_type="LOG", record="{}")
    for words in ("one", "zwölf"):
        value = json.dumps(words, ensure_ascii=False).encode()
        request.lines.kind.append(0)
        request.lines.timestamp.append(AT // 1000)
        request.lines.value += value
        request.lines.value_length.append(len(value))
    records = outgoing(request).logs.resource_logs[0].scope_logs[0].log_records
    assert [record.body.string_value for record in records] == ["one", "zwölf"]


def test_a_platform_event_is_an_event_by_its_name():
    event = platform_events.of_service("FAILED", is_job=False)
    assert event is not None
    row = platform_events.row(event, 0, datetime(2026, 1, 2, tzinfo=UTC))
    (of,) = outgoing(append(row)).logs.resource_logs
    assert of.scope_logs[0].scope.name == "snow.spcs.platform"
    (record,) = of.scope_logs[0].log_records
    assert (record.event_name, record.severity_text) == ("SERVICE.STATUS_CHANGE", "ERROR")
    said = {one.key: one.value.string_value for one in record.body.kvlist_value.values}
    assert said == {"message": "Service has failed", "status": "FAILED"}


def test_spans_go_out_as_they_came():
    sent = trace.ResourceSpans()
    scope = sent.scope_spans.add(scope={"name": "tests", "version": "1"})
    span = scope.spans.add(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=b"\xff" * 8,
        name="GET /",
        kind=trace.Span.SPAN_KIND_SERVER,
        start_time_unix_nano=BEGAN,
        end_time_unix_nano=AT,
        attributes=[text("http.route", "/")],
        events=[trace.Span.Event(time_unix_nano=BEGAN, name="begun", attributes=[text("a", "b")])],
        links=[trace.Span.Link(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)],
    )
    span.status.code, span.status.message = trace.Status.STATUS_CODE_ERROR, "boom"
    (converted,) = received.of_spans([sent], NOW)
    (of,) = outgoing(append(*converted.rows)).traces.resource_spans
    assert of.scope_spans[0] == scope


@pytest.mark.parametrize("kind", ["gauge", "sum", "histogram", "exponential_histogram", "summary"])
def test_metrics_go_out_as_they_came(kind: str):
    metric = metrics.Metric(name="m", unit="s")
    common_fields: dict[str, Any] = {
        "time_unix_nano": AT,
        "start_time_unix_nano": BEGAN,
        "attributes": [text("a", "b")],
    }
    points = getattr(metric, kind).data_points
    match kind:
        case "gauge":
            points.add(**common_fields, as_double=1.5)
        case "sum":
            metric.sum.is_monotonic = True
            points.add(**common_fields, as_int=3)
        case "histogram":
            points.add(
                **common_fields, count=3, sum=4.5, bucket_counts=[1, 2], explicit_bounds=[1]
            )
        case "exponential_histogram":
            points.add(
                **common_fields, count=3, scale=2, positive={"offset": 1, "bucket_counts": [3]}
            )
        case _:
            points.add(**common_fields, count=3, sum=4.5, quantile_values=[{"quantile": 0.5}])
    if kind in ("sum", "histogram", "exponential_histogram"):
        getattr(metric, kind).aggregation_temporality = metrics.AGGREGATION_TEMPORALITY_DELTA
    sent = metrics.ResourceMetrics()
    sent.scope_metrics.add().metrics.append(metric)
    (converted,) = received.of_metrics([sent], NOW)
    (of,) = outgoing(append(*converted.rows)).metrics.resource_metrics
    assert list(of.scope_metrics[0].metrics) == [metric]


@pytest.mark.parametrize(
    "row",
    [
        events.EventRow(record_type="METRIC", value="1"),
        events.EventRow(record_type="SPAN", trace="{}"),
        events.EventRow(record_type="SPAN_EVENT", trace='{"trace_id": "00"}'),
        events.EventRow(record_type="LOG", value="{"),
    ],
)
def test_what_otlp_has_no_words_for_is_counted_and_the_rest_goes_on(row: events.EventRow):
    made = outgoing(append(row, line("after")))
    assert made.strange == 1
    assert len(made.logs.resource_logs[0].scope_logs[0].log_records) == 1


# ---- the way there


class Collector(logs_grpc.LogsServiceServicer):
    """Refuses with the codes given, then takes everything."""

    def __init__(self, *refusals: grpc.StatusCode) -> None:
        self.refusals = list(refusals)
        self.lines: list[str] = []
        self.keys: list[Any] = []

    async def Export(self, request: logs.ExportLogsServiceRequest, context: Any) -> Any:  # noqa: N802
        if self.refusals:
            await context.abort(self.refusals.pop(0), "not now")
        self.keys.append(dict(context.invocation_metadata()).get("key"))
        records = (r for of in request.resource_logs for s in of.scope_logs for r in s.log_records)
        self.lines += [record.body.string_value for record in records]
        return logs.ExportLogsServiceResponse()


@asynccontextmanager
async def exporting(
    collector: Collector, pair: bytes = b"", **settings: Any
) -> AsyncGenerator[tuple[Exporter, Collector]]:
    """`pair`: key and certificate (PEM) of a collector that speaks TLS."""
    server = grpc.aio.server()
    logs_grpc.add_LogsServiceServicer_to_server(collector, server)
    if pair:
        credentials = grpc.ssl_server_credentials([(pair, pair)])
        endpoint = f"https://localhost:{server.add_secure_port('127.0.0.1:0', credentials)}"
    else:
        endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    wished = ExportSettings(endpoint=endpoint, headers="Key=secret", retry_cap=0.1, **settings)
    try:
        async with open_exporter(wished, LoopClock(), random.Random(1)) as exporter:
            yield exporter, collector
    finally:
        await server.stop(0)


async def arrived(collector: Collector, count: int) -> None:
    async with asyncio.timeout(60):
        while len(collector.lines) < count:
            await asyncio.sleep(0.01)


async def test_a_collector_that_is_away_gets_everything_in_order_later():
    away = Collector(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    async with exporting(away) as (exporter, collector):
        for number in range(3):
            exporter.offer(append(line(str(number))))
        await arrived(collector, 3)
        assert (collector.lines, collector.keys[0]) == (["0", "1", "2"], "secret")


def certified(folder: Path) -> tuple[bytes, str]:
    """A collector's key and certificate, and the file of the authority that vouches for it."""
    folder.mkdir()
    tls.ensure(folder)
    return tls.HostIssuer(folder).issue("localhost"), str(folder / "ca.pem")


async def test_a_collector_whose_certificate_is_signed_as_the_settings_say_is_sent_to(
    tmp_path: Path,
):
    pair, ca_file = certified(tmp_path / "ours")
    async with exporting(Collector(), pair, ca_file=ca_file) as (exporter, collector):
        exporter.offer(append(line("over TLS")))
        await arrived(collector, 1)
        assert (collector.lines, collector.keys) == (["over TLS"], ["secret"])


async def test_a_collector_that_somebody_else_vouches_for_gets_nothing(tmp_path: Path):
    pair, _ = certified(tmp_path / "ours")
    _, ca_file = certified(tmp_path / "others")
    with structlog.testing.capture_logs() as said:
        async with exporting(Collector(), pair, ca_file=ca_file) as (exporter, collector):
            exporter.offer(append(line("not for you")))
            async with asyncio.timeout(60):
                while not any(one["event"] == "export_waits" for one in said):
                    await asyncio.sleep(0.01)
            assert (collector.lines, collector.keys) == ([], [])


async def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path):
    settings = ExportSettings(endpoint="https://localhost:1", ca_file=str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match=r"events\.export\.ca_file"):
        async with open_exporter(settings, LoopClock(), random.Random(1)):
            pass


async def test_what_a_collector_will_never_take_is_left_out():
    async with exporting(Collector(grpc.StatusCode.INVALID_ARGUMENT)) as (exporter, collector):
        exporter.offer(append(line("refused")))
        exporter.offer(append(line("taken")))
        await arrived(collector, 1)
        assert collector.lines == ["taken"]


async def test_no_more_waits_than_there_is_room_for():
    request = append(line("x"))
    room = 2 * request.ByteSize()
    async with exporting(Collector(), waiting_bytes=room) as (exporter, collector):
        for _ in range(5):
            exporter.offer(request)
        await arrived(collector, 2)
        exporter.offer(append(line("y")))
        await arrived(collector, 3)
        assert collector.lines == ["x", "x", "y"]


@pytest.mark.parametrize("endpoint", ["collector:4317", "ftp://x", "http://"])
def test_an_endpoint_is_a_url(endpoint: str):
    with pytest.raises(SettingsInvalid, match=r"events\.export\.endpoint"):
        target(endpoint)
    assert target("https://x") == ("x:4317", True)


def test_headers_are_pairs():
    assert headers("A=1, b = 2=3") == (("a", "1"), ("b", "2=3"))
    with pytest.raises(SettingsInvalid, match=r"events\.export\.headers"):
        headers("a")
