"""gRPC between daemons: mTLS, role checks, health, reflection."""

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from snowcave.model.errors import (
    DeadlinePassed,
    SnowcaveError,
)
from snowcave.model.keys import Role
from snowcave.runtime import metrics, outcomes, tls

log = structlog.get_logger()

_ROLES = {role.value: role for role in Role}
MAX_MESSAGE = 64 << 20
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
    # A connection that does not say who it is by then is closed.
    ("grpc.server_handshake_timeout_ms", 20_000),
    # A peer that vanished without a word is noticed within this time.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    # A daemon that restarts is found again at once, not after a minute of growing pauses.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # No pause, whatever its name says: how long an attempt may take at least. Were it shorter than a
    # handshake with a starved peer, every attempt would be cut and the next one begin from nothing.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    # Each channel its own connection: two channels of one process may carry different certificates.
    ("grpc.use_local_subchannel_pool", 1),
]

AddServicer = Callable[[grpc.aio.Server], None]


@asynccontextmanager
async def serve(
    role: Role,
    addresses: Sequence[str],
    tls_folder: Path,
    services: Sequence[tuple[str, AddServicer]],
    *,
    callers: Collection[Role] | Mapping[str, Collection[Role]],
    grace: float = 5.0,
) -> AsyncGenerator[grpc.aio.Server]:
    """A server of the named services, open to the given roles; left when its calls have ended.

    `services` pairs a full service name with a function that adds its servicer; `callers` are the same for
    all of them, or said for each by its name.
    """
    allowed = (
        {name: frozenset(roles) for name, roles in callers.items()}
        if isinstance(callers, Mapping)
        else dict.fromkeys((name for name, _ in services), frozenset(callers))
    )
    server = grpc.aio.server(
        interceptors=[_Guard(allowed)], options=_OPTIONS, maximum_concurrent_rpcs=4096
    )
    credentials = tls.server_credentials(tls_folder, role)
    for address in addresses:
        server.add_secure_port(address, credentials)
    async with _serving(server, services, grace):
        yield server


@dataclass(frozen=True)
class Bounds:
    """Of a server that anybody may connect to."""

    # Calls at one time; further ones are told to come again.
    calls: int = 1024
    # Of one connection.
    streams: int = 128
    # Bytes of one message.
    message: int = 16 << 20
    # Seconds of a stream for which nobody has to say who they are: of health or reflection.
    unnamed: float = 60.0


@asynccontextmanager
async def serve_public(
    role: Role,
    services: Sequence[tuple[str, AddServicer]],
    *,
    plain: Sequence[str],
    encrypted: Sequence[str],
    tls_folder: Path,
    bounds: Bounds,
    grace: float = 5.0,
) -> AsyncGenerator[grpc.aio.Server]:
    """As `serve`, for callers without certificates: the servicers themselves look at who calls.

    `plain` are addresses without TLS.
    """
    options = [
        *(one for one in _OPTIONS if one[0] != "grpc.max_receive_message_length"),
        ("grpc.max_receive_message_length", bounds.message),
        ("grpc.max_concurrent_streams", bounds.streams),
    ]
    server = grpc.aio.server(
        interceptors=[_Guard(None, bounds.unnamed)],
        options=options,
        maximum_concurrent_rpcs=bounds.calls,
    )
    for address in plain:
        server.add_insecure_port(address)
    credentials = tls.public_credentials(tls_folder, role)
    for address in encrypted:
        server.add_secure_port(address, credentials)
    async with _serving(server, services, grace):
        yield server


@asynccontextmanager
async def _serving(
    server: grpc.aio.Server, services: Sequence[tuple[str, AddServicer]], grace: float
) -> AsyncGenerator[None]:
    # The stubs do not know the asyncio servicer.
    checks = cast("Any", health).aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = [health.SERVICE_NAME, reflection.SERVICE_NAME]
    for name, add in services:
        add(server)
        names.append(name)
    reflection.enable_server_reflection(names, server)
    await server.start()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield
    finally:
        await checks.enter_graceful_shutdown()
        await server.stop(grace)


