"""From rows of the event table to OTLP: lines and events as log records, metrics and spans as they are. Pure.

What was received over OTLP goes out as it came, but for what a row does not keep: dropped counts of events
and links, and exemplars.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from snowcave.events.attributes import attributes
from snowcave.v1 import events_pb2 as events

_NANOS = 10**9
_STRANGE = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
# By what an event's or a line's severity_text says.
_SEVERITIES = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "WARN": 13,
    "WARNING": 13,
    "ERROR": 17,
    "FATAL": 21,
}

# Index of the resource, and the scope.
_Key = tuple[int, str]


@dataclass(slots=True)
class Outgoing:
    """What becomes of an append. `strange` counts rows that OTLP has no words for."""

    logs: logs_service.ExportLogsServiceRequest = field(
        default_factory=logs_service.ExportLogsServiceRequest
    )
    metrics: metrics_service.ExportMetricsServiceRequest = field(
        default_factory=metrics_service.ExportMetricsServiceRequest
    )
    traces: trace_service.ExportTraceServiceRequest = field(
        default_factory=trace_service.ExportTraceServiceRequest
    )
    strange: int = 0


def outgoing(request: events.AppendRequest) -> Outgoing:
    sorting = _Sorting(request)
    for row in _all_rows(request):
        try:
            sorting.add(row)
        except _STRANGE:
            sorting.made.strange += 1
    return sorting.made


def _all_rows(request: events.AppendRequest) -> Iterator[events.EventRow]:
    yield from request.rows
    lines, begin = request.lines, 0
    columns = zip(lines.kind, lines.timestamp, lines.value_length, strict=True)
    for number, micros, length in columns:
        kind = lines.kinds[number]
        row = events.EventRow(
            resource=kind.resource,
            record_type=kind.record_type,
            record=kind.record,
            record_attributes=kind.record_attributes,
            scope=kind.scope,
            value=lines.value[begin : begin + length].decode(errors="replace"),
        )
        row.timestamp.FromMicroseconds(micros)
        begin += length
        yield row


class _Sorting:
    """Puts rows under their resource and scope, a span's events into the span that came before them."""

    def __init__(self, request: events.AppendRequest) -> None:
        self.made = Outgoing()
        self._request = request
        self._logs: dict[_Key, logs_pb2.ScopeLogs] = {}
        self._metrics: dict[_Key, metrics_pb2.ScopeMetrics] = {}
        self._spans: dict[_Key, trace_pb2.ScopeSpans] = {}
        self._by_ids: dict[str, trace_pb2.Span] = {}

    def add(self, row: events.EventRow) -> None:
        """Raises one of _STRANGE, with nothing added."""
        match row.record_type:
            case "METRIC":
                metric = _metric(row)
                self._metrics_of(row).metrics.append(metric)
            case "SPAN":
                span = _span(row)
                spans = self._spans_of(row).spans
                spans.append(span)
                self._by_ids[row.trace] = spans[-1]
            case "SPAN_EVENT":
                event = _span_event(row)
                self._by_ids[row.trace].events.append(event)
            case _:
                record = _log(row)
                self._logs_of(row).log_records.append(record)

    def _logs_of(self, row: events.EventRow) -> logs_pb2.ScopeLogs:
        key = (row.resource, row.scope)
        if key not in self._logs:
            of = self.made.logs.resource_logs.add()
            of.resource.attributes.extend(self._resource(row))
            self._logs[key] = of.scope_logs.add(scope=_scope(row))
        return self._logs[key]

    def _metrics_of(self, row: events.EventRow) -> metrics_pb2.ScopeMetrics:
        key = (row.resource, row.scope)
        if key not in self._metrics:
            of = self.made.metrics.resource_metrics.add()
            of.resource.attributes.extend(self._resource(row))
            self._metrics[key] = of.scope_metrics.add(scope=_scope(row))
        return self._metrics[key]

    def _spans_of(self, row: events.EventRow) -> trace_pb2.ScopeSpans:
        key = (row.resource, row.scope)
        if key not in self._spans:
            of = self.made.traces.resource_spans.add()
            of.resource.attributes.extend(self._resource(row))
            self._spans[key] = of.scope_spans.add(scope=_scope(row))
        return self._spans[key]

    def _resource(self, row: events.EventRow) -> list[common.KeyValue]:
        return _pairs(_object(attributes(self._request.resources[row.resource])))


# ---- by the kind of row


