"""Rows that programs call functions with, as messages."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snowcave.client import rows
from snowcave.model.errors import ValueInvalid


def sent(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    return [one for message in rows.messages(batch) for one in pa.ipc.open_stream(message)]


def test_rows_become_columns():
    (batch,) = rows.batches([(1, "x"), [None, "y"]])
    assert [column.to_pylist() for column in batch.columns] == [[1, None], ["x", "y"]]
    assert list(rows.batches([])) == []
    (batch,) = rows.batches(list(np.array([[1, 2], [3, 4]])))
    assert [column.to_pylist() for column in batch.columns] == [[1, 3], [2, 4]]


def test_rows_are_taken_as_they_are_needed():
    taken: list[int] = []

    def endless() -> Iterator[list[int]]:
        while True:
            taken.append(1)
            yield [len(taken)]

    first = next(iter(rows.batches(endless())))
    assert first.num_rows == len(taken)


def test_rows_without_values_are_counted():
    (batch,) = rows.batches([()] * 5)
    assert (batch.num_rows, batch.num_columns) == (5, 0)
    assert [one.num_rows for one in sent(batch)] == [5]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["abc"], "Row 0 is a str: a row is a list or tuple of arguments."),
        ([[1], 2], "Row 1 is a int: a row is a list or tuple of arguments."),
        ([{"a": 1}], "Row 0 is a dict: a row is a list or tuple of arguments."),
        ([{1}], "Row 0 is a set: a row is a list or tuple of arguments."),
        ([[1], [2, 3]], "Row 1 has 2 values, but the rows before it have 1."),
        ([[1, 1], [2, "x"]], "Argument 2 of rows 0 to 1 has values that do not go together: "),
        ([[1 << 70]], "Argument 1 of rows 0 to 0 has values that do not go together: "),
        ([[0]] * 10_000 + [3], "Row 10000 is a int"),
    ],
)
def test_what_is_no_row_is_named(given: Any, said: str):
    with pytest.raises(ValueInvalid) as refused:
        list(rows.batches(given))
    assert refused.value.message.startswith(said)


def test_long_texts_go_in_messages_of_a_few_megabytes():
    texts = ["x" * 10_000] * 3000 + ["y" * (9 << 20)]
    batch = pa.RecordBatch.from_pydict({"t": texts})
    messages = list(rows.messages(batch))
    *others, last = sorted(len(message) for message in messages)
    assert max(others) < 5 << 20 < last
    assert pa.Table.from_batches(sent(batch)).column(0).to_pylist() == texts


@pytest.mark.parametrize("kind", [pa.dictionary(pa.int8(), pa.string()), pa.string_view()])
def test_texts_in_other_clothes_are_sent_as_texts(kind: pa.DataType):
    (read,) = sent(pa.RecordBatch.from_arrays([pa.array(["x", None, "x"]).cast(kind)], ["t"]))
    assert read.column(0).type in (pa.string(), pa.large_string())
    assert read.column(0).to_pylist() == ["x", None, "x"]
