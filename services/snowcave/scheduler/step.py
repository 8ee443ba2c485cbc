"""What one turn of the reconciler does: the writes of one transaction, and when to look again."""

from dataclasses import dataclass, field

from snowcave.store.api import Write


@dataclass(frozen=True, slots=True)
class Step:
    writes: list[Write] = field(default_factory=list[Write])
    # Nothing is left of a dropped object: its catalog key may go.
    forget: bool = False
    # It has been idle for as long as it wants: api is asked to suspend it.
    suspend: bool = False
    # There is more to do as soon as these writes are done.
    more: bool = False
    # Platform events that happened with these writes and are not among them.
    untold: int = 0
    # Seconds after which time alone may change the decision.
    again_in: float | None = None


def soonest(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)