def _log(row: events.EventRow) -> logs_pb2.LogRecord:
    record = _object(row.record)
    severity = str(record.get("severity_text", ""))
    made = logs_pb2.LogRecord(
        time_unix_nano=_nanos(row.timestamp),
        severity_text=severity,
        severity_number=cast("Any", _SEVERITIES.get(severity.upper(), 0)),
        body=_any(json.loads(row.value)) if row.value else None,
        attributes=_pairs(_object(row.record_attributes)),
    )
    if row.record_type == "EVENT":
        made.event_name = str(record.get("name", ""))
    return made


def _metric(row: events.EventRow) -> metrics_pb2.Metric:
    record, value = _object(row.record), json.loads(row.value)
    about = record["metric"]
    made = metrics_pb2.Metric(name=str(about["name"]), unit=str(about.get("unit", "")))
    common_fields: dict[str, Any] = {
        "time_unix_nano": _nanos(row.timestamp),
        "start_time_unix_nano": _nanos(row.start_timestamp),
        "attributes": _pairs(_object(row.record_attributes)),
    }
    kind = str(record.get("metric_type", "gauge"))
    if kind in ("sum", "histogram", "exponential_histogram"):
        temporality = str(
            record.get("aggregation_temporality", "AGGREGATION_TEMPORALITY_UNSPECIFIED")
        )
        getattr(made, kind).aggregation_temporality = metrics_pb2.AggregationTemporality.Value(
            temporality
        )
    match kind:
        case "histogram":
            made.histogram.data_points.add(**common_fields, **value)
        case "exponential_histogram":
            made.exponential_histogram.data_points.add(**common_fields, **value)
        case "summary":
            made.summary.data_points.add(**common_fields, **value)
        case "sum":
            made.sum.is_monotonic = bool(record.get("is_monotonic"))
            made.sum.data_points.add(**common_fields, **_number(value))
        case _:
            made.gauge.data_points.add(**common_fields, **_number(value))
    return made


def _number(value: Any) -> dict[str, Any]:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"as_int": value}
    return {"as_double": float(value)}


def _span(row: events.EventRow) -> trace_pb2.Span:
    record, ids = _object(row.record), json.loads(row.trace)
    made = trace_pb2.Span(
        trace_id=bytes.fromhex(ids["trace_id"]),
        span_id=bytes.fromhex(ids["span_id"]),
        parent_span_id=bytes.fromhex(record.get("parent_span_id", "")),
        trace_state=record.get("trace_state", ""),
        name=str(record.get("name", "")),
        kind=trace_pb2.Span.SpanKind.Value(record.get("kind", "SPAN_KIND_UNSPECIFIED")),
        start_time_unix_nano=_nanos(row.start_timestamp),
        end_time_unix_nano=_nanos(row.timestamp),
        attributes=_pairs(_object(row.record_attributes)),
    )
    status: dict[str, Any] = record.get("status", {})
    made.status.code = trace_pb2.Status.StatusCode.Value(status.get("code", "STATUS_CODE_UNSET"))
    made.status.message = status.get("message", "")
    for link in record.get("links", ()):
        made.links.add(
            trace_id=bytes.fromhex(link["trace_id"]),
            span_id=bytes.fromhex(link["span_id"]),
            attributes=_pairs(link.get("attributes", {})),
        )
    return made


def _span_event(row: events.EventRow) -> trace_pb2.Span.Event:
    return trace_pb2.Span.Event(
        time_unix_nano=_nanos(row.timestamp),
        name=str(_object(row.record).get("name", "")),
        attributes=_pairs(_object(row.record_attributes)),
    )


# ---- what all have


def _scope(row: events.EventRow) -> common.InstrumentationScope:
    found = _object(row.scope)
    return common.InstrumentationScope(
        name=str(found.get("name", "")), version=str(found.get("version", ""))
    )


def _object(text: str) -> dict[str, Any]:
    found: Any = json.loads(text) if text else {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _pairs(found: dict[str, Any]) -> list[common.KeyValue]:
    return [common.KeyValue(key=key, value=_any(value)) for key, value in found.items()]


def _any(value: Any) -> common.AnyValue:
    match value:
        case None:
            return common.AnyValue()
        case bool():
            return common.AnyValue(bool_value=value)
        case str():
            return common.AnyValue(string_value=value)
        case int() if -(1 << 63) <= value < 1 << 63:
            return common.AnyValue(int_value=value)
        case int() | float():
            return common.AnyValue(double_value=float(value) if math.isfinite(value) else 0.0)
        case list():
            items = cast("list[Any]", value)
            return common.AnyValue(array_value=common.ArrayValue(values=[_any(x) for x in items]))
        case _:
            pairs = _pairs(cast("dict[str, Any]", value))
            return common.AnyValue(kvlist_value=common.KeyValueList(values=pairs))


def _nanos(stamp: Timestamp) -> int:
    return stamp.seconds * _NANOS + stamp.nanos
