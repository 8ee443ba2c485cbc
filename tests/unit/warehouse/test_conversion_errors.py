"""Answers and other texts that are not what they are cast to are told in Snowflake's words."""

import duckdb
import pytest

from snowcave.warehouse.engine import failures


def refused(value, cast):
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (_SC_R0 VARCHAR)")
        connection.execute("INSERT INTO t VALUES (?)", [value])
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"SELECT {cast} FROM t").fetchall()
    error = failures.translated(caught.value)
    return error.code, error.sqlstate, error.message


@pytest.mark.parametrize(
    ("value", "cast", "code", "sqlstate", "message"),
    [
        ("maybe", "BOOLEAN", 100037, "22018", "Boolean value 'maybe' is not recognized"),
        ("x", "DATE", 100040, "22007", "Date 'x' is not recognized"),
        ("2020-99-99", "DATE", 100040, "22007", "Date '2020-99-99' is not recognized"),
        ("x", "TIMESTAMP", 100035, "22007", "Timestamp 'x' is not recognized"),
        ("x", "TIMESTAMPTZ", 100035, "22007", "Timestamp 'x' is not recognized"),
        (
            "2020-13-01 00:00:00",
            "TIMESTAMP",
            100035,
            "22007",
            "Timestamp '2020-13-01 00:00:00' is not recognized",
        ),
        ("25:00:00", "TIME", 100108, "22007", "Time '25:00:00' is not recognized"),
        ("x", "DECIMAL(38,0)", 100038, "22018", "Numeric value 'x' is not recognized"),
        ('it\'s "x"', "BIGINT", 100038, "22018", "Numeric value 'it's \"x\"' is not recognized"),
        ("two\nlines", "DOUBLE", 100038, "22018", "Numeric value 'two\nlines' is not recognized"),
        ("1e60", "DECIMAL(38,0)", 100039, "22003", "Numeric value '1e60' is out of range"),
        ("12345.5", "DECIMAL(5,2)", 100039, "22003", "Numeric value '12345.5' is out of range"),
    ],
)
def test_a_text_that_cannot_be_cast_is_not_recognized(value, cast, code, sqlstate, message):
    assert refused(value, f"_SC_R0::{cast}") == (code, sqlstate, message)


@pytest.mark.parametrize("cast", ["_SC_R0::DOUBLE::DECIMAL(38,0)", "_SC_R0::DOUBLE::BIGINT"])
def test_a_number_that_is_too_large_is_out_of_range(cast):
    code, _, message = refused("1e300", cast)
    assert code == 100039
    assert message.endswith("is out of range")


@pytest.mark.parametrize("cast", ["_SC_R0::JSON", "_SC_R0::DATE", "UNHEX(_SC_R0)", "_SC_R0::UUID"])
def test_no_column_of_ours_is_named(cast):
    assert "_SC_R0" not in refused("maybe", cast)[2]
