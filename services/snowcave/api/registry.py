"""The registry as api calls it: which digest stands behind a tag."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from snowcave.api.contract import ResolvedImage
from snowcave.api.settings import CallSettings
from snowcave.model.keys import Role
from snowcave.runtime import grpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import registry_pb2 as v1
from snowcave.v1 import registry_pb2_grpc as stubs


class RegistryResolver:
    """Raises what the registry raised, or Unavailable."""

    def __init__(self, stub: stubs.RegistryServiceStub, calls: CallSettings) -> None:
        self._stub = stub
        self._calls = calls

    async def resolve(
        self, repository_path: str, image_name: str, reference: str
    ) -> ResolvedImage:
        request = v1.ResolveRequest(
            repository_path=repository_path, image_name=image_name, reference=reference
        )
        with translated("The registry"):
            reply = await self._stub.Resolve(request, timeout=self._calls.registry)
        return ResolvedImage(
            digest=reply.digest,
            media_type=reply.media_type,
            platforms=tuple(reply.platforms),
            size_bytes=reply.size_bytes,
        )


@asynccontextmanager
async def open_registry(mesh: Mesh, calls: CallSettings) -> AsyncGenerator[RegistryResolver]:
    """Does not wait for the registry."""
    address = mesh.grpc_address(Role.REGISTRY)
    async with grpc.connect(address, mesh.folder("tls"), me=Role.API, to=Role.REGISTRY) as channel:
        yield RegistryResolver(stubs.RegistryServiceStub(channel), calls)
