"""Statements as typed values: what users, tutorials and the snow CLI write."""

import pytest

from snowcave.api.sql.parser import parse
from snowcave.api.sql.tree import (
    Action,
    Alter,
    Create,
    CreateFunction,
    CreateService,
    Describe,
    Drop,
    Existing,
    Grantee,
    GrantPrivileges,
    GrantRole,
    GrantServiceRole,
    Scope,
    Securable,
    SetParameters,
    Show,
    ShowParameters,
    SystemCall,
    Use,
)
from snowcave.model.errors import OptionMissing, SyntaxInvalid, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName

SPEC = "FROM SPECIFICATION $$ spec $$"


def service(sql: str) -> CreateService:
    statement = parse(sql)
    assert isinstance(statement, CreateService)
    return statement


@pytest.mark.parametrize(
    "sql",
    [
        f"CREATE SERVICE db.sc.s IN COMPUTE POOL p {SPEC} MIN_INSTANCES=2 COMMENT='c'",
        f"create service db.sc.s min_instances => 2 comment='c' in compute pool p {SPEC};",
        f"CREATE SERVICE db.sc.s {SPEC} WITH TAG (t = 'v') IN COMPUTE POOL p\n"
        "MIN_INSTANCES = 2 -- two\nCOMMENT = 'c' ;",
    ],
)
def test_the_clauses_of_a_service_come_in_any_order(sql: str) -> None:
    found = service(sql)
    assert found.name == ObjectName("S", "SC", "DB")
    assert (found.compute_pool, found.source.text) == ("P", " spec ")
    given = {key: value for key, value in found.options.items() if key != "TAG"}
    assert given == {"MIN_INSTANCES": 2, "COMMENT": "c"}
    assert dict(found.options.tags) == ({ObjectName("T"): "v"} if "TAG" in sql else {})


@pytest.mark.parametrize(
    ("source", "stage", "file"),
    [
        ("FROM @stg SPECIFICATION_FILE = 'a/b.yml'", "@stg", "a/b.yml"),
        ("FROM @db.sc.stg SPEC=my-job_spec.yaml", "@db.sc.stg", "my-job_spec.yaml"),
        ("FROM SPECIFICATION_FILE='x.yaml'", "", "x.yaml"),
    ],
)
def test_a_specification_may_be_a_file(source: str, stage: str, file: str) -> None:
    found = service(f"CREATE SERVICE s IN COMPUTE POOL p {source} MIN_INSTANCES=1")
    spelling = found.source.stage.spelling if found.source.stage else ""
    assert (spelling, found.source.file) == (stage, file)


@pytest.mark.parametrize(
    ("sql", "line", "position", "unexpected"),
    [
        (f"CREATE SERVICE s IN COMPUTE POOL {SPEC}", 1, 33, "FROM"),
        (f"CREATE SERVICE s\n IN COMPUTE p {SPEC}", 2, 12, "p"),
        (f"CREATE SERVICE s IN COMPUTE POOL p {SPEC} WHAT", 1, 65, "WHAT"),
        ("CREATE SERVICE s IN COMPUTE POOL p", 1, 34, "<EOF>"),
        ("ALTER SERVICE s", 1, 15, "<EOF>"),
        ("CREATE OR REPLACE COMPUTE POOL p", 1, 18, "COMPUTE"),
        ("SHOW ENDPOINTS", 1, 14, "<EOF>"),
        ("CREATE OR REPLACE ROLE IF NOT EXISTS r", 1, 37, "r"),
        ("USE ROLE r s", 1, 11, "s"),
    ],
)
def test_a_syntax_error_says_where(sql: str, line: int, position: int, unexpected: str) -> None:
    with pytest.raises(SyntaxInvalid, match=f"unexpected '{unexpected}'") as caught:
        parse(sql)
    assert (caught.value.line, caught.value.position) == (line, position)


