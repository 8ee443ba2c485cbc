"""How many batches an instance is given at once: as many as it answers without making them wait. Pure.

Batches that an instance has no hands for wait in it, and their answers take longer by as much. So the time
of an answer, against the shortest one known, tells how many of those under way just wait: where they are few,
one more is sent with every answer; where they are many, one less. A refusal for overload halves the number.

Services change, so the shortest time is measured anew once in a while, with next to nothing under way: among
many, a time says nothing of the service that their own waiting could not have made.
"""

from dataclasses import dataclass, field

# Batches that may wait in an instance: below, it gets more; above, less.
_FEW, _MANY = 12.0, 32.0
# Batches under way while the shortest time is measured.
_PROBE = 2
# Between two measurements: seconds, and so many times the shortest time, whichever is longer.
_EVERY, _TIMES = 10.0, 50.0


@dataclass(slots=True)
class Window:
    """Of one function at one instance."""

    limit: float
    most: float
    baseline: float = 0.0
    # Rows of the largest batch: the time of a smaller one says nothing about those.
    largest: int = 0
    # When the shortest time was measured; while it is, what the limit was before.
    measured: float = field(default=float("-inf"))
    kept: float = 0.0
    # When it was halved; what was sent before that says nothing new.
    halved: float = field(default=float("-inf"))

    def answered(self, rows: int, before: int, after: int, sent: float, now: float) -> None:
        """`before` and `after`: batches under way there when it was sent and answered, itself among them."""
        is_due = now - self.measured > max(_EVERY, _TIMES * self.baseline)
        if rows * 2 < self.largest:
            if is_due:
                self.largest //= 2  # they may all have become smaller
            return
        if rows > self.largest * 2:
            self.baseline = 0.0
        self.largest = max(self.largest, rows)
        seconds = max(now - sent, 1e-6)
        if not self.baseline or seconds < self.baseline or (is_due and before <= _PROBE):
            self.baseline, self.measured = seconds, now
            self.limit, self.kept = max(self.limit, self.kept), 0.0
        elif is_due:
            self.limit, self.kept = min(self.limit, _PROBE), max(self.limit, self.kept)
        if not self.kept:
            self._adapt(after, seconds, sent)

    def _adapt(self, under_way: int, seconds: float, sent: float) -> None:
        waiting = under_way * (1 - self.baseline / seconds)
        if waiting < _FEW and under_way * 2 > self.limit and sent >= self.halved:
            self.limit = min(self.most, self.limit + self._step())
        elif waiting > _MANY:
            self.limit = min(self.limit, max(_MANY, self.limit - 1 / self.limit))

    def refused(self, sent: float, now: float) -> None:
        """Overloaded, it said."""
        if sent >= self.halved:
            self.kept /= 2
            self.limit = max(1.0, self.limit / 2)
            self.halved = now

    def _step(self) -> float:
        """Twice as many in the time of an answer; after a refusal, one more in that time."""
        return 1.0 if self.halved == float("-inf") else 1 / self.limit
