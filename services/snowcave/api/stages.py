"""Stage files as api calls them: the warehouse has them, api knows who may do what with them."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

from snowcave.api.settings import CallSettings
from snowcave.model.errors import Exhausted, Kind, ObjectNotFound, RemoteError
from snowcave.model.keys import Role
from snowcave.runtime import grpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import streaming, translated
from snowcave.v1 import stages_pb2 as v1
from snowcave.v1 import stages_pb2_grpc as stubs

_PEER = "The warehouse"


class Stages:
    """Raises what the warehouse raised, or Unavailable. A stage is given by its uid."""

    def __init__(self, stub: stubs.StageServiceStub, calls: CallSettings) -> None:
        self._stub = stub
        self._calls = calls

    async def put(
        self, head: v1.PutFileRequest.Head, content: AsyncIterator[bytes]
    ) -> v1.PutFileReply:
        """Takes from `content` no faster than the warehouse takes it in."""

        async def messages() -> AsyncIterator[v1.PutFileRequest]:
            yield v1.PutFileRequest(head=head)
            async for piece in content:
                yield v1.PutFileRequest(content=piece)
            yield v1.PutFileRequest(complete=True)

        call = self._stub.PutFile(messages(), timeout=self._calls.transfer)
        with streaming(_PEER, call):
            return await call

    async def get(
        self, stage: int, path: str, *, offset: int = 0, length: int = 0
    ) -> AsyncGenerator[v1.FilePiece]:
        """First what the file is, then its content, or a part of it."""
        request = v1.GetFileRequest(stage=stage, path=path, offset=offset, length=length)
        with _found(path):
            async for piece in self._stub.GetFile(request, timeout=self._calls.transfer):
                yield piece

    async def read(self, stage: int, path: str, *, most: int) -> bytes:
        """A small file whole. Raises ObjectNotFound, Exhausted where it is larger than `most` bytes."""
        found = bytearray()
        async for piece in self.get(stage, path):
            if piece.HasField("file") and piece.file.size > most:
                raise Exhausted(f"The file '{path}' is larger than {most} bytes.")
            found += piece.content
        return bytes(found)

    async def describe(self, stage: int, path: str) -> v1.StageFile:
        request = v1.GetFileRequest(stage=stage, path=path)
        with _found(path):
            return await self._stub.DescribeFile(request, timeout=self._calls.fetch)

    async def files(
        self, stage: int, prefix: str = "", pattern: str = "", *, limit: int = 0
    ) -> list[v1.StageFile]:
        request = v1.ListFilesRequest(stage=stage, prefix=prefix, pattern=pattern, limit=limit)
        found: list[v1.StageFile] = []
        with translated(_PEER):
            async for page in self._stub.ListFiles(request, timeout=self._calls.fetch):
                found += page.files
        return found

    async def remove(self, stage: int, paths: Sequence[str]) -> list[str]:
        """Those that were there."""
        request = v1.RemoveFilesRequest(stage=stage, paths=paths)
        with translated(_PEER):
            reply = await self._stub.RemoveFiles(request, timeout=self._calls.fetch)
        return list(reply.removed)

    async def clear(self, stage: int) -> None:
        with translated(_PEER):
            await self._stub.ClearStage(
                v1.ClearStageRequest(stage=stage), timeout=self._calls.fetch
            )

    async def stages(self) -> list[int]:
        """All that the warehouse has files of."""
        with translated(_PEER):
            reply = await self._stub.ListStages(
                v1.ListStagesRequest(), timeout=self._calls.warehouse
            )
        return list(reply.stages)


@contextmanager
def _found(path: str) -> Generator[None]:
    try:
        with translated(_PEER):
            yield
    except RemoteError as error:
        if error.kind is Kind.NOT_FOUND:
            raise ObjectNotFound("File", path) from error
        raise


@asynccontextmanager
async def open_stages(mesh: Mesh, calls: CallSettings) -> AsyncGenerator[Stages]:
    """Does not wait for the warehouse."""
    address = mesh.grpc_address(Role.WAREHOUSE)
    async with grpc.connect(
        address, mesh.folder("tls"), me=Role.API, to=Role.WAREHOUSE
    ) as channel:
        yield Stages(stubs.StageServiceStub(channel), calls)
