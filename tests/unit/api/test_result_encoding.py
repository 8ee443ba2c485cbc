"""Cells as the connectors read them."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.api.contract import Column, Rows
from snowcave.api.queries import encoding, rows
from snowcave.v1 import warehouse_pb2 as warehouse

UTC = datetime.UTC
MOMENTS = st.datetimes(
    min_value=datetime.datetime(1900, 1, 1),  # noqa: DTZ001
    max_value=datetime.datetime(2200, 1, 1),  # noqa: DTZ001
)


def texts(array: pa.Array, kind: str, scale: int = 0) -> list[str | None]:
    column = warehouse.ColumnType(type=kind, scale=scale)
    return encoding.column_texts(pa.chunked_array([array]), column)


@pytest.mark.parametrize(
    ("array", "kind", "scale", "expected"),
    [
        (pa.array([12, -5, None]), "fixed", 0, ["12", "-5", None]),
        (pa.array([Decimal("1.50"), None]), "fixed", 2, ["1.50", None]),
        (pa.array([Decimal("0.00000001")]), "fixed", 8, ["0.00000001"]),
        (pa.array([1.005, 2.5]), "fixed", 1, ["1.0", "2.5"]),
        (pa.array([2.5, None]), "real", 0, ["2.5", None]),
        (pa.array([True, False, None]), "boolean", 0, ["1", "0", None]),
        (pa.array([datetime.date(1970, 1, 3)]), "date", 0, ["2"]),
        (pa.array([datetime.time(1, 0, 0, 5)]), "time", 9, ["3600.000005000"]),
        (pa.array([datetime.time(1, 0)]), "time", 0, ["3600"]),
        (pa.array([-500_000], pa.timestamp("us")), "timestamp_ntz", 9, ["-0.500000000"]),
        (pa.array([1], pa.timestamp("s")), "timestamp_ntz", 3, ["1.000"]),
        (pa.array([1_234_567], pa.timestamp("us", "UTC")), "timestamp_ltz", 3, ["1.234"]),
        (pa.array([0, None], pa.timestamp("us", "UTC")), "timestamp_tz", 0, ["0 1440", None]),
        (pa.array(["2024-01-01T00:00:00+02:00"]), "timestamp_tz", 0, ["1704060000 1560"]),
        (pa.array([b"\x01\xff", None]), "binary", 0, ["01FF", None]),
        (pa.array(['{"a":1}', None]), "variant", 0, ['{"a":1}', None]),
        (pa.array([{"a": 1}]), "object", 0, ['{"a":1}']),
        (pa.array(["", None]), "text", 0, ["", None]),
    ],
)
def test_a_value_is_written_in_its_type_s_way(
    array: pa.Array, kind: str, scale: int, expected: list[str | None]
) -> None:
    assert texts(array, kind, scale) == expected


@given(MOMENTS)
def test_a_timestamp_keeps_its_microseconds(moment: datetime.datetime) -> None:
    (text,) = texts(pa.array([moment], pa.timestamp("us")), "timestamp_ntz", 9)
    assert text is not None
    whole, _, fraction = text.partition(".")
    assert len(fraction) == 9
    epoch = datetime.datetime(1970, 1, 1)  # noqa: DTZ001
    assert Decimal(text) == Decimal((moment - epoch) // datetime.timedelta(microseconds=1)) / 10**6
    assert whole not in ("", "+")


@given(st.lists(st.tuples(st.none() | st.integers(-(2**62), 2**62), st.none() | st.text())))
def test_our_own_rows_come_back_from_arrow_as_they_were(
    cells: list[tuple[int | None, str | None]],
) -> None:
    ours = Rows((Column("n", "fixed"), Column("t")), cells)
    columns = [rows.column_type(one) for one in ours.columns]
    table = encoding.read_stream(encoding.write_stream(rows.table(ours)))
    assert [tuple(row) for row in rows.rows_of(table, columns).rows] == cells
    shown = encoding.rowset(table, columns)
    assert shown == [(None if n is None else str(n), t) for n, t in cells]


def test_columns_of_one_name_keep_their_places() -> None:
    ours = Rows((Column("a"), Column("a")), [("x", "y")])
    columns = [rows.column_type(one) for one in ours.columns]
    table = encoding.read_stream(encoding.write_stream(rows.table(ours)))
    assert encoding.rowset(table, columns) == [("x", "y")]


def test_our_own_timestamps_have_milliseconds() -> None:
    ours = Rows(
        (Column("created_on", "timestamp_ltz"),),
        [(datetime.datetime(2024, 1, 1, tzinfo=UTC),), (None,)],
    )
    columns = [rows.column_type(one) for one in ours.columns]
    assert encoding.rowset(rows.table(ours), columns) == [("1704067200.000",), (None,)]


def test_values_of_another_type_than_their_column_are_shown_as_text() -> None:
    ours = Rows((Column("a"),), [(1,), (True,), (2.5,)])
    columns = [rows.column_type(one) for one in ours.columns]
    assert encoding.rowset(rows.table(ours), columns) == [("1",), ("true",), ("2.5",)]
