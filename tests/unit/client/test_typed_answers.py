"""What services answer, as programs get it."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from snowcave.client.answers import typed
from snowcave.model.errors import ValueInvalid

NOON = datetime.fromisoformat("2014-01-01 16:00:00")


@pytest.mark.parametrize(
    ("returns", "texts", "values", "kind"),
    [
        ("NUMBER(38,0)", ["1", None, "-7"], [1, None, -7], pa.int64()),
        ("NUMBER(38,0)", ["2.0", "2.5", "-2.5", "1e3"], [2, 3, -3, 1000], pa.int64()),
        ("NUMBER(10,2)", ["1.5", "1.555"], [Decimal("1.50"), Decimal("1.56")], pa.decimal128(10, 2)),
        ("FLOAT", ["0.5", "1e+300", "inf"], [0.5, 1e300, float("inf")], pa.float64()),
        ("BOOLEAN", ["true", "false", None], [True, False, None], pa.bool_()),
        ("DATE", ["2014-01-01"], [date(2014, 1, 1)], pa.date32()),
        (
            "TIMESTAMP_NTZ(9)",
            ["2014-01-01 16:00:00", "2014-01-01 16:00:00.123456789"],
            [NOON, NOON + timedelta(microseconds=123456)],
            pa.timestamp("us"),
        ),
        ("BINARY(8388608)", ["AB00", None], [b"\xab\x00", None], pa.binary()),
        ("VARCHAR(16777216)", ["1", None], ["1", None], pa.string()),
        ("VARIANT", ['{"a":1}'], ['{"a":1}'], pa.string()),
        ("TIME(9)", ["16:00:00"], ["16:00:00"], pa.string()),
    ],
)  # fmt: skip
def test_answers_have_the_type_that_the_function_returns(returns, texts, values, kind):
    found = typed(pa.array(texts, pa.string()), returns)
    assert found.type == kind
    assert found.to_pylist() == values


@pytest.mark.parametrize(
    ("returns", "text"),
    [
        ("NUMBER(38,0)", "many"),
        ("NUMBER(38,0)", "12345678901234567890"),
        ("NUMBER(4,2)", "1234.5"),
        ("NUMBER(38,0)", "NaN"),
        ("FLOAT", "much"),
        ("BOOLEAN", "perhaps"),
        ("DATE", "tomorrow"),
        ("TIMESTAMP_NTZ(9)", "noon"),
        ("BINARY(8)", "xyz"),
    ],
)
def test_an_answer_that_is_no_such_thing_is_named(returns, text):
    with pytest.raises(ValueInvalid, match=f"'{text}', which is no {returns.partition('(')[0]}"):
        typed(pa.array([None, text], pa.string()), returns)
