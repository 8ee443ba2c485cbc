"""How many batches may be asked of a second instance while the first one has not answered. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

# Queries that are remembered; one that is forgotten begins anew, and so may hedge less.
_REMEMBERED = 1024


@dataclass(slots=True)
class _Count:
    begun: int = 0
    hedged: int = 0


class Allowance:
    """A share of the batches that a query has begun, over all its calls: at 5 %, one in twenty."""

    def __init__(self, share: float) -> None:
        self._share = share
        # Who began a batch last comes last.
        self._counts: dict[Hashable, _Count] = {}

    def begin(self, query: Hashable) -> None:
        """One more batch."""
        count = self._counts.pop(query, None) or _Count()
        count.begun += 1
        self._counts[query] = count
        if len(self._counts) > _REMEMBERED:
            del self._counts[next(iter(self._counts))]

    def has_more(self, query: Hashable) -> bool:
        count = self._counts.get(query)
        return count is not None and count.hedged + 1 <= self._share * count.begun

    def spend(self, query: Hashable) -> None:
        """One of its batches is hedged."""
        self._counts[query].hedged += 1
