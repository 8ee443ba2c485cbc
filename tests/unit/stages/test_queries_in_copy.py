"""COPY INTO a table from a query of a stage: fields of Parquet files are columns."""

import pytest
from sqlglot import exp, parse_one

from snowcave.model.errors import Unsupported
from snowcave.warehouse.stages.loading import name_fields

PARQUET = "FILE_FORMAT = (TYPE = PARQUET)"


def named(query: str, form: str = PARQUET) -> str:
    copy = parse_one(f"COPY INTO t FROM ({query}) {form}", read="snowflake")
    assert isinstance(copy, exp.Copy)
    name_fields(copy)
    return copy.args["files"][0].this.sql(dialect="snowflake")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('$1:"B b"', '"B b"'),
        ("$1:a AS x", '"a" AS x'),
        ("t.$1:a::NUMBER(38, 0)", 'CAST("a" AS DECIMAL(38, 0))'),
        ("$1['a']", '"a"'),
        ("UPPER($1:a), 1", 'UPPER("a"), 1'),
        ("$1:a.b.c", "GET_PATH(PARSE_JSON(TO_JSON(\"a\")), 'b.c')"),
    ],
)
def test_a_field_is_a_column(written: str, meant: str) -> None:
    assert named(f"SELECT {written} FROM @st t") == f"SELECT {meant} FROM @st AS t"


def test_a_named_format_may_be_parquet() -> None:
    assert (
        named("SELECT $1:a FROM @st", "FILE_FORMAT = (FORMAT_NAME = f)") == 'SELECT "a" FROM @st'
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT $1 FROM @st", "[$]1 without a field"),
        ("SELECT $2:a FROM @st", "[$]2 without a field"),
        ("SELECT $1[0] FROM @st", "[$]1 without a field"),
        ("SELECT $1:a FROM @st WHERE $1:a > 1", "WHERE"),
        ("SELECT DISTINCT $1:a FROM @st", "DISTINCT"),
        ("SELECT $1:a FROM @st LIMIT 1", "LIMIT"),
        ("SELECT $1:a FROM @st, u", "JOIN"),
        ("SELECT $1:a, (SELECT $1:a FROM @st) FROM @st", "another query"),
        ("SELECT a FROM (SELECT $1:a AS a FROM @st)", "another query"),
        ("SELECT $1:a FROM @st (PATTERN => 'x')", "PATTERN"),
        ("SELECT $1:a FROM @st UNION SELECT $1:a FROM @st", "UNION"),
    ],
)
def test_what_a_query_may_not_have_is_said(query: str, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        named(query)


@pytest.mark.parametrize(
    "form", ["", "FILE_FORMAT = (TYPE = CSV)", "FILE_FORMAT = (SKIP_HEADER = 1)"]
)
def test_other_files_are_refused(form: str) -> None:
    with pytest.raises(Unsupported, match="other than Parquet"):
        named("SELECT $1:a FROM @st", form)
