"""Why the store refuses a request: etcd's statuses and texts, which its clients know."""

from typing import Any

import grpc

# What a request becomes whose bytes are no such message.
UNREADABLE: Any = object()


class Refusal(Exception):
    """Becomes the call's status."""

    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def compacted() -> Refusal:
    text = "etcdserver: mvcc: required revision has been compacted"
    return Refusal(grpc.StatusCode.OUT_OF_RANGE, text)


def future() -> Refusal:
    text = "etcdserver: mvcc: required revision is a future revision"
    return Refusal(grpc.StatusCode.OUT_OF_RANGE, text)


def lease_not_found() -> Refusal:
    return Refusal(grpc.StatusCode.NOT_FOUND, "etcdserver: requested lease not found")


def lease_exists() -> Refusal:
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "etcdserver: lease already exists")


def full() -> Refusal:
    text = "etcdserver: mvcc: database space exceeded"
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text)


def too_many(what: str) -> Refusal:
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, f"etcdserver: too many {what}")


def invalid(what: str) -> Refusal:
    """`what`: empty key, a duplicate key in a transaction, and the like."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"etcdserver: {what}")


def unreadable() -> Refusal:
    return invalid("the request is not a message of this method")


def unsupported(what: str) -> Refusal:
    text = f"snowcave: the embedded store has no {what}"
    return Refusal(grpc.StatusCode.UNIMPLEMENTED, text)


def denied(who: str, what: str) -> Refusal:
    text = f"snowcave: {who} may not {what}"
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, text)
