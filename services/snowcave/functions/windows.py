"""How many batches an instance is given at once: as many as it answers without making them wait. Pure.

Batches that an instance has no hands for wait in it, and their answers take longer by as much. So the time
of an answer, against the shortest one known, tells how many of those under way just wait: where they are few,
one more is sent with every answer; where they are many, one less. A refusal for overload halves the number.
"""

from dataclasses import dataclass, field

# Batches that may wait in an instance: below, it gets more; above, less.
_FEW, _MANY = 12.0, 32.0
# How much of the difference to longer answers the shortest known time moves in a second, as services change.
_DRIFT = 0.02


@dataclass(slots=True)
class Window:
    """Of one function at one instance."""

    limit: float
    most: float
    baseline: float = 0.0
    # Rows of the largest batch: the time of a smaller one says nothing about those.
    largest: int = 0
    # When the last answer came.
    looked: float = 0.0
    # When it was halved; what was sent before that says nothing new.
    halved: float = field(default=float("-inf"))

    def answered(self, rows: int, in_flight: int, sent: float, now: float) -> None:
        """`in_flight`: batches under way there when it was answered, itself among them."""
        if rows * 2 < self.largest:
            return
        if rows > self.largest * 2:
            self.baseline = 0.0
        self.largest = max(self.largest, rows)
        seconds = max(now - sent, 1e-6)
        if not self.baseline or seconds < self.baseline:
            self.baseline = seconds
        else:
            passed = min(now - self.looked, 1.0)
            self.baseline += (seconds - self.baseline) * _DRIFT * passed
        self.looked = now
        waiting = in_flight * (1 - self.baseline / seconds)
        if waiting < _FEW and in_flight * 2 > self.limit and sent >= self.halved:
            self.limit = min(self.most, self.limit + self._step())
        elif waiting > _MANY:
            self.limit = max(_MANY, self.limit - 1 / self.limit)

    def refused(self, sent: float, now: float) -> None:
        """Overloaded, it said."""
        if sent >= self.halved:
            self.limit = max(1.0, self.limit / 2)
            self.halved = now

    def _step(self) -> float:
        """Twice as many in the time of an answer; after a refusal, one more in that time."""
        return 1.0 if self.halved == float("-inf") else 1 / self.limit
