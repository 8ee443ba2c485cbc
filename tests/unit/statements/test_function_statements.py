"""Service functions, image repositories and the system's functions by statements."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import ToWarehouse
from snowcave.model.errors import SnowcaveError
from tests.kit.statements import Account, open_account

SPEC = """SPECIFICATION $$
spec:
  containers: [{name: main, image: /d/public/r/echo}]
  endpoints:
  - {name: e, port: 8000}
  - {name: f, port: 8001}
  - {name: t, port: 9000, protocol: TCP}
$$"""
FUNCTION = "FUNCTION f(a varchar) RETURNS varchar SERVICE=s ENDPOINT=e"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r")
        await opened.sql("CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_S")
        opened.registry.push("d/public/r/echo:latest")
        await opened.sql(f"CREATE SERVICE s IN COMPUTE POOL p FROM {SPEC}")
        yield opened


async def properties(account: Account, signature: str) -> dict[object, object]:
    rows = await account.sql(f"DESC FUNCTION {signature}")
    return {row["property"]: row["value"] for row in rows}


async def refused(account: Account, sql: str) -> SnowcaveError:
    with pytest.raises(SnowcaveError) as raised:
        await account.sql(sql)
    return raised.value


# ---------------------------------------------------------------- functions


async def test_every_clause_is_kept_whatever_the_order(account: Account) -> None:
    await account.sql(
        'CREATE OR REPLACE FUNCTION d.public.f("A b" STRING, n int, at timestamp_ltz(3), o object) '
        "RETURNS variant NOT NULL IMMUTABLE RETURNS NULL ON NULL INPUT "
        "MAX_BATCH_ROWS = 7 CONTEXT_HEADERS=(current_user, LAST_QUERY_ID) ENDPOINT='f' "
        "ON_BATCH_FAILURE=return_null COMMENT='c' SERVICE=d.public.s MAX_BATCH_RETRIES => 0 "
        "BATCH_TIMEOUT_SECS=604800 AS $$/path?x=1$$;"
    )
    found = await properties(account, "f(varchar, number, timestamp_ltz, object)")
    assert found == {
        "signature": '("A b" VARCHAR, N NUMBER, AT TIMESTAMP_LTZ, O OBJECT)',
        "returns": "VARIANT",
        "language": "EXTERNAL",
        "null handling": "RETURNS NULL ON NULL INPUT",
        "volatility": "IMMUTABLE",
        "body": "/path?x=1",
        "service": "D.PUBLIC.S",
        "endpoint": "f",
        "max_batch_rows": "7",
        "max_batch_retries": "0",
        "batch_timeout_secs": "604800",
        "on_batch_failure": "RETURN_NULL",
        "context_headers": "CURRENT_USER, LAST_QUERY_ID",
    }


async def test_what_is_left_out_is_as_documented(account: Account) -> None:
    await account.sql(f"CREATE {FUNCTION} AS '/echo'")
    found = await properties(account, "f(text)")
    assert (found["null handling"], found["volatility"]) == ("CALLED ON NULL INPUT", "VOLATILE")
    assert (found["max_batch_retries"], found["batch_timeout_secs"]) == ("3", "3600")
    assert (found["on_batch_failure"], found["max_batch_rows"]) == ("ABORT", "not set")
    (shown,) = await account.sql("SHOW USER FUNCTIONS")
    assert shown["description"] == "user-defined function"
    assert shown["arguments"] == "F(VARCHAR) RETURN VARCHAR"


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("CREATE FUNCTION f(a int) RETURNS int SERVICE=s AS '/x'", 2029, "option(s): [ENDPOINT]"),
        ("CREATE FUNCTION f(a int) RETURNS int ENDPOINT=e AS '/x'", 2029, "option(s): [SERVICE]"),
        (f"CREATE {FUNCTION}", 1003, "unexpected '<EOF>'.\nexpecting AS."),
        (f"CREATE {FUNCTION} AS 'x'", 1008, "invalid value 'x' for property 'AS'"),
        (f"CREATE {FUNCTION} MAX_BATCH_ROWS=0 AS '/x'", 1008, "'0' for property 'MAX_BATCH_ROWS'"),
        (f"CREATE {FUNCTION} BATCH_TIMEOUT_SECS=604801 AS '/x'", 1008, "'604801' for property"),
        (f"CREATE {FUNCTION} BATCH_TIMEOUT_SECS=0 AS '/x'", 1008, "'0' for property"),
        (f"CREATE {FUNCTION} ON_BATCH_FAILURE=ROBOT AS '/x'", 1008, "'ROBOT' for property"),
        (f"CREATE {FUNCTION} CONTEXT_HEADERS=(ROBOT) AS '/x'", 1008, "'ROBOT' for property"),
        (f"CREATE {FUNCTION} REQUEST_TRANSLATOR=t AS '/x'", 1008, "'REQUEST_TRANSLATOR' for"),
        (f"CREATE {FUNCTION} AS '/x' AS '/y'", 1003, "expecting AS."),
        (
            "CREATE FUNCTION f(a int, a int) RETURNS int SERVICE=s ENDPOINT=e AS '/x'",
            1008,
            "duplicate argument names",
        ),
        (
            "CREATE FUNCTION f(a robot) RETURNS int SERVICE=s ENDPOINT=e AS '/x'",
            2,
            "Unsupported feature 'data type ROBOT'",
        ),
        (
            "CREATE FUNCTION f(a) RETURNS int SERVICE=s ENDPOINT=e AS '/x'",
            1003,
            "unexpected ')'.\nexpecting data type.",
        ),
        (
            "CREATE FUNCTION f(a int) RETURNS int SERVICE=nope ENDPOINT=e AS '/x'",
            2003,
            "Service 'D.PUBLIC.NOPE' does not exist or not authorized.",
        ),
        (
            "CREATE FUNCTION f(a int) RETURNS int SERVICE=s ENDPOINT=nope AS '/x'",
            2003,
            "Endpoint 'S!nope' does not exist or not authorized.",
        ),
        (
            "CREATE FUNCTION f(a int) RETURNS int SERVICE=s ENDPOINT=t AS '/x'",
            1008,
            "its protocol must be HTTP",
        ),
    ],
)
async def test_a_function_that_cannot_be_is_refused(
    account: Account, sql: str, code: int, said: str
) -> None:
    error = await refused(account, sql)
    assert error.code == code
    assert said in error.message


async def test_overloads_are_told_apart_by_types(account: Account) -> None:
    for types in ("a varchar", "a number", "a int, b text", ""):
        await account.sql(
            f"CREATE FUNCTION g({types}) RETURNS int SERVICE=s ENDPOINT=e AS '/{len(types)}'"
        )
    error = await refused(
        account, "CREATE FUNCTION g(x bigint) RETURNS text SERVICE=s ENDPOINT=e AS '/x'"
    )
    assert error.code == 2002
    assert (await properties(account, "g(decimal)"))["body"] == "/8"
    await account.sql("DROP FUNCTION g(numeric(10, 2))")
    shown = [row["arguments"] for row in await account.sql("SHOW FUNCTIONS LIKE 'g'")]
    assert sorted(map(str, shown)) == [
        "G() RETURN NUMBER",
        "G(NUMBER, VARCHAR) RETURN NUMBER",
        "G(VARCHAR) RETURN NUMBER",
    ]
    gone = "Drop statement executed successfully (G already dropped)."
    assert await account.sql("DROP FUNCTION IF EXISTS g(number)") == [{"status": gone}]


async def test_create_or_alter_changes_what_it_may(account: Account) -> None:
    await account.sql(f"CREATE OR ALTER {FUNCTION} AS '/one'")
    before = account.catalog.named(
        "function", next(account.catalog.all("function")).parent, "F(VARCHAR)"
    )
    await account.sql(
        "CREATE OR ALTER FUNCTION f(a text) RETURNS text SERVICE=d.public.s ENDPOINT=f "
        "MAX_BATCH_ROWS=5 CONTEXT_HEADERS=(CURRENT_ROLE) ON_BATCH_FAILURE=RETURN_NULL AS '/two'"
    )
    found = await properties(account, "f(varchar)")
    assert (found["endpoint"], found["body"], found["max_batch_rows"]) == ("f", "/two", "5")
    after = account.catalog.named(
        "function", next(account.catalog.all("function")).parent, "F(VARCHAR)"
    )
    assert before is not None
    assert after is not None
    assert before.message.uid == after.message.uid
    for changed in (
        "f(a text) RETURNS int SERVICE=s ENDPOINT=e",
        "f(a text) RETURNS text IMMUTABLE SERVICE=s ENDPOINT=e",
        "f(a text) RETURNS text STRICT SERVICE=s ENDPOINT=e",
        "f(other text) RETURNS text SERVICE=s ENDPOINT=e",
    ):
        error = await refused(account, f"CREATE OR ALTER FUNCTION {changed} AS '/x'")
        assert error.code == 2


async def test_functions_are_altered_unset_and_renamed(account: Account) -> None:
    await account.sql(
        f"CREATE {FUNCTION} AS '/x'",
        "ALTER FUNCTION f(varchar) SET ENDPOINT=f MAX_BATCH_ROWS=3, MAX_BATCH_RETRIES=1 "
        "BATCH_TIMEOUT_SECS=9 ON_BATCH_FAILURE=RETURN_NULL CONTEXT_HEADERS=(CURRENT_ROLE) COMMENT='c'",
    )
    found = await properties(account, "f(varchar)")
    assert (found["endpoint"], found["max_batch_rows"], found["batch_timeout_secs"]) == (
        "f",
        "3",
        "9",
    )
    await account.sql(
        "ALTER FUNCTION f(varchar) UNSET MAX_BATCH_ROWS, MAX_BATCH_RETRIES, BATCH_TIMEOUT_SECS, "
        "ON_BATCH_FAILURE, CONTEXT_HEADERS, COMMENT"
    )
    found = await properties(account, "f(varchar)")
    assert (found["max_batch_rows"], found["max_batch_retries"]) == ("not set", "3")
    assert (found["on_batch_failure"], found["context_headers"]) == ("ABORT", None)
    assert (await refused(account, "ALTER FUNCTION f(text) UNSET SERVICE")).code == 1008
    await account.sql("CREATE SCHEMA d.x", "USE SCHEMA d.public")
    await account.sql('ALTER FUNCTION f(varchar) RENAME TO d.x."Other.f"')
    (shown,) = await account.sql("SHOW USER FUNCTIONS IN DATABASE d")
    assert (shown["name"], shown["schema_name"]) == ("Other.f", "X")
    assert (await properties(account, 'd.x."Other.f"(text)'))["body"] == "/x"
    await account.sql(f"CREATE {FUNCTION} AS '/x'")
    error = await refused(account, 'ALTER FUNCTION d.x."Other.f"(text) RENAME TO d.public.f')
    assert error.code == 2002


# ---------------------------------------------------------------- image repositories


async def test_repositories_are_made_replaced_kept_and_dropped(account: Account) -> None:
    made = [{"status": "Image Repository Q successfully created."}]
    assert (
        await account.sql(
            "CREATE IMAGE REPOSITORY d.public.q ENCRYPTION=(TYPE='SNOWFLAKE_SSE') COMMENT='c'"
        )
        == made
    )
    (row,) = await account.sql("SHOW IMAGE REPOSITORIES LIKE 'Q' IN SCHEMA d.public")
    assert (row["encryption"], row["comment"]) == ("SNOWFLAKE_SSE", "c")
    assert str(row["repository_url"]).endswith("/d/public/q")
    assert row["privatelink_repository_url"] == row["repository_url"]
    assert await account.sql("create or replace image repository q") == made
    kept = [{"status": "Q already exists, statement succeeded."}]
    assert await account.sql("CREATE IMAGE REPOSITORY IF NOT EXISTS IDENTIFIER('q')") == kept
    await account.sql("ALTER IMAGE REPOSITORY q SET COMMENT = 'new'")
    assert (await account.sql("DESC IMAGE REPOSITORY q"))[0]["comment"] == "new"
    assert await account.sql("DROP IMAGE REPOSITORY q") == [{"status": "Q successfully dropped."}]


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("CREATE IMAGE REPOSITORY r", 2002, "Object 'R' already exists."),
        ("CREATE IMAGE REPOSITORY q SIZE=1", 1008, "invalid property 'SIZE' for 'STAGE'"),
        ("CREATE IMAGE REPOSITORY q ENCRYPTION=(TYPE='X')", 1008, "'X' for property 'ENCRYPTION'"),
        ('CREATE IMAGE REPOSITORY "q"', 1008, "for an image repo must be unquoted identifiers"),
        ("CREATE OR REPLACE IMAGE REPOSITORY IF NOT EXISTS q", 1003, "unexpected 'q'."),
        ("ALTER IMAGE REPOSITORY r UNSET COMMENT", 2, "Unsupported feature 'UNSET'"),
        ("DROP IMAGE REPOSITORY q", 2003, "Image repository 'D.PUBLIC.Q' does not exist or not"),
        (
            "SHOW IMAGES IN IMAGE REPOSITORY q",
            2003,
            "Image repository 'D.PUBLIC.Q' does not exist",
        ),
    ],
)
async def test_repositories_that_cannot_be(
    account: Account, sql: str, code: int, said: str
) -> None:
    error = await refused(account, sql)
    assert error.code == code
    assert said in error.message


# ---------------------------------------------------------------- functions of the system


@pytest.mark.parametrize(
    "sql",
    [
        "CALL SYSTEM$GET_SERVICE_STATUS('s')",
        "call system$get_service_status('d.public.s', 0);",
        "SELECT SYSTEM$GET_SERVICE_STATUS('S')",
        "SELECT SYSTEM$GET_SERVICE_STATUS('d.public.\"S\"', '0') AS status",
    ],
)
async def test_a_status_is_json_by_call_and_select(account: Account, sql: str) -> None:
    (row,) = await account.sql(sql)
    (status,) = json.loads(str(next(iter(row.values()))))
    assert set(status) == {
        "status",
        "message",
        "containerName",
        "instanceId",
        "serviceName",
        "image",
        "restartCount",
        "startTime",
    }
    assert (status["containerName"], status["serviceName"]) == ("main", "S")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT PARSE_JSON(SYSTEM$GET_SERVICE_STATUS('s'))[0]:status::varchar",
        "SELECT f.value:containerName FROM TABLE(FLATTEN(INPUT => "
        "PARSE_JSON(SYSTEM$GET_SERVICE_STATUS('s')))) f",
        "WITH t AS (SELECT system$get_service_status('s', 1 -- soon\n)) SELECT * FROM t",
    ],
)
async def test_within_ordinary_sql_a_call_becomes_what_it_says(account: Account, sql: str) -> None:
    outcome = await account.outcome(sql)
    assert isinstance(outcome, ToWarehouse)
    assert "SYSTEM$" not in outcome.sql.upper().partition(' AS "')[0]
    assert '"containerName": "main"' in outcome.sql


@pytest.mark.parametrize(
    ("sql", "tail"),
    [
        (
            "SELECT parse_json(system$get_service_status('s'))  , 1 FROM t",
            """) AS "PARSE_JSON(SYSTEM$GET_SERVICE_STATUS('S'))"  , 1 FROM t""",
        ),
        (
            "SELECT DISTINCT SYSTEM$GET_SERVICE_STATUS('s'), x",
            """' AS "SYSTEM$GET_SERVICE_STATUS('S')", x""",
        ),
        ("SELECT SYSTEM$GET_SERVICE_STATUS('s') AS a, x;", "' AS a, x;"),
        ("SELECT SYSTEM$GET_SERVICE_STATUS('s') a, x", "' a, x"),
        (
            "SELECT f(1, SYSTEM$GET_SERVICE_STATUS('s')):\"Ab\"::string LIMIT 1",
            """):"Ab"::string AS "F(1, SYSTEM$GET_SERVICE_STATUS('S')):""Ab""::STRING" LIMIT 1""",
        ),
        ("SELECT x FROM (SELECT SYSTEM$GET_SERVICE_STATUS('s')) t", "') t"),
        ("SELECT a.b, * FROM f(SYSTEM$GET_SERVICE_STATUS('s'))", "')"),
    ],
)
async def test_columns_are_headed_by_what_was_written(
    account: Account, sql: str, tail: str
) -> None:
    outcome = await account.outcome(sql)
    assert isinstance(outcome, ToWarehouse)
    assert outcome.sql.endswith(tail)


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("CALL SYSTEM$GET_SERVICE_STATUS()", 1008, "too few arguments for function [SYSTEM$GET_S"),
        ("CALL SYSTEM$GET_SERVICE_STATUS('s', 1, 2)", 1008, "too many arguments for function"),
        ("CALL SYSTEM$GET_SERVICE_STATUS('s', 'x')", 1008, "Invalid argument 2 of function"),
        (
            "CALL SYSTEM$GET_SERVICE_STATUS('n')",
            2003,
            "Service 'D.PUBLIC.N' does not exist or not",
        ),
        ("CALL SYSTEM$GET_SERVICE_LOGS('s', 0)", 1008, "too few arguments"),
        ("CALL SYSTEM$GET_SERVICE_LOGS('s', 0, 'x')", 2003, "Container 'x' does not exist"),
        ("CALL SYSTEM$GET_SERVICE_LOGS('s', 9, 'main')", 2003, "Instance '9' does not exist"),
        ("CALL SYSTEM$GET_SERVICE_LOGS('s', 'a', 'main')", 1008, "Invalid argument 2"),
        (
            "CALL SYSTEM$GET_SERVICE_LOGS('s', '0', 'main', 1001)",
            1008,
            "Invalid `tail lines` value 1001. Allowed values are in range [1, 1000].",
        ),
        ("SELECT SYSTEM$REGISTRY_LIST_IMAGES('/d/public')", 1008, "Invalid argument 1"),
        ("SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('d.nope')", 2003, "Schema 'D.NOPE' does not exist"),
        ("SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('a.b.c')", 1008, "Invalid argument 1"),
        ("SELECT SYSTEM$GET_JOB_STATUS('s')", 1008, "Service 'S' is not a job."),
        ("SELECT SYSTEM$CANCEL_JOB('s')", 1008, "Service 'S' is not a job."),
        ("CALL s!SPCS_WAIT_FOR('ROBOT', 1)", 1008, "'ROBOT' is no status of a service."),
        ("CALL s!SPCS_WAIT_FOR('RUNNING')", 1008, "takes a status and a number of seconds"),
        ("CALL s!SPCS_WAIT_FOR('RUNNING', 0)", 395093, "has not reached status RUNNING"),
    ],
)
async def test_calls_that_cannot_be(account: Account, sql: str, code: int, said: str) -> None:
    error = await refused(account, sql)
    assert error.code == code
    assert said in error.message


