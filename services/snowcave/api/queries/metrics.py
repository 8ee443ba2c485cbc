"""What api counts of statements."""

import prometheus_client

from snowcave.api.queries.answer import Answer, Outcome

_ENDED = prometheus_client.Counter(
    "snowcave_api_statements", "Statements that ended here: answered, or failed.", ["outcome"]
)
_ANSWERED, _FAILED = _ENDED.labels("answered"), _ENDED.labels("failed")
RUNNING = prometheus_client.Gauge("snowcave_api_running_statements", "Statements that run here.")
SESSIONS = prometheus_client.Gauge("snowcave_api_sessions", "Sessions that are open anywhere.")


def count_end(outcome: Outcome | None) -> None:
    (_ANSWERED if isinstance(outcome, Answer) else _FAILED).inc()
