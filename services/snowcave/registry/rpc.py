"""The registry's gRPC service: resolve, credentials for nodes, collection."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import orjson

from snowcave.model.errors import (
    DeadlinePassed,
    ImageNotFound,
    NotAuthorized,
    ObjectNotFound,
    SnowcaveError,
    Unavailable,
    ValueInvalid,
)
from snowcave.model.keys import Role
from snowcave.registry import manifest as manifests
from snowcave.registry import names
from snowcave.registry.access import Gate
from snowcave.registry.backend.api import Backend, Collected, FileContent, StoredManifest
from snowcave.registry.errors import (
    BlobUnknown,
    Code,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    RegistryError,
)
from snowcave.registry.manifest import Manifest
from snowcave.registry.names import Span
from snowcave.registry.repositories import Image, Repositories
from snowcave.runtime import grpc as rpc
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import registry_pb2 as pb
from snowcave.v1 import registry_pb2_grpc as pb_grpc

# Of an image's configuration: larger ones are not read for their platform.
_LARGEST_CONFIG = 4 << 20
_CALLERS = {
    "Resolve": frozenset({Role.API, Role.ADMIN}),
    "IssuePullToken": frozenset({Role.AGENT}),
    "CollectGarbage": frozenset({Role.API, Role.ADMIN}),
}

Collect = Callable[[bool], Awaitable[Collected]]


@asynccontextmanager
async def serve_registry(
    mesh: Mesh, addresses: list[str], servicer: "RegistryServicer"
) -> AsyncGenerator[None]:
    """Open to the roles that its methods admit."""

    def add(server: grpc.aio.Server) -> None:
        pb_grpc.add_RegistryServiceServicer_to_server(servicer, server)

    name = pb.DESCRIPTOR.services_by_name["RegistryService"].full_name
    callers = frozenset[Role]().union(*_CALLERS.values())
    async with rpc.serve(
        Role.REGISTRY, addresses, mesh.folder("tls"), [(name, add)], callers=callers
    ):
        yield


class RegistryServicer(pb_grpc.RegistryServiceServicer):
    def __init__(
        self, backend: Backend, repositories: Repositories, gate: Gate, collect: Collect
    ) -> None:
        self._backend = backend
        self._repositories = repositories
        self._gate = gate
        self._collect = collect

    async def Resolve(  # noqa: N802
        self, request: pb.ResolveRequest, context: Any
    ) -> pb.ResolveReply:
        _admit(context, "Resolve")
        wanted = (request.repository_path, request.image_name, request.reference)
        try:
            return await self._resolve(*wanted)
        except (NameUnknown, ManifestUnknown, NameInvalid, ManifestInvalid) as error:
            raise ImageNotFound(*wanted) from error
        except RegistryError as error:
            raise _for_daemons(error) from error

    async def IssuePullToken(  # noqa: N802
        self, request: pb.PullTokenRequest, context: Any
    ) -> pb.PullTokenReply:
        _admit(context, "IssuePullToken")
        try:
            path = names.repository_path(request.repository_path)
            user, password, seconds = self._gate.pull_token(path)
        except (NameUnknown, NameInvalid) as error:
            raise ObjectNotFound("Image repository", request.repository_path) from error
        return pb.PullTokenReply(username=user, password=password, expires_in_secs=int(seconds))

    async def CollectGarbage(  # noqa: N802
        self, request: pb.CollectGarbageRequest, context: Any
    ) -> pb.CollectGarbageReply:
        _admit(context, "CollectGarbage")
        try:
            done = await self._collect(request.dry_run)
        except RegistryError as error:
            raise _for_daemons(error) from error
        return pb.CollectGarbageReply(blobs=done.blobs, bytes=done.bytes)

    async def _resolve(self, path: str, name: str, reference: str) -> pb.ResolveReply:
        wanted = names.parse_image_name(f"{path}/{name}")
        reference = names.manifest_reference(reference)
        image = Image(self._repositories.at(wanted.repository), wanted.image)
        found = await self._backend.manifest(image, reference)
        parsed = manifests.parse(found.content, found.media_type)
        return pb.ResolveReply(
            digest=found.digest,
            media_type=found.media_type,
            platforms=await self._platforms(image, found, parsed),
            size_bytes=parsed.size,
        )

    async def _platforms(
        self, image: Image, found: StoredManifest, parsed: Manifest
    ) -> tuple[str, ...]:
        if parsed.is_index:
            return parsed.platforms
        try:
            config = orjson.loads(await self._small_blob(image, parsed.config) or b"null")
        except (orjson.JSONDecodeError, BlobUnknown):
            return ()
        platform = manifests.platform_text(config) if isinstance(config, dict) else ""
        return (platform,) if platform else ()

    async def _small_blob(self, image: Image, digest: str) -> bytes:
        """Empty where it is too large to be a configuration."""
        size = await self._backend.size(image, digest)
        if size > _LARGEST_CONFIG:
            return b""
        async with self._backend.read(image, digest, Span(0, size)) as content:
            if isinstance(content, FileContent):
                return await asyncio.to_thread(content.path.read_bytes)
            return b"".join([piece async for piece in content.pieces])


def _admit(context: Any, method: str) -> None:
    """The server is open to the union of roles; each method to its own."""
    if rpc.caller(context) not in _CALLERS[method]:
        raise NotAuthorized(f"RegistryService.{method}")


def _for_daemons(error: RegistryError) -> SnowcaveError:
    match error.code:
        case Code.UNAVAILABLE | Code.TOO_MANY:
            return Unavailable(str(error))
        case Code.TIMEOUT:
            return DeadlinePassed(str(error))
        case Code.NAME_INVALID | Code.DIGEST_INVALID:
            return ValueInvalid(str(error))
        case _:
            return SnowcaveError(str(error))