@asynccontextmanager
async def connect(
    address: str, tls_folder: Path, *, me: Role, to: Role
) -> AsyncGenerator[grpc.aio.Channel]:
    """A channel to the daemon of role `to`; it connects on first use and again by itself."""
    channel = grpc.aio.secure_channel(
        address,
        tls.channel_credentials(tls_folder, me),
        options=[*_OPTIONS, ("grpc.ssl_target_name_override", tls.server_name(to))],
    )
    try:
        yield channel
    finally:
        await channel.close(grace=1.0)


@asynccontextmanager
async def connect_public(
    address: str, authority: bytes | None
) -> AsyncGenerator[grpc.aio.Channel]:
    """As `connect`, to a server of `serve_public`. `authority`: PEM; None: without TLS."""
    name = ("grpc.ssl_target_name_override", tls.server_name(Role.API))
    if authority is None:
        channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
    else:
        trusted = grpc.ssl_channel_credentials(authority)
        channel = grpc.aio.secure_channel(address, trusted, options=[*_OPTIONS, name])
    try:
        yield channel
    finally:
        await channel.close(grace=1.0)


def caller(context: Any) -> Role | None:
    """Whose certificate the caller showed."""
    names = context.auth_context().get("x509_common_name", ())
    return _ROLES.get(names[0].decode()) if names else None


class _Guard(
    grpc.aio.ServerInterceptor[Any, Any] if TYPE_CHECKING else grpc.aio.ServerInterceptor
):
    """Refuses unknown roles and gives every SnowcaveError its status, code and text.

    `callers`: None where no certificate is asked for.
    """

    def __init__(
        self, callers: Mapping[str, frozenset[Role]] | None, unnamed: float | None = None
    ) -> None:
        self._callers = callers
        self._unnamed = unnamed

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method
            return handler
        method = handler_call_details.method
        service = method.split("/")[1]
        if self._callers is None or service.startswith("grpc."):
            limit = self._unnamed if service.startswith("grpc.") else None
            return _guarded(handler, method, None, limit)
        return _guarded(handler, method, self._callers.get(service, frozenset()))


def _guarded(
    handler: Any, method: str, callers: frozenset[Role] | None, limit: float | None = None
) -> Any:
    async def admit(context: Any) -> None:
        if callers is not None and caller(context) not in callers:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED, "this certificate may not call here"
            )

    async def unary(request: Any, context: Any) -> Any:
        await admit(context)
        with metrics.timed(method):
            try:
                answer = await (handler.unary_unary or handler.stream_unary)(request, context)
            except SnowcaveError as error:
                await _abort(context, error, method)
            except TimeoutError:
                await _abort(context, DeadlinePassed("The call took too long."), method)
            else:
                metrics.CALLS.labels(method, "OK").inc()
                return answer

    async def stream(request: Any, context: Any) -> AsyncGenerator[Any]:
        await admit(context)
        try:
            answers = (handler.unary_stream or handler.stream_stream)(request, context)
            async with asyncio.timeout(limit):
                if inspect.isawaitable(
                    answers
                ):  # it writes to the context itself, as Health.Watch does
                    await answers
                    return
                async for answer in answers:
                    yield answer
        except SnowcaveError as error:
            await _abort(context, error, method)
        except TimeoutError:
            await _abort(context, DeadlinePassed("The call took too long."), method)
        else:
            metrics.CALLS.labels(method, "OK").inc()

    make, behaviour = {
        (False, False): (grpc.unary_unary_rpc_method_handler, unary),
        (True, False): (grpc.stream_unary_rpc_method_handler, unary),
        (False, True): (grpc.unary_stream_rpc_method_handler, stream),
        (True, True): (grpc.stream_stream_rpc_method_handler, stream),
    }[(handler.request_streaming, handler.response_streaming)]
    return make(
        behaviour,  # pyright: ignore[reportArgumentType]
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _abort(context: Any, error: SnowcaveError, method: str) -> None:
    metrics.CALLS.labels(method, error.kind.value.grpc).inc()
    await outcomes.abort(context, error)
