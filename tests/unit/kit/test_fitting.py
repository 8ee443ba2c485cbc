"""Rows in pieces of a number of bytes."""

import pyarrow as pa
import pytest

from snowcave.kit.fitting import fitting
from snowcave.warehouse.results.query_results import pieces


@pytest.mark.parametrize("make", [pa.array, lambda texts: pa.table({"t": texts})])
def test_no_piece_is_larger_and_none_is_lost(make):
    rows = make(["x" * 10] * 100 + ["y" * 1000] * 7)
    found = list(fitting(rows, 500))
    assert sum(len(piece) for piece in found) == 107
    assert all(piece.nbytes <= 500 or len(piece) == 1 for piece in found)
    joined = pa.concat_arrays(found) if isinstance(rows, pa.Array) else pa.concat_tables(found)
    assert joined.equals(rows)


def test_no_rows_are_one_piece():
    assert [len(piece) for piece in fitting(pa.array([], pa.string()), 1)] == [0]


def test_a_result_of_long_texts_is_told_in_messages_that_fit():
    table = pa.table({"t": ["x" * 9000] * 8192})
    found = list(pieces(table, 2, 8000, 100_000))
    assert sum(piece.num_rows for piece in found) == 8000
    assert max(piece.nbytes for piece in found) <= 8 << 20
    assert [piece.num_rows for piece in pieces(table.slice(0, 0), 0, 0, 10)] == [0]
