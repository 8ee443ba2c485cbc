"""How many batches an instance is given, against instances that are counted out."""

import heapq
from collections import deque

import pytest

from snowcave.functions.windows import Window


def limits(window, seconds, *, hands, until, since=0.0, rows=100):
    """The limit after each answer of an instance that is always given as many batches as it may have.

    `seconds`: what one batch takes then; so many `hands` work on as many batches.
    """
    free = [since] * hands
    under_way = deque()
    now = since
    while now < until:
        while len(under_way) < int(window.limit):
            done = max(now, heapq.heappop(free)) + seconds(now)
            heapq.heappush(free, done)
            under_way.append((done, now, len(under_way) + 1))
        now, sent, before = under_way.popleft()
        window.answered(rows, before, len(under_way) + 1, sent, now)
        yield now, window.limit


@pytest.mark.parametrize(("seconds", "until"), [(0.01, 1500), (0.1, 3000), (1.0, 20_000)])
def test_batches_that_only_wait_never_make_the_window_grow(seconds, until):
    window = Window(32.0, 256.0)
    assert max(limit for _, limit in limits(window, lambda _: seconds, hands=1, until=until)) < 64


def test_an_instance_with_many_hands_is_given_as_many_batches_and_is_rarely_without():
    window = Window(32.0, 256.0)
    found = [
        limit for now, limit in limits(window, lambda _: 0.1, hands=200, until=120) if now > 5
    ]
    assert sum(limit > 190 for limit in found) > 0.95 * len(found)


def test_a_service_that_has_become_slower_is_given_as_many_batches_as_before():
    window = Window(32.0, 256.0)
    found = list(limits(window, lambda now: 0.01 if now < 30 else 0.5, hands=200, until=120))
    assert max(limit for now, limit in found if now < 30) > 190
    assert max(limit for now, limit in found if now > 60) > 190


def test_batches_that_have_all_become_smaller_are_measured_in_the_end():
    window = Window(32.0, 256.0)
    for _ in limits(window, lambda _: 0.01, hands=1, until=5, rows=10_000):
        pass
    found = [
        limit for _, limit in limits(window, lambda _: 0.05, hands=200, since=5, until=60, rows=10)
    ]
    assert window.largest < 20
    assert found[-1] > 100


def test_no_answer_gives_more_after_a_refusal():
    window = Window(40.0, 256.0)
    window.answered(100, 40, 40, 0.0, 0.01)
    window.refused(1.0, 1.0)
    halved = window.limit
    window.answered(100, 39, 39, 0.5, 1.5)
    assert window.limit <= halved < 21
