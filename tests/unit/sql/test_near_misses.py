"""What begins like one of our statements and is none: where it goes wrong, and what would have been right."""

import pytest

from snowcave.api.sql.parser import parse
from snowcave.model.errors import SyntaxInvalid


@pytest.mark.parametrize(
    ("sql", "position", "met", "expected"),
    [
        ("CREATE OR REPLACE test_udf(a varchar) RETURNS varchar", 18, "test_udf", "object type"),
        ("CREATE COMPUTE p MIN_NODES=1", 15, "p", "'POOL'"),
        ("ALTER COMPUTE p SUSPEND", 14, "p", "'POOL'"),
        ("DROP IMAGE r", 11, "r", "'REPOSITORY'"),
        ("DROP SERVICES s", 5, "SERVICES", "'SERVICE'"),
        ("EXECUTE JOB j", 12, "j", "'SERVICE'"),
        ("EXECUTE SERVICE IN COMPUTE POOL p", 8, "SERVICE", "'JOB'"),
        ("EXECUTE JOB SERVICE NAME=j", 26, "<EOF>", "IN COMPUTE POOL"),
        ("EXECUTE JOB SERVICE IN COMPUTE POOL p", 37, "<EOF>", "FROM SPECIFICATION"),
        ("SHOW SERVICE FOO", 13, "FOO", "'INSTANCES', 'CONTAINERS'"),
        ("SHOW COMPUTE POOL", 17, "<EOF>", "'INSTANCE'"),
        ("SHOW COMPUTE p", 13, "p", "'POOL', 'POOLS'"),
        ("SHOW IMAGE REPOSITORY", 11, "REPOSITORY", "'REPOSITORIES'"),
        ("SHOW JOB", 8, "<EOF>", "SERVICES"),
        ("SHOW COMPUTE POOLS LIKE p", 24, "p", "string"),
        ("SHOW COMPUTE POOLS LIMIT x", 25, "x", "integer"),
        ("SHOW COMPUTE POOLS STARTS 'P'", 26, "'P'", "'WITH'"),
        ("SHOW COMPUTE POOLS IN", 21, "<EOF>", "identifier"),
        ("ALTER COMPUTE POOL p SET", 24, "<EOF>", "property"),
        ("ALTER COMPUTE POOL p STOP", 21, "STOP", ""),
        ("ALTER COMPUTE POOL p STOP ALL OF USER", 33, "USER", "'TYPE'"),
        ("ALTER SERVICE s RESTORE VOLUME v INSTANCES FROM SNAPSHOT x", 43, "FROM", "integer"),
        ("CALL s!SPCS_WAIT_FOR('READY' 5)", 29, "5", "')'"),
        ("DESC COMPUTE POOL a.b", 18, "a", "identifier"),
        ("DESC COMPUTE POOL IDENTIFIER(p)", 29, "p", "string"),
    ],
)
def test_an_error_says_where_what_and_what_instead(
    sql: str, position: int, met: str, expected: str
) -> None:
    with pytest.raises(SyntaxInvalid) as raised:
        parse(sql)
    tail = f"\nexpecting {expected}." if expected else ""
    assert raised.value.message == (
        f"SQL compilation error:\nsyntax error line 1 at position {position} unexpected '{met}'.{tail}"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a int)",
        "DESC services",
        "EXECUTE IMMEDIATE 'x'",
        "CREATE VIEW v AS SELECT 1",
        "SHOW TABLES",
        "CREATE DYNAMIC TABLE x",
    ],
)
def test_what_is_not_ours_goes_by(sql: str) -> None:
    assert parse(sql) is None
