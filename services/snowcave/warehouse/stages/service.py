"""StageService over gRPC: streams in, streams out, and lists."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.model.errors import DeadlinePassed, ObjectNotFound, ValueInvalid
from snowcave.v1 import stages_pb2 as pb
from snowcave.v1 import stages_pb2_grpc
from snowcave.warehouse.settings import StageSettings
from snowcave.warehouse.stages.files import FileInfo, StageFiles, Upload

STAGE_SERVICE = "snowcave.v1.StageService"
# Files in one message of a listing.
_PAGE = 500


class StageServicer(stages_pb2_grpc.StageServiceServicer):
    def __init__(self, files: StageFiles, settings: StageSettings) -> None:
        self._files = files
        self._settings = settings
        self._uploads = asyncio.Semaphore(settings.transfers)
        self._downloads = asyncio.Semaphore(settings.transfers)

    async def PutFile(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.PutFileRequest], context: Any
    ) -> pb.PutFileReply:
        async with self._in_time(), self._uploads:
            first = await anext(request_iterator, pb.PutFileRequest())
            if not first.HasField("head"):
                raise ValueInvalid("PutFile names no file.")
            head = first.head
            own = self._settings.largest_file
            upload = await asyncio.to_thread(self._files.begin, min(head.limit or own, own))
            try:
                await self._receive(request_iterator, upload)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(upload.close))
                raise
            # Shielded: a caller that leaves now must not leave it half done.
            return await asyncio.shield(asyncio.to_thread(self._finish, upload, head))

    async def _receive(self, messages: AsyncIterator[pb.PutFileRequest], upload: Upload) -> None:
        """A caller that goes away ends the stream as well, so only its own word makes the file whole."""
        async for message in messages:
            if message.complete:
                return
            await asyncio.to_thread(upload.write, message.content)
        raise ValueInvalid("The file did not arrive whole.")

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._settings.transfer):
                yield
        except TimeoutError:
            raise DeadlinePassed("The transfer took too long.") from None

    def _finish(self, upload: Upload, head: pb.PutFileRequest.Head) -> pb.PutFileReply:
        with closing(upload):
            made = self._files.finish(
                upload,
                head.stage,
                head.path,
                overwrite=head.overwrite,
                client_digest=head.client_digest,
            )
        if made is None:
            return pb.PutFileReply(
                file=message(self._files.describe(head.stage, head.path)), kept=True
            )
        return pb.PutFileReply(file=message(made))

    async def GetFile(  # noqa: N802
        self, request: pb.GetFileRequest, context: Any
    ) -> AsyncIterator[pb.FilePiece]:
        async with self._in_time(), self._downloads:
            info, file = await asyncio.to_thread(self._files.open, request.stage, request.path)
            try:
                yield pb.FilePiece(file=message(info))
                file.seek(request.offset)
                left = request.length or info.size
                while left and (piece := await asyncio.to_thread(self._read, file, left)):
                    left -= len(piece)
                    yield pb.FilePiece(content=piece)
            finally:
                file.close()

    def _read(self, file: BinaryIO, most: int) -> bytes:
        return file.read(min(self._settings.piece, most))

    async def DescribeFile(self, request: pb.GetFileRequest, context: Any) -> pb.StageFile:  # noqa: N802
        return message(await asyncio.to_thread(self._files.describe, request.stage, request.path))

    async def ListFiles(  # noqa: N802
        self, request: pb.ListFilesRequest, context: Any
    ) -> AsyncIterator[pb.ListFilesReply]:
        limit = min(request.limit or self._settings.listed, self._settings.listed)
        paths = await asyncio.to_thread(self._matching, request)
        for start in range(0, min(len(paths), limit), _PAGE):
            page = paths[start : min(start + _PAGE, limit)]
            found = await asyncio.to_thread(self._described, request.stage, page)
            yield pb.ListFilesReply(files=found)

    def _matching(self, request: pb.ListFilesRequest) -> list[str]:
        return matching(sorted(self._files.paths(request.stage, request.prefix)), request.pattern)

    def _described(self, stage: int, paths: list[str]) -> list[pb.StageFile]:
        """What was removed meanwhile is left out."""
        found: list[pb.StageFile] = []
        for path in paths:
            with contextlib.suppress(ObjectNotFound):
                found.append(message(self._files.describe(stage, path)))
        return found

    async def RemoveFiles(  # noqa: N802
        self, request: pb.RemoveFilesRequest, context: Any
    ) -> pb.RemoveFilesReply:
        def remove() -> list[str]:
            return [path for path in request.paths if self._files.remove(request.stage, path)]

        return pb.RemoveFilesReply(removed=await asyncio.to_thread(remove))

    async def ClearStage(  # noqa: N802
        self, request: pb.ClearStageRequest, context: Any
    ) -> pb.ClearStageReply:
        await asyncio.to_thread(self._files.clear, request.stage)
        return pb.ClearStageReply()

    async def ListStages(  # noqa: N802
        self, request: pb.ListStagesRequest, context: Any
    ) -> pb.ListStagesReply:
        return pb.ListStagesReply(stages=await asyncio.to_thread(self._files.stages))


def matching(paths: list[str], pattern: str) -> list[str]:
    """Those whose whole text the pattern matches. RE2: its time is linear, whatever the pattern."""
    if not pattern or not paths:
        return paths
    try:
        # The functions of Arrow are made as it is imported, unknown to the type checker.
        kept = cast("Any", pc).match_substring_regex(pa.array(paths), pattern=f"^(?:{pattern})$")
    except pa.ArrowInvalid:
        raise ValueInvalid(f"Invalid regular expression: '{pattern[:256]}'") from None
    return [path for path, keep in zip(paths, kept.to_pylist(), strict=True) if keep]


def message(info: FileInfo) -> pb.StageFile:
    modified = Timestamp()
    modified.FromNanoseconds(info.modified)
    return pb.StageFile(
        path=info.path,
        size=info.size,
        md5=info.md5,
        client_digest=info.client_digest,
        modified_on=modified,
    )
