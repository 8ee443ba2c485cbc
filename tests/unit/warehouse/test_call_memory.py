"""Answers that a statement remembers."""

from snowcave.warehouse.service_functions.callbacks import Memory


def test_each_unknown_row_is_asked_for_once():
    memory = Memory(10_000)
    memory.keep({("a",): "1", (None,): None})
    known, unknown = memory.look_up([("b",), ("a",), ("b",), (None,), ("c",)])
    assert known == {("a",): "1", (None,): None}
    assert unknown == [("b",), ("c",)]


def test_the_first_answer_stays():
    memory = Memory(10_000)
    memory.keep({("a",): "1"})
    late: dict[tuple[str | None, ...], str | None] = {("a",): "2"}
    memory.keep(late)
    assert late == {("a",): "1"}


def test_what_is_remembered_has_a_bound():
    memory = Memory(10_000)
    rows = [(str(n),) for n in range(100)]
    for row in rows:
        memory.keep({row: "x" * 800})
    known, unknown = memory.look_up(rows)
    assert list(known) == rows[-9:]
    assert unknown == rows[:-9]


def test_an_answer_beyond_the_bound_is_not_remembered():
    memory = Memory(100)
    memory.keep({("a",): "x" * 200})
    assert memory.look_up([("a",)]) == ({}, [("a",)])
