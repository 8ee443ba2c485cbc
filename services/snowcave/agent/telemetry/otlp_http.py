"""OTLP over HTTP: /v1/metrics and /v1/traces, as protobuf or JSON, compressed or not."""

import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

from snowcave.agent.telemetry.intake import RECEIVED, Intake
from snowcave.model.errors import NotAuthorized
from snowcave.runtime.http import AppRunner

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_KEEP_ALIVE = 75.0
# What JSON spells in hexadecimal though protobuf's JSON would have it in base64.
_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")

M = TypeVar("M", bound=Message)


def routes(intake: Intake) -> list[web.RouteDef]:
    async def take_metrics(request: web.Request) -> web.Response:
        RECEIVED.labels("http", "metrics").inc()
        return await _answered(request, metrics.ExportMetricsServiceRequest(), intake.metrics)

    async def take_spans(request: web.Request) -> web.Response:
        RECEIVED.labels("http", "traces").inc()
        return await _answered(request, trace.ExportTraceServiceRequest(), intake.spans)

    return [web.post("/v1/metrics", take_metrics), web.post("/v1/traces", take_spans)]


async def _answered(
    request: web.Request, message: M, take: Callable[[M, str], Awaitable[Message]]
) -> web.Response:
    kind = request.content_type
    if kind not in (_PROTOBUF, _JSON):
        return web.Response(status=415, text=f"{_PROTOBUF} or {_JSON}\n")
    try:
        read(message, kind, await request.read())
    except (DecodeError, ValueError, RecursionError) as error:
        return web.Response(status=400, text=f"{str(error)[:200]}\n")
    try:
        answer = await take(message, request.remote or "")
    except NotAuthorized as error:
        return web.Response(status=403, text=f"{error.message}\n")
    if kind == _PROTOBUF:
        return web.Response(body=answer.SerializeToString(), content_type=_PROTOBUF)
    return web.Response(text=json_format.MessageToJson(answer), content_type=_JSON)


def read(message: Message, kind: str, body: bytes) -> None:
    """Raises DecodeError, ValueError."""
    if kind == _PROTOBUF:
        message.ParseFromString(body)
        return
    found: Any = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("The body is no JSON object.")
    try:
        json_format.ParseDict(_with_base64(found), message, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def _with_base64(found: Any) -> Any:
    if isinstance(found, list):
        return [_with_base64(one) for one in cast("list[Any]", found)]
    if not isinstance(found, dict):
        return found
    return {
        name: _id(value) if name in _IDS and isinstance(value, str) else _with_base64(value)
        for name, value in cast("dict[str, Any]", found).items()
    }


def _id(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


@asynccontextmanager
async def serve_http(
    host: str, port: int, handlers: list[web.RouteDef], largest: int
) -> AsyncGenerator[None]:
    """Raises OSError where the port is taken. A body counts as it is after decompression."""
    app = web.Application(client_max_size=largest)
    app.router.add_routes(handlers)
    runner = AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=_KEEP_ALIVE,
        lingering_time=1.0,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
