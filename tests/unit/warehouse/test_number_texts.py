"""TO_CHAR of numbers with a format."""

from collections.abc import Generator

import pytest

from snowcave.model.errors import Unsupported
from tests.kit.sql_engine import Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    with sql_session(tmp_path_factory.mktemp("engine")) as sql:
        sql.rows("CREATE TABLE t (n NUMBER(12, 3), f FLOAT)")
        sql.rows("INSERT INTO t VALUES (12345.678, -0.5)")
        yield sql


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("TO_CHAR(n, '999,999.00')", "  12,345.68"),
        ("TO_CHAR(n, '99999')", " 12346"),
        ("TO_CHAR(n, 'FM99,999.9')", "12,345.7"),
        ("TO_CHAR(n, '999.99')", "#######"),
        ("TO_CHAR(f, '990.00')", "  -0.50"),
        ("TO_CHAR(f, '99.00')", "  -.50"),
        ("TO_VARCHAR(5, '000')", " 005"),
        ("TO_VARCHAR(5, 'S000')", "+005"),
        ("TO_VARCHAR(-5, '000MI')", "005-"),
        ("TO_VARCHAR(-5, '9S')", "5-"),
        ("TO_VARCHAR(1234, '$9,999')", " $1,234"),
        ("TO_VARCHAR(7, '000,000')", " 000,007"),
        ("TO_VARCHAR(0, '99')", "  0"),
        ("TO_CHAR(SUM(n), '99,999.0')", " 12,345.7"),
        ("TO_CHAR(NULL::INT, '99')", None),
        ("TO_CHAR('2024-03-05'::DATE, 'MM')", "03"),
        ("TO_CHAR('2024-03-05 10:20:30'::TIMESTAMP, 'HH24:MI')", "10:20"),
    ],
)
def test_a_number_is_written_as_its_format_says(sql: Sql, expression: str, text: str | None):
    query = f"SELECT {expression} FROM t"
    assert sql.value(query) == text


def test_a_format_that_cannot_be_written_is_refused(sql: Sql):
    assert isinstance(sql.error("SELECT TO_CHAR(n, 'XXX') FROM t"), Unsupported)
    assert isinstance(sql.error("SELECT TO_CHAR(n, '9.9.9') FROM t"), Unsupported)
