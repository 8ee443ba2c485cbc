"""A stage as an agent reaches it, over a real connection: what breaks off in the middle makes no file."""

import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from snowcave.agent.volumes.stages.client import StageClient
from snowcave.agent.volumes.stages.files import Writing
from snowcave.model.errors import Unavailable
from snowcave.v1 import stages_pb2 as pb
from snowcave.v1 import stages_pb2_grpc as stubs


class WholeFiles(stubs.StageServiceServicer):
    """Keeps what was said to be complete."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def PutFile(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.PutFileRequest], context: Any
    ) -> pb.PutFileReply:
        path, found, complete = "", b"", False
        async for message in request_iterator:
            path = path or message.head.path
            found += message.content
            complete = message.complete
        if not complete:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not whole")
        self.kept[path] = found
        return pb.PutFileReply(file=pb.StageFile(path=path, size=len(found)))


@asynccontextmanager
async def stage() -> AsyncGenerator[tuple[WholeFiles, StageClient]]:
    server, files = grpc.aio.server(), WholeFiles()
    stubs.add_StageServiceServicer_to_server(files, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield files, StageClient(channel, (), 1, "top", 20.0)
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    "failure", [OSError(errno.ESTALE, "replaced"), Unavailable("api is away")]
)
async def test_what_fails_while_it_is_read_is_told_to_whoever_puts_it(failure: Exception) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"half"
        raise failure

    async with stage() as (files, client):
        with pytest.raises(type(failure)):
            await client.put("a", content())
        assert files.kept == {}


async def test_a_disk_that_takes_a_part_of_a_write_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite

    def part(file: int, data: memoryview, offset: int) -> int:
        return whole(file, data[:3], offset)

    monkeypatch.setattr(os, "pwrite", part)
    async with stage() as (files, client):
        writing = Writing(client, "a", tmp_path)
        try:
            await writing.write(0, b"0123456789")
            await writing.flush()
        finally:
            await writing.close()
        assert files.kept == {"top/a": b"0123456789"}


async def test_a_file_that_lost_its_end_is_not_put(tmp_path: Path) -> None:
    async with stage() as (files, client):
        writing = Writing(client, "a", tmp_path)
        try:
            await writing.write(0, b"0123456789")
            os.truncate(writing._file().fileno(), 4)  # pyright: ignore[reportPrivateUsage]
            with pytest.raises(OSError, match="gone"):
                await writing.flush()
        finally:
            await writing.close()
        assert files.kept == {}
