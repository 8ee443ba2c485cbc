"""From OTLP to rows: what the event table says of metrics, spans and their events."""

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

from snowcave.agent.telemetry import conversion, otlp_http
from snowcave.v1 import events_pb2 as events

NOW = Timestamp(seconds=1_800_000_000)
AT, BEGAN = 1_700_000_001_500_000_000, 1_700_000_000_000_000_000


def text(key: str, value: str) -> common.KeyValue:
    return common.KeyValue(key=key, value=common.AnyValue(string_value=value))


def sent(metric: metrics.Metric) -> metrics.ResourceMetrics:
    made = metrics.ResourceMetrics()
    made.resource.attributes.append(text("service.name", "shop"))
    scope = made.scope_metrics.add()
    scope.scope.name, scope.scope.version = "meter", "1"
    scope.metrics.append(metric)
    return made


def only(metric: metrics.Metric) -> events.EventRow:
    (converted,) = conversion.of_metrics([sent(metric)], NOW)
    assert json.loads(converted.attributes) == {"service.name": "shop"}
    (row,) = converted.rows
    return row


def counter(**point: Any) -> metrics.Metric:
    made = metrics.Metric(name="orders", unit="1")
    made.sum.is_monotonic = True
    made.sum.aggregation_temporality = metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
    made.sum.data_points.add(**point)
    return made


def test_a_counter_is_a_metric_row():
    row = only(
        counter(
            as_int=7,
            time_unix_nano=AT,
            start_time_unix_nano=BEGAN,
            attributes=[text("kind", "web")],
        )
    )
    assert row.record_type == "METRIC"
    assert json.loads(row.record) == {
        "metric": {"name": "orders", "unit": "1"},
        "metric_type": "sum",
        "aggregation_temporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
        "is_monotonic": True,
        "value_type": "INT",
    }
    assert (json.loads(row.value), json.loads(row.record_attributes)) == (7, {"kind": "web"})
    assert json.loads(row.scope) == {"name": "meter", "version": "1"}
    assert (row.timestamp.seconds, row.timestamp.nanos) == (1_700_000_001, 500_000_000)
    assert row.start_timestamp.seconds == 1_700_000_000


@pytest.mark.parametrize(("number", "shown"), [(1.5, 1.5), (float("nan"), "nan")])
def test_every_number_is_json(number: float, shown: object):
    metric = metrics.Metric(name="level")
    metric.gauge.data_points.add(as_double=number, time_unix_nano=AT)
    assert json.loads(only(metric).value) == shown


def test_a_point_without_a_time_has_that_of_its_arrival():
    assert only(counter(as_int=1)).timestamp == NOW


def test_a_histogram_is_an_object():
    metric = metrics.Metric(name="latency")
    metric.histogram.aggregation_temporality = metrics.AGGREGATION_TEMPORALITY_DELTA
    metric.histogram.data_points.add(
        count=3, sum=4.5, bucket_counts=[1, 2], explicit_bounds=[1.0], time_unix_nano=AT
    )
    assert json.loads(only(metric).value) == {
        "count": 3,
        "sum": 4.5,
        "bucket_counts": [1, 2],
        "explicit_bounds": [1.0],
    }


def test_what_is_too_large_for_a_row_is_refused_alone():
    large = counter(as_int=1, attributes=[text("a", "x" * conversion.LARGEST_ROW)])
    both = sent(counter(as_int=1))
    both.scope_metrics[0].metrics.append(large)
    (converted,) = conversion.of_metrics([both], NOW)
    assert (len(converted.rows), converted.refused) == (1, 1)


def span() -> trace.ResourceSpans:
    made = trace.ResourceSpans()
    scope = made.scope_spans.add()
    one = scope.spans.add(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=b"\xff" * 8,
        name="GET /",
        kind=trace.Span.SPAN_KIND_SERVER,
        start_time_unix_nano=BEGAN,
        end_time_unix_nano=AT,
        attributes=[text("http.route", "/")],
    )
    one.status.code = trace.Status.STATUS_CODE_ERROR
    one.status.message = "boom"
    one.events.add(time_unix_nano=BEGAN, name="exception", attributes=[text("what", "boom")])
    return made


def test_a_span_and_its_events_are_rows():
    (converted,) = conversion.of_spans([span()], NOW)
    row, event = converted.rows
    assert (row.record_type, event.record_type) == ("SPAN", "SPAN_EVENT")
    ids = {"trace_id": "000102030405060708090a0b0c0d0e0f", "span_id": "0001020304050607"}
    assert json.loads(row.trace) == json.loads(event.trace) == ids
    assert json.loads(row.record) == {
        "name": "GET /",
        "kind": "SPAN_KIND_SERVER",
        "dropped_attributes_count": 0,
        "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
        "parent_span_id": "ff" * 8,
    }
    assert (row.start_timestamp.seconds, row.timestamp.seconds) == (1_700_000_000, 1_700_000_001)
    assert json.loads(event.record) == {"name": "exception"}
    assert json.loads(event.record_attributes) == {"what": "boom"}


def test_json_spells_ids_in_hexadecimal():
    body = {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"traceId": "00" * 15 + "ff", "name": "x"}]}]}
        ]
    }
    message = trace_service.ExportTraceServiceRequest()
    otlp_http.read(message, "application/json", json.dumps(body).encode())
    (one,) = message.resource_spans[0].scope_spans[0].spans
    assert (one.trace_id[-1], len(one.trace_id), one.name) == (255, 16, "x")


@pytest.mark.parametrize("body", [b"{", b'{"resourceSpans": 1}', b'{"traceId": "xyz"}'])
def test_what_is_no_otlp_is_refused(body: bytes):
    with pytest.raises(ValueError, match=r"."):
        otlp_http.read(trace_service.ExportTraceServiceRequest(), "application/json", body)
