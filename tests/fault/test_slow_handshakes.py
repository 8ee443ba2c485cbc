"""A peer on a starved machine takes seconds to say who it is: it is connected all the same."""

import asyncio
import random
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect, serve
from snowcave.store.client import open_store
from snowcave.store.etcdpb import rpc_pb2 as pb
from snowcave.store.etcdpb import rpc_pb2_grpc
from tests.fault.kit.proxy import Behaviour, proxied
from tests.kit.ports import free_port_base

pytestmark = pytest.mark.ours
RNG = random.Random(0)
# Each way: a handshake takes longer than the longest pause between two attempts.
SLOW = Behaviour(delay=0.4)


async def test_a_daemon_that_is_slow_to_shake_hands_is_called(tmp_path):
    tls.ensure(tmp_path)
    port = free_port_base()
    async with (
        asyncio.timeout(60),
        serve(Role.AGENT, [f"127.0.0.1:{port}"], tmp_path, [], callers={Role.API}),
        proxied("127.0.0.1", port, RNG) as proxy,
        connect(f"127.0.0.1:{proxy.port}", tmp_path, me=Role.API, to=Role.AGENT) as channel,
    ):
        proxy.behaviour = SLOW
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert proxy.counts.accepted == 1


class _Answering(rpc_pb2_grpc.KVServicer):
    async def Range(self, request: Any, context: Any) -> pb.RangeResponse:  # noqa: N802
        return pb.RangeResponse()


async def test_a_store_that_is_slow_to_shake_hands_is_opened(tmp_path):
    tls.ensure(tmp_path)
    server = grpc.aio.server()
    rpc_pb2_grpc.add_KVServicer_to_server(_Answering(), server)
    shown = tls.server_credentials(tmp_path, Role.STATESTORE)
    port = server.add_secure_port("127.0.0.1:0", shown)
    await server.start()
    try:
        async with asyncio.timeout(60), proxied("127.0.0.1", port, RNG) as proxy:
            proxy.behaviour = SLOW
            async with open_store(
                f"127.0.0.1:{proxy.port}",
                Role.API,
                credentials=tls.channel_credentials(tmp_path, Role.API),
                target_name=tls.server_name(Role.STATESTORE),
            ):
                assert proxy.counts.accepted == 1
    finally:
        await server.stop(None)
