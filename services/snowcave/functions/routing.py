"""Which instance a batch goes to, and what an answer's status means. Pure."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Instance:
    """A ready instance's endpoint."""

    name: str
    address: str
    port: int


class Verdict(Enum):
    DONE = "done"
    POLL = "poll"
    RETRY = "retry"
    FAIL = "fail"


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


def choose(
    ready: Sequence[Instance],
    load: Mapping[str, int],
    avoid: Collection[str],
    rng: random.Random,
) -> Instance | None:
    """The least loaded instance, one that has not failed this batch if there is any; ties by chance."""
    fresh = [instance for instance in ready if instance.name not in avoid]
    candidates = fresh or list(ready)
    if not candidates:
        return None
    least = min(load.get(instance.name, 0) for instance in candidates)
    return rng.choice([i for i in candidates if load.get(i.name, 0) == least])


def may_retry(failures: int, max_retries: int) -> bool:
    """`failures` counts the attempts that failed so far."""
    return failures <= max_retries
