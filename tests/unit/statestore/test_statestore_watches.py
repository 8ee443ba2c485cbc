"""What a watch is given, and what may wait for it."""

from dataclasses import dataclass, field

from snowcave.statestore.leases import Leases
from snowcave.statestore.mvcc import KeyRange, Keyspace
from snowcave.statestore.operations import Revision
from snowcave.statestore.settings import Limits
from snowcave.statestore.watches import Hub, Watcher, responses
from snowcave.store.etcdpb import rpc_pb2 as pb


@dataclass
class Bench:
    limits: Limits = field(default_factory=lambda: Limits(waiting_changes=5, waiting_size=1000))

    def __post_init__(self) -> None:
        self.keys = Keyspace()
        self.hub = Hub(self.keys, self.limits)
        self.woken = 0

    def write(self, **values: bytes) -> int:
        revision = Revision(self.keys, Leases())
        for key, value in values.items():
            revision.put(pb.PutRequest(key=key.encode(), value=value))
        revision.close()
        before, self.keys.committed = self.keys.committed, self.keys.head
        self.hub.publish(before, self.keys.head)
        return self.keys.head

    def watcher(self, key: bytes, end: bytes = b"", revision: int = 0) -> Watcher:
        def wake() -> None:
            self.woken += 1

        return Watcher(1, KeyRange(key, end), revision or self.keys.committed + 1, wake)


def test_a_watch_catches_up_with_the_past_and_then_hears_what_comes():
    bench = Bench()
    first = bench.write(a=b"1")
    bench.write(b=b"x")
    watcher = bench.watcher(b"a", revision=first)
    assert [e.kv.value for e in bench.hub.take(watcher)] == [b"1"]
    assert watcher.live
    bench.write(b=b"y")
    assert bench.woken == 0
    bench.write(a=b"2")
    assert bench.woken == 1
    assert [e.kv.value for e in bench.hub.take(watcher)] == [b"2"]
    assert bench.hub.take(watcher) == []


def test_a_watch_from_the_future_hears_nothing_earlier():
    bench = Bench()
    watcher = bench.watcher(b"a", revision=bench.keys.head + 2)
    bench.hub.join(watcher)
    bench.write(a=b"1")
    bench.write(a=b"2")
    assert [e.kv.value for e in bench.hub.take(watcher)] == [b"2"]


def test_a_slow_watch_is_cut_and_holds_nothing_any_more():
    for values in ([b"v"] * 6, [bytes(600)] * 2):
        bench = Bench()
        watcher = bench.watcher(b"a")
        bench.hub.join(watcher)
        for value in values:
            bench.write(a=value)
        assert watcher.cut
        assert not watcher.waiting
        bench.write(a=b"more")
        assert not watcher.waiting


def test_a_watch_that_left_costs_nothing():
    bench = Bench()
    for watcher in (bench.watcher(b"a"), bench.watcher(b"a", b"b")):
        bench.hub.join(watcher)
        bench.hub.leave(watcher)
        bench.write(a=b"1")
        assert not watcher.waiting


def test_a_watch_whose_next_revision_is_compacted_is_lost():
    bench = Bench()
    first = bench.write(a=b"1")
    bench.write(a=b"2")
    watcher = bench.watcher(b"a", revision=first)
    assert not bench.hub.lost(watcher)
    bench.keys.compact(bench.keys.head)
    assert bench.hub.lost(watcher)


def test_a_message_parts_a_revision_only_into_marked_fragments():
    bench = Bench()
    for fragment in (True, False):
        start = bench.write(a=bytes(60), b=bytes(60), c=bytes(60))
        bench.write(a=bytes(60))
        watcher = bench.watcher(b"a", b"z", revision=start)
        watcher.fragment = fragment
        sent = list(responses(pb.ResponseHeader(), watcher, bench.hub.take(watcher), 50))
        bench.hub.leave(watcher)
        shape = [(len(r.events), r.fragment) for r in sent]
        assert shape == (
            [(1, True), (1, True), (1, False), (1, False)]
            if fragment
            else [(3, False), (1, False)]
        )
