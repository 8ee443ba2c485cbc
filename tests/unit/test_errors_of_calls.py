"""What a failed call of another daemon says, by what gRPC knows of it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio
import pytest

from snowcave.model.errors import DeadlinePassed, Kind, RemoteError, Unavailable, ValueInvalid
from snowcave.runtime import outcomes
from snowcave.runtime.outcomes import from_rpc, streaming


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "gone", Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "late", DeadlinePassed),
        (grpc.StatusCode.INTERNAL, "a defect", RemoteError),
        # Said to who was writing when the peer went away, so another one may be asked.
        (grpc.StatusCode.INTERNAL, "Internal error from Core", Unavailable),
    ],
)
def test_a_peer_that_is_gone_is_told_from_one_that_failed(code, details, kind):
    none = grpc.aio.Metadata()
    failed = grpc.aio.AioRpcError(code, none, none, details, debug_error_string="")
    assert type(from_rpc(failed, "It")) is kind


async def test_a_message_that_is_too_large_is_refused_for_good() -> None:
    async def large() -> AsyncGenerator[bytes]:
        yield b"x" * 2000

    async with refusing(("grpc.max_send_message_length", 1000)) as method:
        with pytest.raises(RemoteError) as refused, streaming("It", method(large())) as replies:
            async for _ in replies:
                pass
    assert refused.value.kind is Kind.INVALID


class _Refusing(grpc.GenericRpcHandler[bytes, bytes] if TYPE_CHECKING else grpc.GenericRpcHandler):
    """Takes one message and refuses the call, which goes on sending."""

    def service(self, handler_call_details: Any) -> Any:
        make: Any = grpc.stream_stream_rpc_method_handler
        return make(self._refuse)

    async def _refuse(self, requests: AsyncIterator[bytes], context: Any) -> AsyncGenerator[bytes]:
        async for _ in requests:
            break
        await outcomes.abort(context, ValueInvalid("Too many of them."))
        yield b""


@asynccontextmanager
async def refusing(*options: tuple[str, int]) -> AsyncGenerator[Any]:
    """A method that streams both ways."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Refusing(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            yield cast("Any", channel).stream_stream("/a.Service/Method")
    finally:
        await server.stop(None)


async def test_who_still_sends_when_a_call_is_refused_hears_why() -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield b"x" * 200_000

    async def called(method: Any) -> None:
        with streaming("It", method(endless())) as replies:
            async for _ in replies:
                pass

    async with refusing() as method:
        for _ in range(20):
            with pytest.raises(RemoteError, match="Too many of them"):
                await called(method)