async def test_seven_arguments_of_logs_reach_the_node(account: Account) -> None:
    await account.sql(
        "call SYSTEM$GET_SERVICE_LOGS('d.public.s', '0', 'main', 10, True, '2026-01-01T00:00:00Z', True);"
    )
    (asked,) = account.logs.asked
    assert (asked.instance_id, asked.container, asked.tail_lines) == (0, "main", 10)
    assert (asked.previous, asked.since, asked.timestamps) == (True, "2026-01-01T00:00:00Z", True)


async def test_domains_are_of_schemas_whatever_they_are_called(account: Account) -> None:
    await account.sql('CREATE SCHEMA d."my.schema"')
    sql = "SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('{}') AS D"
    dotted = (await account.sql(sql.format('d."my.schema"')))[0]["D"]
    assert (await account.sql(sql.format('"my.schema"')))[0]["D"] == dotted
    assert (await account.sql(sql.format("d.public")))[0]["D"] != dotted
    (row,) = await account.sql("SHOW SERVICES IN SCHEMA d.public")
    assert str(row["dns_name"]) == "s." + str((await account.sql(sql.format("D.PUBLIC")))[0]["D"])


async def test_old_functions_of_jobs_read_jobs(account: Account) -> None:
    await account.sql(
        "EXECUTE JOB SERVICE IN COMPUTE POOL p ASYNC=TRUE NAME=j "
        "FROM SPECIFICATION $$spec: {container: [{name: main, image: /d/public/r/echo}]}$$"
    )
    (row,) = await account.sql("SELECT SYSTEM$GET_JOB_STATUS('j') AS S")
    assert json.loads(str(row["S"]))[0]["containerName"] == "main"
    assert await account.sql("CALL SYSTEM$GET_JOB_LOGS('j', 'main', 5)") == [
        {"SYSTEM$GET_JOB_LOGS": "line\n"}
    ]


async def test_nodes_are_listed_of_pools_that_one_may_see(account: Account) -> None:
    assert await account.sql("SHOW NODES IN COMPUTE POOL p") == []
    error = await refused(account, "SHOW NODES IN COMPUTE POOL nope")
    assert error.code == 2003
