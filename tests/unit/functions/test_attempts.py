"""What is said of a batch whose attempts have failed."""

from snowcave.functions.attempts import Attempts
from snowcave.functions.routing import Instance

ONE = Instance("1-0-1", "10.0.0.1", 80)


def test_the_last_failure_counts():
    attempts = Attempts()
    attempts.note(ONE, "status 503")
    attempts.note(ONE, "status 429")
    assert (attempts.failed, attempts.reason, attempts.avoid) == (2, "status 429", {ONE.name})


def test_an_instance_that_is_gone_is_not_all_that_is_said_of_it():
    attempts = Attempts()
    attempts.note(None, "no instance is ready")
    assert attempts.reason == "no instance is ready"
    attempts.note(ONE, "the connection broke")
    attempts.note(None, "no instance is ready")
    attempts.note(None, "no instance is ready")
    assert attempts.reason == "no instance is ready (before that: the connection broke)"
