"""FunctionService over gRPC."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pyarrow as pa

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call, Caller
from snowcave.kit.fitting import fitting
from snowcave.kit.silence import or_silence
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import functions_pb2 as pb
from snowcave.v1 import functions_pb2_grpc

# Bytes of a message, about; one row may be larger.
_LARGEST = 8 << 20
# Seconds between two words on how far a call has come.
_TELLING = 0.5

SERVICE_NAME = "snowcave.v1.FunctionService"


class FunctionServicer(functions_pb2_grpc.FunctionServiceServicer):
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def Invoke(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.InvokeRequest], context: Any
    ) -> AsyncIterator[pb.InvokeReply]:
        header = await _header(request_iterator)
        call = Call(
            header.function,
            header.query_id,
            header.call,
            context_values(header),
            header.first_batch,
            header.revision,
            header.name,
        )
        progress = Progress(taken=header.first_batch)
        answers = self._caller.run(call, _arguments(request_iterator), progress)
        try:
            async with aclosing(_replies(answers, progress)) as replies:
                async for reply in replies:
                    yield reply
        finally:
            await answers.aclose()
        yield _told(progress)


async def _replies(
    answers: AsyncIterator[pa.Array], progress: Progress
) -> AsyncGenerator[pb.InvokeReply]:
    """Answers, and now and then how far the call has come, also while none of them can be given.

    At first as well: whoever asks knows by that that the call was taken up.
    """
    loop = asyncio.get_running_loop()
    told, before = loop.time(), _told(progress)
    yield before
    async with aclosing(or_silence(answers, _TELLING)) as parts:
        async for part in parts:
            for piece, is_last in _pieces(part) if part is not None else ():
                yield pb.InvokeReply(
                    arrow_stream=_stream(piece), is_whole=is_last, batches=progress.taken
                )
            if loop.time() - told >= _TELLING and (now := _told(progress)) != before:
                told, before = loop.time(), now
                yield now


def _told(progress: Progress) -> pb.InvokeReply:
    return pb.InvokeReply(
        progress=pb.InvokeProgress(
            rows=progress.rows,
            batches=progress.batches,
            retries=progress.retries,
            hedges=progress.hedges,
        )
    )


def _pieces(answers: pa.Array) -> Iterator[tuple[pa.Array, bool]]:
    """What messages may hold, and whether it is the last of them."""
    pieces = list(fitting(answers, _LARGEST))
    for number, piece in enumerate(pieces, 1):
        yield piece, number == len(pieces)


def context_values(header: pb.InvokeHeader) -> dict[str, str]:
    """By context function's name, upper case; the header's own fields count where nothing else is said."""
    known = {
        "CURRENT_USER": header.user,
        "CURRENT_ROLE": header.role,
        "CURRENT_ACCOUNT": header.account,
        "CURRENT_STATEMENT": "",
    }
    return known | {name.upper(): value for name, value in header.context.items()}


async def _header(requests: AsyncIterator[pb.InvokeRequest]) -> pb.InvokeHeader:
    async for request in requests:
        if request.WhichOneof("message") == "header":
            return request.header
        break
    raise ValueInvalid("Invoke begins with a header.")


async def _arguments(requests: AsyncIterator[pb.InvokeRequest]) -> AsyncIterator[pa.RecordBatch]:
    async for request in requests:
        if request.WhichOneof("message") != "arrow_stream":
            raise ValueInvalid("After the header, Invoke takes Arrow streams only.")
        try:
            with pa.ipc.open_stream(request.arrow_stream) as reader:
                for batch in reader:
                    yield batch
        except pa.ArrowInvalid as error:
            raise ValueInvalid("The arguments are not an Arrow stream.") from error


def _stream(answers: pa.Array) -> bytes:
    batch = pa.RecordBatch.from_arrays([answers], ["result"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
