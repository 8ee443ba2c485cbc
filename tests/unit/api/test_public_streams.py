"""What anybody may ask of a public gRPC port does not keep a place there for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha import reflection_pb2_grpc as stubs

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import Bounds, serve_public
from tests.kit.ports import free_port_base


async def test_a_stream_of_reflection_that_its_caller_leaves_open_is_ended(tmp_path: Path):
    tls.ensure(tmp_path)
    address = f"127.0.0.1:{free_port_base()}"

    async def silent() -> AsyncIterator[pb.ServerReflectionRequest]:
        yield pb.ServerReflectionRequest(list_services="")
        await asyncio.Event().wait()

    bounds = Bounds(unnamed=0.5)
    public = serve_public(
        Role.API, [], plain=[address], encrypted=[], tls_folder=tmp_path, bounds=bounds
    )
    async with asyncio.timeout(20), public, grpc.aio.insecure_channel(address) as channel:
        call: Any = stubs.ServerReflectionStub(channel).ServerReflectionInfo(silent())
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in call:
                pass
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_health_is_watched(tmp_path: Path):
    tls.ensure(tmp_path)
    address = f"127.0.0.1:{free_port_base()}"
    public = serve_public(
        Role.API, [], plain=[address], encrypted=[], tls_folder=tmp_path, bounds=Bounds()
    )
    async with asyncio.timeout(60), public, grpc.aio.insecure_channel(address) as channel:
        call: Any = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        told = await call.read()
        call.cancel()
    assert told.status == health_pb2.HealthCheckResponse.SERVING
