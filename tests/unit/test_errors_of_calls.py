"""What a failed call of another daemon says, by what gRPC knows of it."""

import grpc
import grpc.aio
import pytest

from snowcave.model.errors import DeadlinePassed, RemoteError, Unavailable
from snowcave.runtime.grpc import from_rpc


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
