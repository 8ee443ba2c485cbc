"""Which instance a batch goes to, and what an answer's status means. Pure."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Instance:
    """A ready instance's endpoint."""

    name: str
    address: str
    port: int


class Full(Enum):
    """Every instance that would do has as many batches as it is given at once."""

    FULL = "full"


FULL = Full.FULL


class Verdict(Enum):
    DONE = "done"
    POLL = "poll"
    RETRY = "retry"
    FAIL = "fail"


_OVERLOADED = (429, 503)


def verdict(status: int) -> Verdict:
    """Source: the documents on external functions (data format, best practices)."""
    match status:
        case 200:
            return Verdict.DONE
        case 202:
            return Verdict.POLL
        case 429:
            return Verdict.RETRY
        case _:
            return Verdict.RETRY if 500 <= status <= 599 else Verdict.FAIL


def is_overload(status: int) -> bool:
    return status in _OVERLOADED


def choose(
    ready: Sequence[Instance],
    load: Mapping[str, int],
    has_room: Callable[[Instance], bool],
    avoid: Collection[str],
    rng: random.Random,
) -> Instance | Full | None:
    """The least loaded instance with room, one that has not failed this batch if possible; ties by chance.

    None where no instance is ready.
    """
    candidates = [i for i in ready if i.name not in avoid] if avoid else ready
    candidates = candidates or ready
    if not candidates:
        return None
    roomy = [instance for instance in candidates if has_room(instance)]
    if not roomy:
        return FULL
    least = min(load.get(instance.name, 0) for instance in roomy)
    idlest = [i for i in roomy if load.get(i.name, 0) == least]
    return idlest[0] if len(idlest) == 1 else rng.choice(idlest)


def may_retry(failures: int, max_retries: int) -> bool:
    """`failures` counts the attempts that failed so far."""
    return failures <= max_retries
