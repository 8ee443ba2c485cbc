"""What the router counts, by function."""

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600)

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
CALLS = Gauge("snowcave_functions_calls", "Calls under way.")


def answered(function: str, rows: int, seconds: float) -> None:
    counted, timed = _of(function)
    counted.inc(rows)
    timed.observe(seconds)


@lru_cache(maxsize=1024)
def _of(function: str) -> tuple[Counter, Histogram]:
    return ROWS.labels(function), BATCHES.labels(function)
