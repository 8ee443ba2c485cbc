"""What the router counts, by function: `DB.SCHEMA.F(NUMBER, VARCHAR)`, as types tell overloads apart."""

from collections import OrderedDict
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600)
# Functions that have lines of their own; who was called longest ago loses its lines then.
_MOST = 1024

ROWS = Counter("snowcave_functions_rows", "Rows answered by services.", ["function"])
BATCHES = Histogram(
    "snowcave_functions_batch_seconds",
    "Answered batches, from the first attempt to the answer.",
    ["function"],
    buckets=_SECONDS,
)
RETRIES = Counter("snowcave_functions_retries", "Attempts after one that failed.", ["function"])
HEDGES = Counter("snowcave_functions_hedges", "Batches sent to a second instance.", ["function"])
HEDGES_WON = Counter(
    "snowcave_functions_hedges_won", "Those that the second instance answered.", ["function"]
)
FAILED = Counter("snowcave_functions_failed_batches", "Batches given up.", ["function"])
# Answers are looked at closely only as they are put together: to count after that would cost every batch.
FAILED_LATE = Counter(
    "snowcave_functions_failed_answered_batches",
    "Of the batches given up those that count as answered, too: their answers turned out wrong.",
    ["function"],
)
CALLS = Gauge("snowcave_functions_calls", "Calls under way.")
_COUNTERS = (RETRIES, HEDGES, HEDGES_WON, FAILED, FAILED_LATE)


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one function: looked up once for a call, as finding them costs as much as counting."""

    rows: Counter
    seconds: Histogram
    retries: Counter
    hedges: Counter
    hedges_won: Counter
    failed: Counter
    failed_late: Counter

    def answered(self, rows: int, seconds: float) -> None:
        self.rows.inc(rows)
        self.seconds.observe(seconds)


_known: OrderedDict[str, Counts] = OrderedDict()


def of(function: str) -> Counts:
    known = _known.get(function)
    if known is None:
        found = (one.labels(function) for one in _COUNTERS)
        known = Counts(ROWS.labels(function), BATCHES.labels(function), *found)
        _known[function] = known
    _known.move_to_end(function)
    while len(_known) > _MOST:
        oldest, _ = _known.popitem(last=False)
        for one in (ROWS, BATCHES, *_COUNTERS):
            one.remove(oldest)
    return known
