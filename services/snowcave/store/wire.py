"""Between the types of store.api and etcd's messages; etcd's errors become ours here and nowhere else."""

from collections.abc import Iterable, Sequence

import grpc
import grpc.aio

from snowcave.model.errors import (
    Conflict,
    Exhausted,
    Kind,
    NotAuthorized,
    RemoteError,
    SnowcaveError,
    Unavailable,
    ValueInvalid,
)
from snowcave.store.api import Change, CompactedError, Compare, Delete, KeyValue, Put, Write
from snowcave.store.etcdpb import kv_pb2 as kv
from snowcave.store.etcdpb import rpc_pb2 as pb

# What reading a stream gives after its last message; grpc's type stubs do not know it.
END: object = vars(grpc.aio)["EOF"]


def range_end(prefix: bytes) -> bytes:
    """The first key that no longer begins with `prefix`; a zero byte stands for the end of all keys."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"


def prefix_range(prefix: str) -> tuple[bytes, bytes]:
    """`key` and `range_end` of all keys with the prefix; all keys where it is empty."""
    start = prefix.encode()
    return start or b"\0", range_end(start)


def key_value(message: kv.KeyValue) -> KeyValue:
    return KeyValue(
        message.key.decode(),
        message.value,
        message.create_revision,
        message.mod_revision,
        message.version,
        message.lease,
    )


def change(event: kv.Event) -> Change:
    message = event.kv
    if event.type == kv.Event.DELETE:
        return Change(message.key.decode(), None, message.mod_revision)
    return Change(
        message.key.decode(),
        message.value,
        message.mod_revision,
        message.create_revision,
        message.lease,
    )


def transaction(compares: Sequence[Compare], writes: Sequence[Write]) -> pb.TxnRequest:
    return pb.TxnRequest(
        compare=[part for compare in compares for part in _compare(compare)],
        success=[_write(write) for write in writes],
    )


def reading(keys: Iterable[str]) -> pb.TxnRequest:
    ranges = (pb.RangeRequest(key=key.encode()) for key in keys)
    return pb.TxnRequest(success=[pb.RequestOp(request_range=one) for one in ranges])


def _compare(compare: Compare) -> Iterable[pb.Compare]:
    key = compare.key.encode()
    if compare.mod_revision is not None:
        yield pb.Compare(
            key=key,
            target=pb.Compare.MOD,
            mod_revision=compare.mod_revision,
            result=pb.Compare.EQUAL,
        )
    if compare.create_revision is not None:
        yield pb.Compare(
            key=key,
            target=pb.Compare.CREATE,
            create_revision=compare.create_revision,
            result=pb.Compare.EQUAL,
        )


def _write(write: Write) -> pb.RequestOp:
    if isinstance(write, Put):
        put = pb.PutRequest(key=write.key.encode(), value=write.value, lease=write.lease)
        return pb.RequestOp(request_put=put)
    return pb.RequestOp(request_delete_range=deletion(write))


def deletion(delete: Delete) -> pb.DeleteRangeRequest:
    if not delete.prefix:
        return pb.DeleteRangeRequest(key=delete.key.encode())
    start, end = prefix_range(delete.key)
    return pb.DeleteRangeRequest(key=start, range_end=end)


def passing(error: grpc.aio.AioRpcError) -> bool:
    """Whether the same read may go well in a moment."""
    return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def error_of(error: grpc.aio.AioRpcError, address: str) -> SnowcaveError | CompactedError:
    """The error that a caller of the store is told."""
    details = error.details() or ""
    match error.code():
        case (
            grpc.StatusCode.UNAVAILABLE
            | grpc.StatusCode.CANCELLED
            | grpc.StatusCode.DEADLINE_EXCEEDED
        ):
            return Unavailable(f"The state store at {address} does not answer.")
        case grpc.StatusCode.OUT_OF_RANGE if "compacted" in details:
            return CompactedError(0)
        case grpc.StatusCode.NOT_FOUND if "lease" in details:
            return Conflict("The lease is gone.")
        case grpc.StatusCode.PERMISSION_DENIED:
            return NotAuthorized(f"the state store ({details})")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return Exhausted(f"The state store takes no more: {details}")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return ValueInvalid(f"The state store refuses the request: {details}")
        case _:
            return RemoteError(Kind.INTERNAL, 370001, "XX000", f"The state store: {details}")