def test_a_misspelt_property_is_named() -> None:
    with pytest.raises(ValueInvalid, match="invalid property 'MIN_INSTANCE' for 'SERVICE'"):
        parse(f"CREATE SERVICE s IN COMPUTE POOL p {SPEC} MIN_INSTANCE = 1")
    with pytest.raises(ValueInvalid, match="invalid property 'SIZE' for 'STAGE'"):
        parse("CREATE IMAGE REPOSITORY r SIZE = 1")


def test_a_pool_as_the_cli_writes_it() -> None:
    found = parse(
        "CREATE COMPUTE POOL IF NOT EXISTS p1 MIN_NODES = 1 MAX_NODES = 2 "
        "INSTANCE_FAMILY = 'cpu_x64_xs' AUTO_RESUME = True INITIALLY_SUSPENDED = False "
        "AUTO_SUSPEND_SECS = 3600 COMMENT = 'it''s' WITH TAG (t='v')"
    )
    assert isinstance(found, Create)
    assert (found.domain, found.name.name, found.existing) == ("compute_pool", "P1", Existing.KEEP)
    assert dict(found.options) == {
        "MIN_NODES": 1,
        "MAX_NODES": 2,
        "INSTANCE_FAMILY": "CPU_X64_XS",
        "AUTO_RESUME": True,
        "INITIALLY_SUSPENDED": False,
        "AUTO_SUSPEND_SECS": 3600,
        "COMMENT": "it's",
        "TAG": {ObjectName("T"): "v"},
    }


def test_a_service_function_and_its_overload() -> None:
    found = parse(
        "CREATE OR REPLACE FUNCTION f (a INT, b string) RETURNS NUMBER(10, 2) NOT NULL "
        "RETURNS NULL ON NULL INPUT IMMUTABLE SERVICE=db.sc.s ENDPOINT='e' MAX_BATCH_ROWS=10 AS '/p'"
    )
    assert isinstance(found, CreateFunction)
    assert [(name, kind.base) for name, kind in found.arguments] == [
        ("A", "NUMBER"),
        ("B", "VARCHAR"),
    ]
    assert (found.returns.text, found.strict, found.immutable) == ("NUMBER(10,2)", True, True)
    assert found.options.object_name("SERVICE") == ObjectName("S", "SC", "DB")
    assert parse("DROP FUNCTION IF EXISTS f(integer, text)") == Drop(
        "function", ObjectName("F"), True, arguments=("NUMBER", "VARCHAR")
    )


