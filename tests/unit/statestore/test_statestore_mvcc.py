"""The keyspace against a model that simply remembers every state."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from snowcave.statestore.leases import Leases
from snowcave.statestore.mvcc import KeyRange, Keyspace, Version
from snowcave.statestore.operations import Revision
from snowcave.store.etcdpb import rpc_pb2 as pb

KEYS = [b"a", b"b", b"ba", b"bb", b"c"]
EVERYTHING = KeyRange(b"\0", b"\0")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.binary(max_size=3)),
        st.tuples(st.just("delete"), st.sampled_from(KEYS), st.just(b"")),
        st.tuples(st.just("delete-range"), st.just(b"b"), st.just(b"c")),
        st.tuples(st.just("compact"), st.just(b""), st.just(b"")),
    ),
    max_size=40,
)


@dataclass
class Model:
    """Every state there has been, by revision."""

    states: dict[int, dict[bytes, bytes]] = field(default_factory=lambda: {1: {}})
    compacted: int = 0
    rows: list[Version] = field(default_factory=list[Version])


def played(actions: list[tuple[str, bytes, bytes]]) -> tuple[Keyspace, Model]:
    keys, leases, model = Keyspace(), Leases(), Model()
    for what, key, text in actions:
        if what == "compact":
            if keys.head > keys.compacted:
                forgotten = keys.compact(keys.head)
                model.compacted = keys.head
                gone = {(v.mod_revision, v.key) for v in forgotten}
                model.rows = [v for v in model.rows if (v.mod_revision, v.key) not in gone]
            continue
        revision = Revision(keys, leases)
        now = dict(model.states[keys.head])
        if what == "put":
            revision.put(pb.PutRequest(key=key, value=text))
            now[key] = text
        else:
            within = KeyRange(key, text)
            revision.delete(within)
            now = {k: v for k, v in now.items() if not within.covers(k)}
        if versions := revision.close():
            keys.committed = keys.head
            model.rows += versions
            model.states[keys.head] = now
    return keys, model


def seen(keys: Keyspace, revision: int) -> dict[bytes, bytes]:
    return {item.key: item.value for item in keys.scan(EVERYTHING, revision)}


@given(steps)
def test_every_revision_that_is_kept_reads_as_it_was(actions):
    keys, model = played(actions)
    for revision, state in model.states.items():
        if revision >= model.compacted:
            assert seen(keys, revision) == state


@given(steps)
def test_the_past_leads_from_each_state_to_the_next(actions):
    keys, model = played(actions)
    state = dict(model.states[max(model.compacted, 1)])
    for revision in range(max(model.compacted, 1) + 1, keys.head + 1):
        for version in keys.past(revision):
            if version.version:
                state[version.key] = version.value
            else:
                del state[version.key]
        assert state == model.states[revision]


@given(steps)
def test_what_is_on_disk_restores_the_same_keyspace(actions):
    keys, model = played(actions)
    restored = Keyspace()
    restored.restore(model.compacted, iter(model.rows))
    assert restored.head == keys.head
    assert restored.committed == keys.head
    assert restored.size == keys.size
    assert restored.history == keys.history
    for revision in model.states:
        if revision >= max(model.compacted, 1):
            assert list(restored.scan(EVERYTHING, revision)) == list(
                keys.scan(EVERYTHING, revision)
            )


@given(steps)
def test_after_compaction_only_what_lives_is_kept(actions):
    keys, _ = played(actions)
    if keys.head > keys.compacted:
        keys.compact(keys.head)
    assert len(keys.keys(EVERYTHING)) == len(seen(keys, keys.head))
    assert keys.history == (0, 0)


def test_versions_and_revisions_count_as_etcds_do():
    keys, leases = Keyspace(), Leases()
    for text in (b"1", b"2"):
        revision = Revision(keys, leases)
        revision.put(pb.PutRequest(key=b"a", value=text))
        revision.close()
    found = keys.at(b"a", 3)
    assert found is not None
    assert (found.create_revision, found.mod_revision, found.version) == (2, 3, 2)
    revision = Revision(keys, leases)
    revision.delete(KeyRange(b"a"))
    revision.put(pb.PutRequest(key=b"b", value=b""))
    revision.close()
    assert keys.at(b"a", 4) is None
    assert keys.head == 4
