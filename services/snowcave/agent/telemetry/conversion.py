"""From OTLP to rows of the event table. Pure.

Sources: the OTLP specification; Snowflake's documentation of METRIC, SPAN and SPAN_EVENT rows. The value of a
histogram or a summary, which it does not describe, is an object with what OTLP says of it.
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1 import resource_pb2 as otlp_resource
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

from snowcave.v1 import events_pb2 as events

# A row whose texts are longer is refused: nothing that a metric or a span should carry.
LARGEST_ROW = 64 << 10
_NANOS = 10**9
_Point = (
    metrics.NumberDataPoint
    | metrics.HistogramDataPoint
    | metrics.ExponentialHistogramDataPoint
    | metrics.SummaryDataPoint
)


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows that have a resource's attributes in common, as a JSON object."""

    attributes: str
    rows: Sequence[events.EventRow]
    # Larger than a row may be.
    refused: int


def of_metrics(sent: Iterable[metrics.ResourceMetrics], now: Timestamp) -> Iterator[Converted]:
    """`now` stands in for times that nobody gave."""
    for one in sent:
        rows = [
            row
            for scope in one.scope_metrics
            for metric in scope.metrics
            for row in _metric_rows(metric, scope.scope, now)
        ]
        yield _converted(one.resource, rows)


def of_spans(sent: Iterable[trace.ResourceSpans], now: Timestamp) -> Iterator[Converted]:
    for one in sent:
        rows = [
            row
            for scope in one.scope_spans
            for span in scope.spans
            for row in _span_rows(span, scope.scope, now)
        ]
        yield _converted(one.resource, rows)


def _converted(resource: otlp_resource.Resource, rows: Sequence[events.EventRow]) -> Converted:
    kept = [row for row in rows if row.ByteSize() <= LARGEST_ROW]
    attributes = _text(plain(resource.attributes))
    if len(attributes) > LARGEST_ROW:
        return Converted("", (), len(rows))
    return Converted(attributes, kept, len(rows) - len(kept))


# ---- metrics


def _metric_rows(
    metric: metrics.Metric, scope: common.InstrumentationScope, now: Timestamp
) -> Iterator[events.EventRow]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    points: Iterable[_Point] = data.data_points
    about: dict[str, Any] = {"metric": {"name": metric.name}, "metric_type": kind}
    if metric.unit:
        about["metric"]["unit"] = metric.unit
    if metric.description:
        about["metric"]["description"] = metric.description
    if kind in ("sum", "histogram", "exponential_histogram"):
        about["aggregation_temporality"] = metrics.AggregationTemporality.Name(
            data.aggregation_temporality
        )
    if kind == "sum":
        about["is_monotonic"] = data.is_monotonic
    for point in points:
        value, value_type = _value(point)
        row = _row("METRIC", scope, point.time_unix_nano, now)
        row.record = _text(about | ({"value_type": value_type} if value_type else {}))
        row.record_attributes = _text(plain(point.attributes))
        row.value = _text(value)
        if point.start_time_unix_nano:
            row.start_timestamp.CopyFrom(_moment(point.start_time_unix_nano))
        if not isinstance(point, metrics.SummaryDataPoint) and point.exemplars:
            row.exemplars = _text([_exemplar(one) for one in point.exemplars])
        yield row


def _value(point: _Point) -> tuple[Any, str]:
    """The value, and of numbers their type."""
    match point:
        case metrics.NumberDataPoint():
            if point.WhichOneof("value") == "as_int":
                return point.as_int, "INT"
            return _number(point.as_double), "DOUBLE"
        case metrics.HistogramDataPoint():
            return _sums(point) | {
                "bucket_counts": list(point.bucket_counts),
                "explicit_bounds": [_number(one) for one in point.explicit_bounds],
            }, ""
        case metrics.ExponentialHistogramDataPoint():
            return _sums(point) | {
                "scale": point.scale,
                "zero_count": point.zero_count,
                **{
                    side: _buckets(getattr(point, side))
                    for side in ("positive", "negative")
                    if point.HasField(side)
                },
            }, ""
        case _:
            quantiles = [
                {"quantile": one.quantile, "value": _number(one.value)}
                for one in point.quantile_values
            ]
            sums = {"count": point.count, "sum": _number(point.sum)}
            return sums | {"quantile_values": quantiles}, ""


