"""FunctionService over gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pyarrow as pa

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call, Caller
from snowcave.model.errors import SnowcaveError, ValueInvalid
from snowcave.v1 import functions_pb2 as pb
from snowcave.v1 import functions_pb2_grpc

# Seconds in which a caller may say the rest of what it has to say to a call that failed.
_HEARING = 1.0

SERVICE_NAME = "snowcave.v1.FunctionService"


class FunctionServicer(functions_pb2_grpc.FunctionServiceServicer):
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def Invoke(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.InvokeRequest], context: Any
    ) -> AsyncIterator[pb.InvokeReply]:
        header = await _header(request_iterator)
        call = Call(header.function, header.query_id, header.call, context_values(header))
        progress = Progress()
        answers = self._caller.run(call, _arguments(request_iterator), progress)
        try:
            async for part in answers:
                yield pb.InvokeReply(arrow_stream=_stream(part))
        except SnowcaveError:
            await answers.aclose()
            await _hear_out(request_iterator)
            raise
        finally:
            await answers.aclose()
        yield pb.InvokeReply(
            progress=pb.InvokeProgress(
                rows=progress.rows, batches=progress.batches, retries=progress.retries
            )
        )


def context_values(header: pb.InvokeHeader) -> dict[str, str]:
    """By context function's name, upper case; the header's own fields count where nothing else is said."""
    known = {
        "CURRENT_USER": header.user,
        "CURRENT_ROLE": header.role,
        "CURRENT_ACCOUNT": header.account,
        "CURRENT_STATEMENT": "",
    }
    return known | {name.upper(): value for name, value in header.context.items()}


async def _hear_out(requests: AsyncIterator[pb.InvokeRequest]) -> None:
    """A caller that still writes when its call ends gets "Internal error from Core" instead of the reason."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_HEARING):
            async for _ in requests:
                pass


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
