"""A stage as an agent reaches it: through api, which knows what the owner of the service may do."""

from collections.abc import AsyncIterator

import grpc.aio

from snowcave.model.errors import ObjectNotFound, SnowcaveError
from snowcave.runtime.outcomes import streaming, translated
from snowcave.v1 import stages_pb2 as pb
from snowcave.v1.stages_pb2_grpc import StageServiceStub

_API = "api"


class StageClient:
    """A volume's files. Paths are within the volume's folder of the stage."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        caller: tuple[tuple[str, str], ...],
        stage: int,
        folder: str,
        deadline: float,
    ) -> None:
        self._stub = StageServiceStub(channel)
        self._caller = caller
        self._stage = stage
        self._top = f"{folder}/" if folder else ""
        self._deadline = deadline

    async def put(self, path: str, content: AsyncIterator[bytes]) -> pb.StageFile:
        """Raises what `content` raises: nothing is put then."""
        head = pb.PutFileRequest.Head(stage=self._stage, path=self._top + path, overwrite=True)
        failures: list[Exception] = []

        async def messages() -> AsyncIterator[pb.PutFileRequest]:
            yield pb.PutFileRequest(head=head)
            try:
                async for piece in content:
                    yield pb.PutFileRequest(content=piece)
            except Exception as error:
                # grpc would cancel us. A stream that ends without its last word makes no file.
                failures.append(error)
                return
            yield pb.PutFileRequest(complete=True)

        put = self._stub.PutFile(messages(), timeout=self._deadline, metadata=self._caller)
        try:
            with streaming(_API, put) as call:
                reply = await call
        except SnowcaveError:
            if failures:
                raise failures[0] from None
            raise
        return self._within(reply.file)

    async def get(self, path: str, offset: int, length: int) -> tuple[pb.StageFile, bytes]:
        request = pb.GetFileRequest(
            stage=self._stage, path=self._top + path, offset=offset, length=length
        )
        about, found = pb.StageFile(), bytearray()
        with translated(_API):
            call = self._stub.GetFile(request, timeout=self._deadline, metadata=self._caller)
            async for piece in call:
                if piece.HasField("file"):
                    about = piece.file
                found += piece.content
        return self._within(about), bytes(found)

    async def describe(self, path: str) -> pb.StageFile:
        request = pb.GetFileRequest(stage=self._stage, path=self._top + path)
        with translated(_API):
            found = await self._stub.DescribeFile(
                request, timeout=self._deadline, metadata=self._caller
            )
        return self._within(found)

    async def files(self, prefix: str, limit: int) -> list[pb.StageFile]:
        request = pb.ListFilesRequest(stage=self._stage, prefix=self._top + prefix, limit=limit)
        found: list[pb.StageFile] = []
        with translated(_API):
            call = self._stub.ListFiles(request, timeout=self._deadline, metadata=self._caller)
            async for page in call:
                found += [self._within(about) for about in page.files]
        return found

    async def remove(self, path: str) -> bool:
        request = pb.RemoveFilesRequest(stage=self._stage, paths=[self._top + path])
        with translated(_API):
            reply = await self._stub.RemoveFiles(
                request, timeout=self._deadline, metadata=self._caller
            )
        return bool(reply.removed)

    def _within(self, about: pb.StageFile) -> pb.StageFile:
        if not about.path.startswith(self._top):
            raise ObjectNotFound("File", about.path)
        about.path = about.path[len(self._top) :]
        return about
