"""The port of the state store: etcd's services, health and reflection."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from snowcave.model.errors import SnowcaveError
from snowcave.statestore import refusals
from snowcave.statestore.access import Access
from snowcave.statestore.services import KvService, LeaseService, MaintenanceService
from snowcave.statestore.settings import Limits
from snowcave.statestore.state import State
from snowcave.statestore.streams import WatchService
from snowcave.store.etcdpb import rpc_pb2_grpc

_SERVICES = ("KV", "Watch", "Lease", "Maintenance")


class PortTaken(SnowcaveError):
    """Somebody else listens there."""


@asynccontextmanager
async def serve(
    state: State,
    addresses: Sequence[str],
    credentials: grpc.ServerCredentials | None,
    *,
    limits: Limits,
    progress: float,
    grace: float = 2.0,
) -> AsyncGenerator[list[int]]:
    """Entered when it answers; gives the port of each address. `credentials` None: no TLS, no roles."""
    server = grpc.aio.server(options=_options(limits), maximum_concurrent_rpcs=limits.calls)
    access = Access(insecure=credentials is None)
    services = _ByName(server)
    rpc_pb2_grpc.add_KVServicer_to_server(KvService(state, access), services)
    rpc_pb2_grpc.add_LeaseServicer_to_server(LeaseService(state, access), services)
    rpc_pb2_grpc.add_MaintenanceServicer_to_server(MaintenanceService(state, access), services)
    watches = WatchService(state, access, progress)
    rpc_pb2_grpc.add_WatchServicer_to_server(watches, services)
    # The stubs do not know the asyncio servicer.
    checks = cast("Any", health).aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, services)
    names = [f"etcdserverpb.{name}" for name in _SERVICES]
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    ports = [_listen(server, address, credentials) for address in addresses]
    await server.start()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield ports
    finally:
        await checks.enter_graceful_shutdown()
        await server.stop(grace)


class _ByName:
    """Adds services so that gRPC finds the method when a call comes. With methods that it knows before,
    its asyncio server waits for each of them apart, and every call pays for all.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The others, which come with them, are added in their place."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        ours = service.startswith("etcdserverpb.")
        named = {name: _tolerant(h) if ours else h for name, h in handlers.items()}
        generic = grpc.method_handlers_generic_handler(service, named)
        self._server.add_generic_rpc_handlers((generic,))


def _tolerant(handler: Any) -> Any:
    """Hands on bytes that are no message as UNREADABLE; gRPC would log a traceback and say "unknown"."""
    parse = handler.request_deserializer

    def deserialize(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError:
            return refusals.UNREADABLE

    return handler._replace(request_deserializer=deserialize)


def _listen(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None
) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise PortTaken(f"The state store cannot listen on {address}: {error}") from error


def _options(limits: Limits) -> list[tuple[str, Any]]:
    # Room for the message around a value of the largest size; what is larger is refused unread.
    largest = limits.request + (512 << 10)
    return [
        ("grpc.max_receive_message_length", largest),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
        # A connection that does not say who it is by then is closed.
        ("grpc.server_handshake_timeout_ms", 20_000),
        ("grpc.max_metadata_size", 16 << 10),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ]
