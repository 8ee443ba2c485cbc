"""Answers that a statement remembers."""

import asyncio

import pytest

from snowcave.model.errors import QueryCancelled
from snowcave.warehouse.service_functions.callbacks import Found, Memory


def test_each_unknown_row_is_asked_for_once():
    memory = Memory(10_000)
    memory.keep({("a",): "1", (None,): None})
    found = memory.look_up([("b",), ("a",), ("b",), (None,), ("c",)])
    assert found == Found({("a",): "1", (None,): None}, {}, [("b",), ("c",)])


async def test_what_is_asked_for_is_waited_for_and_remembered():
    memory = Memory(10_000)
    with memory.asking([("a",)]) as told:
        found = memory.look_up([("a",), ("b",)])
        assert (found.known, found.unknown) == ({}, [("b",)])
        told({("a",): "1"})
    assert await found.asked[("a",)] == {("a",): "1"}
    assert memory.look_up([("a",)]) == Found({("a",): "1"}, {}, [])


@pytest.mark.parametrize("error", [QueryCancelled(), asyncio.CancelledError()])
async def test_whoever_waits_ends_with_what_the_call_ends_with(error: BaseException):
    memory = Memory(10_000)
    waiting: list[Found] = []

    def ask() -> None:
        with memory.asking([("a",)]):
            waiting.append(memory.look_up([("a",)]))
            raise error

    with pytest.raises(type(error)):
        ask()
    with pytest.raises(type(error)):
        await waiting[0].asked[("a",)]
    assert memory.look_up([("a",)]) == Found({}, {}, [("a",)])


async def test_an_answer_that_is_not_remembered_reaches_who_waits():
    memory = Memory(100)
    with memory.asking([("a",)]) as told:
        found = memory.look_up([("a",)])
        told({("a",): "x" * 200})
    assert await found.asked[("a",)] == {("a",): "x" * 200}
    assert memory.look_up([("a",)]) == Found({}, {}, [("a",)])


def test_what_is_remembered_has_a_bound():
    memory = Memory(10_000)
    rows = [(str(n),) for n in range(100)]
    for row in rows:
        memory.keep({row: "x" * 800})
    found = memory.look_up(rows)
    assert list(found.known) == rows[-9:]
    assert found.unknown == rows[:-9]
