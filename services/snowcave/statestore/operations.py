"""What a request means for the keys: pure but for the keyspace and the leases it is given.

Everything is checked before anything is changed, so a refused request leaves no trace.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from snowcave.statestore import refusals
from snowcave.statestore.leases import Leases
from snowcave.statestore.mvcc import KeyRange, Keyspace, Version
from snowcave.store.etcdpb import rpc_pb2 as pb

_RELATIONS: dict[int, Callable[[Any, Any], bool]] = {
    pb.Compare.EQUAL: operator.eq,
    pb.Compare.GREATER: operator.gt,
    pb.Compare.LESS: operator.lt,
    pb.Compare.NOT_EQUAL: operator.ne,
}
# Target → (field of the key, field of the comparison).
_TARGETS = {
    pb.Compare.VERSION: ("version", "version"),
    pb.Compare.CREATE: ("create_revision", "create_revision"),
    pb.Compare.MOD: ("mod_revision", "mod_revision"),
    pb.Compare.VALUE: ("value", "value"),
    pb.Compare.LEASE: ("lease", "lease"),
}
_SORT_FIELDS = {
    pb.RangeRequest.KEY: "key",
    pb.RangeRequest.VERSION: "version",
    pb.RangeRequest.CREATE: "create_revision",
    pb.RangeRequest.MOD: "mod_revision",
    pb.RangeRequest.VALUE: "value",
}
_ABSENT = Version(b"", b"", 0, 0, 0, 0)


class Revision:
    """One revision in the making; `versions` is what it has changed so far."""

    def __init__(self, keys: Keyspace, leases: Leases) -> None:
        self._keys = keys
        self._leases = leases
        self.number = keys.head + 1
        self.versions: list[Version] = []

    def put(self, request: pb.PutRequest) -> Version | None:
        """What was there before. The request has been checked."""
        old = self._keys.at(request.key, self.number)
        value = old.value if request.ignore_value and old else request.value
        lease = old.lease if request.ignore_lease and old else request.lease
        self.versions.append(self._keys.put(self.number, request.key, value, lease))
        if lease or (old and old.lease):
            self._leases.attach(request.key, lease)
        return old

    def delete(self, within: KeyRange) -> list[Version]:
        """What was there before."""
        gone = list(self._keys.scan(within, self.number))
        for old in gone:
            self.versions.append(self._keys.delete(self.number, old.key))
            if old.lease:
                self._leases.attach(old.key, 0)
        return gone

    def close(self) -> list[Version]:
        if self.versions:
            self._keys.close(self.number, self.versions)
        return self.versions


def range_of(request: pb.RangeRequest | pb.DeleteRangeRequest | pb.Compare) -> KeyRange:
    if not request.key:
        raise refusals.invalid("key is not provided")
    return KeyRange(request.key, request.range_end)


def read(keys: Keyspace, request: pb.RangeRequest, newest: int) -> pb.RangeResponse:
    """Without a header. `newest` is the revision that a request without one means."""
    within = range_of(request)
    revision = _revision_of(keys, request, newest)
    found = list(keys.scan(within, revision))
    count = len(found)
    if request.count_only:
        return pb.RangeResponse(count=count)
    found = _sorted(request, [item for item in found if _passes(request, item)])
    more = 0 < request.limit < len(found)
    if more:
        found = found[: request.limit]
    answer = pb.RangeResponse(kvs=[item.message() for item in found], more=more, count=count)
    if request.keys_only:
        for item in answer.kvs:
            item.ClearField("value")
    return answer


def _revision_of(keys: Keyspace, request: pb.RangeRequest, newest: int) -> int:
    if request.revision > newest:
        raise refusals.future()
    if 0 < request.revision < keys.compacted:
        raise refusals.compacted()
    return request.revision if request.revision > 0 else newest


def _passes(request: pb.RangeRequest, item: Version) -> bool:
    return (
        item.mod_revision >= request.min_mod_revision
        and (not request.max_mod_revision or item.mod_revision <= request.max_mod_revision)
        and item.create_revision >= request.min_create_revision
        and (
            not request.max_create_revision or item.create_revision <= request.max_create_revision
        )
    )


def _sorted(request: pb.RangeRequest, found: list[Version]) -> list[Version]:
    descending = request.sort_order == pb.RangeRequest.DESCEND
    if request.sort_target == pb.RangeRequest.KEY:
        return found[::-1] if descending else found
    if request.sort_target not in _SORT_FIELDS:
        raise refusals.unsupported(f"sort target {request.sort_target}")
    field = operator.attrgetter(_SORT_FIELDS[request.sort_target])
    return sorted(found, key=field, reverse=descending)


def check_compares(compares: Iterable[pb.Compare]) -> None:
    """What is wrong with them whatever the keys are."""
    for compare in compares:
        range_of(compare)
        if compare.target not in _TARGETS or compare.result not in _RELATIONS:
            raise refusals.unsupported(f"comparison {compare.target}, {compare.result}")


def holds(keys: Keyspace, compare: pb.Compare) -> bool:
    """Of a range, whether it holds for every key in it; a key that is not there has zeros everywhere."""
    within = range_of(compare)
    field, wanted = _TARGETS[compare.target]
    found = list(keys.scan(within, keys.head))
    if not found and not within.end:
        if compare.target == pb.Compare.VALUE:
            return False  # as etcd has it: nothing compares with a value that is not there
        found = [_ABSENT]
    relation = _RELATIONS[compare.result]
    return all(relation(getattr(item, field), getattr(compare, wanted)) for item in found)


def check_put(keys: Keyspace, leases: Leases, request: pb.PutRequest) -> None:
    if not request.key:
        raise refusals.invalid("key is not provided")
    if request.ignore_value and request.value:
        raise refusals.invalid("value is provided")
    if request.ignore_lease and request.lease:
        raise refusals.invalid("lease is provided")
    if (request.ignore_value or request.ignore_lease) and not keys.at(request.key, keys.head):
        raise refusals.invalid("key not found")
    if request.lease and leases.get(request.lease) is None:
        raise refusals.lease_not_found()


def check_form(branch: Iterable[pb.RequestOp]) -> None:
    """What is wrong with a branch whatever the keys are: nested, empty keys, one key changed twice."""
    put: set[bytes] = set()
    deleted: list[KeyRange] = []
    for step in branch:
        match step.WhichOneof("request"):
            case "request_put":
                if step.request_put.key in put:
                    raise refusals.invalid("duplicate key given in txn request")
                put.add(step.request_put.key)
            case "request_delete_range":
                deleted.append(range_of(step.request_delete_range))
            case "request_range":
                range_of(step.request_range)
            case "request_txn":
                raise refusals.unsupported("nested transactions")
            case _:
                raise refusals.invalid("key not found")
    if any(within.covers(key) for within in deleted for key in put):
        raise refusals.invalid("duplicate key given in txn request")


def check_branch(keys: Keyspace, leases: Leases, branch: Sequence[pb.RequestOp]) -> None:
    """What is wrong with a branch as the keys are now."""
    for step in branch:
        kind = step.WhichOneof("request")
        if kind == "request_put":
            check_put(keys, leases, step.request_put)
        elif kind == "request_range":
            _revision_of(keys, step.request_range, keys.head)


def run(keys: Keyspace, revision: Revision, branch: Sequence[pb.RequestOp]) -> list[pb.ResponseOp]:
    """The answers of a checked branch, each step seeing what those before it did."""
    return [_step(keys, revision, step) for step in branch]


def _step(keys: Keyspace, revision: Revision, step: pb.RequestOp) -> pb.ResponseOp:
    match step.WhichOneof("request"):
        case "request_put":
            return pb.ResponseOp(response_put=put(revision, step.request_put))
        case "request_delete_range":
            return pb.ResponseOp(response_delete_range=delete(revision, step.request_delete_range))
        case _:
            newest = revision.number if revision.versions else keys.head
            return pb.ResponseOp(response_range=read(keys, step.request_range, newest))


def put(revision: Revision, request: pb.PutRequest) -> pb.PutResponse:
    """Without a header; the request has been checked."""
    old = revision.put(request)
    return pb.PutResponse(prev_kv=old.message() if old and request.prev_kv else None)


def delete(revision: Revision, request: pb.DeleteRangeRequest) -> pb.DeleteRangeResponse:
    """Without a header."""
    gone = revision.delete(range_of(request))
    previous = [old.message() for old in gone] if request.prev_kv else []
    return pb.DeleteRangeResponse(deleted=len(gone), prev_kvs=previous)
