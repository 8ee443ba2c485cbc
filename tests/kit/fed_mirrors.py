"""Mirrors that a test feeds itself, without a store."""

from snowcave.kit.clock import LoopClock
from snowcave.model.keys import KeySpace, M
from snowcave.store.api import Change, WatchBatch
from snowcave.store.mirror import Mirror


def mirror(space: KeySpace[M]) -> Mirror[M]:
    return Mirror(space, LoopClock())


def put(mirror: object, space: KeySpace[M], message: M | None, *parts: object) -> None:
    """As if somebody had written the key; None deletes it."""
    assert isinstance(mirror, Mirror)
    value = message.SerializeToString() if message is not None else None
    change = Change(space.key(*parts), value, mirror.revision + 1)
    mirror.apply(WatchBatch(mirror.revision + 1, (change,)))
