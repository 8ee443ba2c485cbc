"""Calls go to the replicas of a daemon in turn; one that cannot be reached is passed over."""

from typing import Any, cast

import grpc

from snowcave.runtime.replicas import Replicas

READY, IDLE = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE
BROKEN = grpc.ChannelConnectivity.TRANSIENT_FAILURE


class Channel:
    def __init__(self, name: str) -> None:
        self.name = name
        self.state = IDLE

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        assert try_to_connect  # or one that is back would not be noticed
        return self.state


def replicas(*channels: Channel) -> Replicas:
    return Replicas(cast("Any", channels), lambda channel: cast("Any", channel).name)


def test_they_take_turns():
    three = replicas(*map(Channel, "abc"))
    assert [three.next() for _ in range(7)] == list("abcabca")


def test_one_that_is_away_is_passed_over_until_it_is_back():
    first, second = Channel("a"), Channel("b")
    both = replicas(first, second)
    first.state = BROKEN
    assert [both.next() for _ in range(3)] == ["b", "b", "b"]
    first.state = READY
    assert {both.next() for _ in range(2)} == {"a", "b"}


def test_where_all_are_away_they_are_asked_all_the_same():
    channels = [Channel("a"), Channel("b")]
    both = replicas(*channels)
    for one in channels:
        one.state = BROKEN
    assert {both.next() for _ in range(4)} == {"a", "b"}
