"""How much of a node's logs is collected: so many bytes for each second in which they were written. Pure.

The lines' own times count, not the time of reading: what was spooled while the events daemon was away is not
held against those who wrote it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

# An hour of seconds, each with its count; further back everything counts anew.
_REMEMBERED = 3600


@dataclass(slots=True)
class Allowance:
    """`per_second` in bytes; 0: no limit. What is taken counts for good once it is settled."""

    per_second: int
    _used: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    _taken: dict[str, int] = field(default_factory=dict[str, int])

    def takes(self, second: str, size: int) -> bool:
        """Whether a line of that second and size is within the limit; it counts if so."""
        if not self.per_second:
            return True
        before = self._count(second)
        fits = before + size <= self.per_second
        # Nothing of this second fits after that, not even what is shorter: lines are dropped in one piece.
        self._taken[second] = before + size if fits else self.per_second
        return fits

    def is_used_up(self, second: str) -> bool:
        return bool(self.per_second) and self._count(second) >= self.per_second

    def settle(self) -> None:
        self._used |= self._taken
        self._taken.clear()
        while len(self._used) > _REMEMBERED:
            self._used.popitem(last=False)

    def forget(self) -> None:
        """What was taken since `settle` will be asked for again."""
        self._taken.clear()

    def _count(self, second: str) -> int:
        return self._taken.get(second, self._used.get(second, 0))
