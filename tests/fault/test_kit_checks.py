"""The checkers find what is wrong: each is given a history that is good and ones that are not."""

from typing import Any

import pytest

from tests.fault.kit import checks
from tests.fault.kit.history import Call, Outcome

pytestmark = pytest.mark.ours


def call(request: Any, outcome: Outcome = "ok", answer: Any = None, at: float = 0.0) -> Call:
    return Call("client", request, at, at + 0.5, outcome, answer)


def double(number: int) -> int:
    return number * 2


def test_right_answers_and_calls_without_one_are_no_violation():
    calls = [call(2, answer=4), call(3, "unknown", None), call(4, "fail", None)]
    assert checks.wrong_answers(calls, double) == []


def test_one_wrong_answer_is_found():
    assert checks.wrong_answers([call(2, answer=4), call(3, answer=5)], double) == [
        "client: asked 3, got 5"
    ]


def test_unknown_writes_may_be_there_or_not_and_failed_ones_are_not():
    calls = [call(1), call(2, "unknown"), call(3, "unknown"), call(4, "fail")]
    assert checks.lost_or_doubled(calls, [1, 2]) == []


@pytest.mark.parametrize(
    ("found", "violation"),
    [
        ([2], "lost: 1"),
        ([1, 1, 2], "there 2 times: 1"),
        ([1, 2, 3, 3], "there 2 times: 3"),
        ([1, 2, 4], "never written: 4"),
        ([1, 2, 9], "never written: 9"),
    ],
)
def test_lost_doubled_and_invented_writes_are_found(found: list[int], violation: str):
    calls = [call(1), call(2), call(3, "unknown"), call(4, "fail")]
    assert checks.lost_or_doubled(calls, found) == [violation]


def changes(*statements: tuple[str, str, Outcome]) -> list[Call]:
    return [call([verb, name], outcome) for verb, name, outcome in statements]


def test_what_was_created_is_there_and_what_was_dropped_is_gone():
    calls = changes(("create", "a", "ok"), ("create", "b", "ok"), ("drop", "b", "ok"))
    assert checks.changed_objects(calls, ["a"]) == []


def test_an_unknown_change_leaves_both_open():
    calls = changes(("create", "a", "unknown"), ("create", "b", "ok"), ("drop", "b", "unknown"))
    for found in ([], ["a"], ["b"], ["a", "b"]):
        assert checks.changed_objects(calls, found) == []


@pytest.mark.parametrize("found", [[], ["a", "b"], ["a", "c"]])
def test_a_lost_object_one_that_came_back_and_a_stranger_are_found(found: list[str]):
    calls = changes(("create", "a", "ok"), ("create", "b", "ok"), ("drop", "b", "ok"))
    assert len(checks.changed_objects(calls, found)) == 1


def test_a_drop_that_failed_changed_nothing():
    calls = changes(("create", "a", "ok"), ("drop", "a", "fail"))
    assert checks.changed_objects(calls, ["a"]) == []
    assert checks.changed_objects(calls, []) != []


def test_lines_in_order_up_to_the_last_are_no_violation():
    assert checks.numbered_lines([1, 2, 3, 4], upto=3) == []
    assert checks.numbered_lines([1, 2, 4], upto=4, missing=1) == []


@pytest.mark.parametrize("numbers", [[1, 3, 4], [1, 2, 2, 3, 4], [1, 3, 2, 4], [1, 2, 3], []])
def test_missing_doubled_and_swapped_lines_are_found(numbers: list[int]):
    assert checks.numbered_lines(numbers, upto=4) != []


def test_the_same_containers_with_the_same_start_times_run_on():
    assert checks.restarted({"a": "10:00"}, {"a": "10:00"}) == []


@pytest.mark.parametrize("after", [{}, {"a": "10:01"}, {"a": "10:00", "b": "10:01"}])
def test_a_container_that_is_gone_restarted_or_new_is_found(after: dict[str, str]):
    assert len(checks.restarted({"a": "10:00"}, after)) == 1


def test_a_client_that_was_never_answered_is_found():
    calls = [call(1, at=1.0), call(2, "unknown", at=5.0)]
    assert checks.silent(calls, 0.0, 4.0) == []
    assert checks.silent(calls, 4.0, 9.0) != []
    assert checks.silent([], 0.0, 9.0) != []


def test_the_longest_time_without_an_answer_counts_both_ends():
    calls = [call(1, at=1.0), call(2, at=2.0), call(3, "unknown", at=3.0), call(4, at=7.5)]
    assert checks.longest_gap(calls, 0.0, 9.0) == 5.5
    assert checks.longest_gap([], 0.0, 9.0) == 9.0
