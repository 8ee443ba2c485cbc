"""How often one may try to sign in, which hosts are the gateway itself, and what its tokens cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.ingress.caller_tokens import CallerTokens
from snowcave.ingress.visits import Attempts, is_root


def test_so_many_attempts_are_allowed_at_once_and_come_back_one_by_one():
    attempts = Attempts(3, 60.0, 16)
    assert [attempts.take("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 20.0]
    assert attempts.take("b", 0.0) == 0.0
    assert attempts.take("a", 19.0) == 1.0
    assert attempts.take("a", 20.0) == 0.0
    assert attempts.take("a", 20.0) > 0
    assert [attempts.take("a", 500.0) for _ in range(4)] == [0.0, 0.0, 0.0, 20.0]


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_no_window_ever_has_more_than_twice_the_attempts(pauses: list[float], most: int):
    attempts, now = Attempts(most, 10.0, 4), 0.0
    allowed: list[float] = []
    for pause in pauses:
        now += pause
        if attempts.take("a", now) == 0:
            allowed.append(now)
    for start in allowed:
        assert len([one for one in allowed if start <= one < start + 10.0]) <= 2 * most


def test_only_so_many_addresses_are_remembered():
    attempts = Attempts(1, 60.0, 2)
    for address in "abc":
        assert attempts.take(address, 0.0) == 0
    assert attempts.take("c", 0.0) > 0
    assert attempts.take("a", 0.0) == 0


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:8402", True),
        ("LOCALHOST", True),
        ("localhost.", True),
        ("127.0.0.1:8402", True),
        ("[::1]:8402", True),
        ("abc-local-snowcave.localhost:8402", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_the_gateway_itself_is_the_domain_or_an_address(host: str, expected: bool):
    assert is_root(host, "localhost") == expected


class Api:
    def __init__(self, valid_for: float) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.valid_for = valid_for

    async def caller_token(self, credential: str, host: str, service: int) -> tuple[str, float]:
        self.asked.append((credential, host, service))
        return f"{credential}/{len(self.asked)}", self.valid_for


async def test_a_caller_token_is_kept_for_its_caller_and_its_service_alone():
    api = Api(600.0)
    tokens = CallerTokens(api, 8)
    assert await tokens.of("ann", "h", 1) == await tokens.of("ann", "h", 1)
    for other in (("bob", "h", 1), ("ann", "i", 1), ("ann", "h", 2)):
        assert await tokens.of(*other) != await tokens.of("ann", "h", 1)
    assert len(api.asked) == 4


async def test_a_caller_token_is_asked_for_again_when_it_has_no_life_left():
    api = Api(0.0)
    tokens = CallerTokens(api, 8)
    assert await tokens.of("ann", "h", 1) != await tokens.of("ann", "h", 1)