def test_a_service_function_without_endpoint_misses_an_option() -> None:
    with pytest.raises(OptionMissing, match=r"Missing option\(s\): \[ENDPOINT\]"):
        parse("CREATE FUNCTION f() RETURNS int SERVICE=s AS '/'")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "CREATE FUNCTION f(x int) RETURNS int AS 'x + 1'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE PYTHON HANDLER='m' AS $$service=1$$",
        "create table t (a int)",
        "SHOW TABLES",
        "SHOW VARIABLES",
        "describe table x",
        "DROP TABLE t",
        "select parse_json(system$get_service_status('s'))",
        "SELECT SYSTEM$TYPEOF(1)",
        "",
        ";",
    ],
)
def test_other_statements_are_left_to_the_warehouse(sql: str) -> None:
    assert parse(sql) is None


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE COMPUTE POOL p FOR APPLICATION a MIN_NODES=1",
        "ALTER IMAGE REPOSITORY r UNSET COMMENT",
    ],
)
def test_what_cannot_be_done_yet_is_said_so(sql: str) -> None:
    with pytest.raises(Unsupported):
        parse(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "show compute pools like '%%' in account",
            Show("COMPUTE POOLS", like="%%", scope=Scope("account")),
        ),
        (
            "show terse compute pools like 'p%' limit 3",
            Show("COMPUTE POOLS", terse=True, like="p%", limit=3),
        ),
        (
            "show services in compute pool p1",
            Show("SERVICES", scope=Scope("compute_pool", ObjectName("P1"))),
        ),
        (
            "show services like 's%' in database db limit 5 from 'x'",
            Show(
                "SERVICES",
                like="s%",
                scope=Scope("database", ObjectName("DB")),
                limit=5,
                from_name="x",
            ),
        ),
        (
            "show image repositories in schema snowflake.images;",
            Show(
                "IMAGE REPOSITORIES",
                scope=Scope("schema", ObjectName("IMAGES", database="SNOWFLAKE")),
            ),
        ),
        (
            "show images like '%%' in image repository repo",
            Show("IMAGES", like="%%", scope=Scope("image_repository", ObjectName("REPO"))),
        ),
        (
            "show roles in service svc1",
            Show("ROLES IN SERVICE", scope=Scope("service", ObjectName("SVC1"))),
        ),
        ("show services in schema", Show("SERVICES", scope=Scope("schema"))),
        (
            "show parameters like 'event_table' in account",
            ShowParameters("event_table", Scope("account")),
        ),
        (
            "describe service IDENTIFIER('db.public.s')",
            Describe("service", ObjectName("S", "PUBLIC", "DB")),
        ),
        (
            "drop service if exists IDENTIFIER('s') force",
            Drop("service", ObjectName("S"), True, True),
        ),
        ("use a.b", Use("schema", ObjectName("B", database="A"))),
        ('use role "My Role"', Use("role", ObjectName("My Role"))),
        ("use secondary roles all", Use("secondary_roles", ObjectName("ALL"))),
        (
            "alter session set A = 'json', b = TRUE c=-1",
            SetParameters({"A": "json", "B": "true", "C": "-1"}),
        ),
        ("grant role r to user u", GrantRole("R", Grantee("user", "U"))),
        ("revoke role r from role q", GrantRole("R", Grantee("role", "Q"), revoke=True)),
        (
            "grant bind service endpoint on account to role r with grant option",
            GrantPrivileges(
                ("BIND SERVICE ENDPOINT",), Securable("account"), Grantee("role", "R"), True
            ),
        ),
        (
            "grant usage on function db.sc.f(varchar) to role r",
            GrantPrivileges(
                ("USAGE",),
                Securable("function", ObjectName("F", "SC", "DB"), ("VARCHAR",)),
                Grantee("role", "R"),
            ),
        ),
        (
            "grant service role db.sc.s!all_endpoints_usage on service to role r",
            GrantServiceRole(
                ObjectName("S", "SC", "DB"), "ALL_ENDPOINTS_USAGE", Grantee("role", "R")
            ),
        ),
        (
            "call SYSTEM$GET_SERVICE_LOGS('s', '0', 'main', 10, True, '', False);",
            SystemCall(
                "SYSTEM$GET_SERVICE_LOGS",
                ("s", "0", "main", 10, True, "", False),
                "SYSTEM$GET_SERVICE_LOGS",
            ),
        ),
        (
            "SELECT system$client_version_info()",
            SystemCall("SYSTEM$CLIENT_VERSION_INFO", (), "SYSTEM$CLIENT_VERSION_INFO()"),
        ),
        (
            "select system$get_service_status('a') as x",
            SystemCall("SYSTEM$GET_SERVICE_STATUS", ("a",), "X"),
        ),
    ],
)
def test_statements_of_the_clients(sql: str, expected: object) -> None:
    assert parse(sql) == expected


def test_properties_are_unset_by_name() -> None:
    found = parse("alter service svc1 unset min_instances,auto_suspend_secs,comment")
    assert isinstance(found, Alter)
    assert (found.action, found.unset) == (
        Action.UNSET,
        ("MIN_INSTANCES", "AUTO_SUSPEND_SECS", "COMMENT"),
    )


@pytest.mark.parametrize("kind", ["SECURE", "TEMPORARY", "TEMP", "OR REPLACE SECURE"])
def test_a_kind_that_service_functions_do_not_come_in_is_named(kind: str):
    with pytest.raises(Unsupported, match="SECURE, TEMPORARY or TRANSIENT service function"):
        parse(f"CREATE {kind} FUNCTION f() RETURNS int SERVICE=s ENDPOINT=e AS '/'")
    ordinary = parse(f"CREATE {kind} FUNCTION f(x int) RETURNS int AS 'x + 1'")
    assert not isinstance(ordinary, CreateFunction)
