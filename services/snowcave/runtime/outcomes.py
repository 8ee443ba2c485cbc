"""What became of a call over gRPC: an error keeps its code and text from one daemon to another."""

import json
from collections.abc import Coroutine, Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import grpc
import grpc.aio

from snowcave.model.errors import (
    DeadlinePassed,
    Kind,
    RemoteError,
    SnowcaveError,
    Unavailable,
)

_ERROR_METADATA = "snowcave-error-bin"
# What gRPC says by itself to who was writing when the peer went away.
_CUT_OFF = "Internal error from Core"
_TOO_LARGE = "message larger than max"


@contextmanager
def translated(peer: str) -> Generator[None]:
    """Turn a failed call into the SnowcaveError that the other side raised, or Unavailable."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error, peer) from error


@contextmanager
def streaming(peer: str, call: Any) -> Generator[Any]:
    """As `translated`, for a call whose requests stream; it ends when it is left.

    A request that could not be sent, as the other side had ended the call, takes the place of what the other
    side said (grpc/aio/_call.py, `_write`): of 1,000 calls refused under a flood of requests 960 lost it.
    """
    first = _FirstOutcome(call)
    try:
        yield call
    except grpc.aio.AioRpcError as error:
        raise from_rpc(first.error or error, peer) from error
    finally:
        call.cancel()


def from_rpc(error: grpc.aio.AioRpcError, peer: str) -> SnowcaveError:
    metadata: Iterable[tuple[str, Any]] = cast("Any", error.trailing_metadata()) or ()
    for key, value in metadata:
        if key == _ERROR_METADATA:
            fields = json.loads(value)
            kind = Kind[fields["kind"]]
            return RemoteError(kind, fields["code"], fields["sqlstate"], fields["message"])
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlinePassed(f"{peer} did not answer in time.")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return Unavailable(f"{peer} does not answer.")
        case grpc.StatusCode.INTERNAL if error.details() == _CUT_OFF:
            return Unavailable(f"{peer} does not answer.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED if _TOO_LARGE in (error.details() or ""):
            # Said by gRPC itself: the same message would not pass another time.
            return RemoteError(Kind.INVALID, 1008, "22023", f"{peer}: {error.details()}")
        case _:
            return RemoteError(Kind.INTERNAL, 370001, "XX000", f"{peer}: {error.details()}")


async def abort(context: Any, error: SnowcaveError) -> None:
    """End a call that is being served so that `from_rpc` makes the same error of it."""
    fields = {
        "kind": error.kind.name,
        "code": error.code,
        "sqlstate": error.sqlstate,
        "message": error.message,
    }
    context.set_trailing_metadata(((_ERROR_METADATA, json.dumps(fields).encode()),))
    await context.abort(grpc.StatusCode[error.kind.value.grpc], error.message[:500])


class _FirstOutcome:
    """The first status of a call, whatever gRPC makes of it later."""

    def __init__(self, call: Any) -> None:
        self.error: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    def _keep(self, call: Any) -> None:
        code, trailing, details = map(
            _at_once, (call.code(), call.trailing_metadata(), call.details())
        )
        if code is not grpc.StatusCode.OK:
            none = grpc.aio.Metadata()
            self.error = grpc.aio.AioRpcError(
                code, none, trailing, details, debug_error_string=None
            )


def _at_once(answer: Coroutine[Any, Any, Any]) -> Any:
    """What a call that is done says of itself waits for nothing."""
    try:
        answer.send(None)
    except StopIteration as found:
        return found.value
    answer.close()
    raise RuntimeError("The call is not done.")