def _sums(
    point: metrics.HistogramDataPoint | metrics.ExponentialHistogramDataPoint,
) -> dict[str, Any]:
    found: dict[str, Any] = {"count": point.count}
    for name in ("sum", "min", "max"):
        if point.HasField(name):
            found[name] = _number(getattr(point, name))
    return found


def _buckets(buckets: metrics.ExponentialHistogramDataPoint.Buckets) -> dict[str, Any]:
    return {"offset": buckets.offset, "bucket_counts": list(buckets.bucket_counts)}


def _exemplar(one: metrics.Exemplar) -> dict[str, Any]:
    is_int = one.WhichOneof("value") == "as_int"
    found: dict[str, Any] = {
        "time_unix_nano": one.time_unix_nano,
        "value": one.as_int if is_int else _number(one.as_double),
        "filtered_attributes": plain(one.filtered_attributes),
    }
    if one.trace_id:
        found |= {"trace_id": one.trace_id.hex(), "span_id": one.span_id.hex()}
    return found


# ---- spans


def _span_rows(
    span: trace.Span, scope: common.InstrumentationScope, now: Timestamp
) -> Iterator[events.EventRow]:
    """The span at its end, then its events."""
    ids = _text({"trace_id": span.trace_id.hex(), "span_id": span.span_id.hex()})
    row = _row("SPAN", scope, span.end_time_unix_nano, now)
    row.trace = ids
    row.record = _text(_about_span(span))
    row.record_attributes = _text(plain(span.attributes))
    if span.start_time_unix_nano:
        row.start_timestamp.CopyFrom(_moment(span.start_time_unix_nano))
    yield row
    for event in span.events:
        row = _row("SPAN_EVENT", scope, event.time_unix_nano, now)
        row.trace = ids
        row.record = _text({"name": event.name})
        row.record_attributes = _text(plain(event.attributes))
        yield row


def _about_span(span: trace.Span) -> dict[str, Any]:
    about: dict[str, Any] = {
        "name": span.name,
        "kind": trace.Span.SpanKind.Name(_known(span.kind, trace.Span.SpanKind.values())),
        "dropped_attributes_count": span.dropped_attributes_count,
        "status": {
            "code": trace.Status.StatusCode.Name(
                _known(span.status.code, trace.Status.StatusCode.values())
            )
        },
    }
    if span.status.message:
        about["status"]["message"] = span.status.message
    if span.parent_span_id:
        about["parent_span_id"] = span.parent_span_id.hex()
    if span.trace_state:
        about["trace_state"] = span.trace_state
    if span.links:
        about["links"] = [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": plain(link.attributes),
            }
            for link in span.links
        ]
    return about


# ---- what both have


def _row(
    record_type: str, scope: common.InstrumentationScope, nanos: int, now: Timestamp
) -> events.EventRow:
    row = events.EventRow(record_type=record_type)
    row.timestamp.CopyFrom(_moment(nanos) if nanos else now)
    about = {name: text for name in ("name", "version") if (text := str(getattr(scope, name)))}
    if about:
        row.scope = _text(about)
    if scope.attributes:
        row.scope_attributes = _text(plain(scope.attributes))
    return row


def plain(attributes: Iterable[common.KeyValue]) -> dict[str, Any]:
    """As JSON has it."""
    return {one.key: _any(one.value) for one in attributes}


def _any(value: common.AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return _number(value.double_value)
        case "array_value":
            return [_any(one) for one in value.array_value.values]
        case "kvlist_value":
            return plain(value.kvlist_value.values)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case _:
            return None


def _number(value: float) -> float | str:
    """JSON has no other numbers."""
    return value if math.isfinite(value) else str(value)


def _known(number: int, values: Iterable[int]) -> Any:
    return number if number in values else 0


def _moment(nanos: int) -> Timestamp:
    return Timestamp(seconds=nanos // _NANOS, nanos=nanos % _NANOS)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
