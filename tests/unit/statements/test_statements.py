"""What statements do to the catalog, what they refuse, and what they show."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.catalog.rooms import Rooms
from snowcave.api.contract import SELECT_STATEMENT, Done, ToWarehouse
from snowcave.api.statements.filters import like
from snowcave.kit.tasks import background
from snowcave.model.errors import (
    ContextMissing,
    ImageNotFound,
    ObjectExists,
    ObjectNotFound,
    SnowcaveError,
    SpecInvalid,
    Unavailable,
    ValueInvalid,
)
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

POOL = "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS"
CONTAINER = "{name: main, image: /d/public/r/echo}"


def service(
    name: str = "x", spec: str = f"spec: {{containers: [{CONTAINER}]}}", tail: str = ""
) -> str:
    return f"CREATE SERVICE {name} IN COMPUTE POOL p FROM SPECIFICATION $${spec}$$ {tail}"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", POOL, "CREATE IMAGE REPOSITORY r")
        opened.registry.push("d/public/r/echo:latest")
        yield opened


# ---------------------------------------------------------------- databases and schemas


async def test_a_new_database_has_public_and_becomes_current(account: Account) -> None:
    await account.sql("CREATE DATABASE other")
    assert (account.context.database, account.context.schema) == ("OTHER", "PUBLIC")
    assert account.ddl.made[-2:] == ["+OTHER", "+OTHER.PUBLIC"]
    names = [row["name"] for row in await account.sql("SHOW SCHEMAS IN DATABASE other")]
    assert names == ["PUBLIC"]


async def test_terse_lists_of_databases_and_schemas_have_five_columns(account: Account) -> None:
    (database,) = await account.sql("SHOW TERSE DATABASES LIKE 'd'")
    (schema,) = await account.sql("SHOW TERSE SCHEMAS LIKE 'public' IN DATABASE d")
    names = ["created_on", "name", "kind", "database_name", "schema_name"]
    assert list(database) == names
    assert list(database.values())[1:] == ["D", "STANDARD", None, None]
    assert list(schema) == names
    assert list(schema.values())[1:] == ["PUBLIC", None, "D", None]


async def test_dropping_a_database_takes_everything_in_it(account: Account) -> None:
    await account.sql(service(), "CREATE ROLE q", "GRANT USAGE ON SERVICE x TO ROLE q")
    await account.sql("DROP DATABASE d")
    assert account.context.database == ""
    assert account.ddl.made[-1] == "-D"
    assert await account.sql("SHOW SERVICES IN ACCOUNT") == []
    assert await account.sql("SHOW GRANTS TO ROLE q") == []


async def test_a_dropped_schemas_label_is_not_used_for_the_next_one(account: Account) -> None:
    async def label() -> object:
        (row,) = await account.sql("SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('d.s')")
        return row["SYSTEM$GET_SERVICE_DNS_DOMAIN('D.S')"]

    await account.sql("CREATE SCHEMA s")
    first = await label()
    assert str(first).endswith(".svc.spcs.internal")
    await account.sql("DROP SCHEMA s", "CREATE SCHEMA s")
    assert await label() != first


async def test_room_in_the_warehouse_is_made_later_where_it_could_not_be_made_at_once(
    account: Account,
) -> None:
    account.ddl.failing = Unavailable("The warehouse does not answer.")
    with pytest.raises(Unavailable):
        await account.sql("CREATE DATABASE late")
    account.ddl.failing = None
    account.ddl.made.clear()
    rooms = Rooms(account.catalog.mirrors.objects, account.ddl)
    async with background(rooms.reconciler.run()), asyncio.timeout(10):
        while "+LATE.PUBLIC" not in account.ddl.made:
            await asyncio.sleep(0.01)
    assert account.ddl.made.index("+LATE") < account.ddl.made.index("+LATE.PUBLIC")
    assert "+SNOWFLAKE" not in account.ddl.made
    assert rooms.reconciler.bugs == 0


async def test_or_replace_makes_another_object(account: Account) -> None:
    first = account.catalog.named("database", 0, "D")
    await account.sql("CREATE OR REPLACE DATABASE d")
    second = account.catalog.named("database", 0, "D")
    assert first is not None
    assert second is not None
    assert first.message.uid != second.message.uid
    assert await account.sql("SHOW IMAGE REPOSITORIES IN ACCOUNT") == []


async def test_names_without_a_schema_need_one_in_use(account: Account) -> None:
    await account.sql("DROP SCHEMA public")
    with pytest.raises(ContextMissing, match="current schema"):
        await account.sql("DESC SERVICE x")
    with pytest.raises(ObjectNotFound, match=r"Database 'NONE' does not exist"):
        await account.sql("DESC SERVICE none.sc.x")


async def test_one_of_many_who_create_the_same_name_succeeds(account: Account) -> None:
    outcomes = await asyncio.gather(
        *(account.sql("CREATE ROLE one") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, ObjectExists) for one in outcomes) == 4
    assert len([one for one in account.catalog.all("role") if one.name == "ONE"]) == 1


async def test_many_changes_of_one_object_at_once_all_count(account: Account) -> None:
    await asyncio.gather(
        account.sql("ALTER COMPUTE POOL p SET COMMENT='c'"),
        account.sql("ALTER COMPUTE POOL p SET AUTO_SUSPEND_SECS=60"),
        account.sql("ALTER COMPUTE POOL p SET MAX_NODES=7"),
    )
    (row,) = await account.sql("DESC COMPUTE POOL p")
    assert (row["comment"], row["auto_suspend_secs"], row["max_nodes"]) == ("c", 60, 7)


# ---------------------------------------------------------------- compute pools


@pytest.mark.validated
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("MIN_NODES=1 MAX_NODES=1", "Missing option(s): [INSTANCE_FAMILY]"),
        ("INSTANCE_FAMILY=CPU_X64_XS", "Missing option(s): [MIN_NODES, MAX_NODES]"),
        (
            "MIN_NODES=0 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "invalid value '0' for property 'MIN_NODES'",
        ),
        (
            "MIN_NODES=3 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "invalid property combination 'MIN_NODES'='3' and 'MAX_NODES'='1'",
        ),
        (
            "MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=ROBOT",
            "Invalid instance family ROBOT. Please refer to Snowflake documentation for supported "
            "instance families.",
        ),
    ],
)
async def test_pools_that_are_refused(account: Account, options: str, message: str) -> None:
    with pytest.raises(SnowcaveError) as caught:
        await account.sql(f"CREATE COMPUTE POOL q {options}")
    assert caught.value.message == f"SQL compilation error:\n{message}"


@pytest.mark.validated
async def test_pool_names(account: Account) -> None:
    with pytest.raises(ObjectExists, match=r"Object 'P' already exists\."):
        await account.sql(POOL)
    with pytest.raises(ValueInvalid, match="Name must be uppercase"):
        await account.sql(POOL.replace(" p ", ' "lower_pool" '))
    with pytest.raises(ObjectNotFound, match=r"Compute pool 'X' does not exist or not authorized"):
        await account.sql("ALTER COMPUTE POOL x SUSPEND")
    await account.sql("DROP COMPUTE POOL IF EXISTS x", "ALTER COMPUTE POOL IF EXISTS x SUSPEND")


@pytest.mark.documented
async def test_shapes_of_pools(account: Account) -> None:
    (shown,) = await account.sql("SHOW COMPUTE POOLS LIKE 'P%'")
    assert list(shown)[17:] == [
        "is_exclusive",
        "application",
        "placement_group",
        "backup_instance_families",
    ]
    assert len(shown) == 21
    assert (shown["state"], shown["target_nodes"], shown["auto_resume"]) == ("STARTING", 1, "true")
    (described,) = await account.sql("DESCRIBE COMPUTE POOL p")
    assert list(described)[19:] == [
        "error_code",
        "status_message",
        "placement_group",
        "backup_instance_families",
    ]
    families = await account.sql("SHOW COMPUTE POOL INSTANCE FAMILIES LIKE 'CPU_X64_XS'")
    assert (families[0]["vcpu"], families[0]["storage_gib"]) == (1, "93.13")


async def test_a_pool_with_a_running_service_is_not_dropped(account: Account) -> None:
    await account.sql(service())
    with pytest.raises(ValueInvalid, match="STOP ALL"):
        await account.sql("DROP COMPUTE POOL p")
    await account.sql("ALTER COMPUTE POOL p SUSPEND", "ALTER COMPUTE POOL p SUSPEND")
    (row,) = await account.sql("SHOW SERVICES")
    assert row["status"] == "SUSPENDED"
    await account.sql("DROP COMPUTE POOL p")
    with pytest.raises(ValueInvalid, match="has been dropped"):
        await account.sql("ALTER SERVICE x RESUME")
    await account.sql("DROP SERVICE x")


# ---------------------------------------------------------------- services


async def test_a_service_wakes_a_suspended_pool(account: Account) -> None:
    await account.sql("ALTER COMPUTE POOL p SUSPEND", service())
    (pool,) = await account.sql("SHOW COMPUTE POOLS")
    assert pool["state"] == "STARTING"
    await account.sql("ALTER COMPUTE POOL p SET AUTO_RESUME=FALSE", "ALTER COMPUTE POOL p SUSPEND")
    with pytest.raises(ValueInvalid, match="Resume the compute pool first"):
        await account.sql(service("y"))


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (service(spec="spec: {"), SpecInvalid, "line 1"),
        (service(spec="spec: {containers: []}"), SpecInvalid, "missing 'containers'"),
        (
            service(spec="spec: {containers: [{name: a, image: /d/public/none/i}]}"),
            ObjectNotFound,
            r"Image repository 'D\.PUBLIC\.NONE' does not exist",
        ),
        (
            service(spec="spec: {containers: [{name: a, image: /d/public/r/none:v1}]}"),
            ImageNotFound,
            "d/public/r/none:v1",
        ),
        (
            service(
                spec="spec: {containers: [{name: a, image: /d/public/r/echo, "
                "resources: {requests: {memory: 7Gi}}}]}"
            ),
            SpecInvalid,
            r"more memory than a node of compute pool 'P' \(CPU_X64_XS: 1 vCPU, 6 GiB",
        ),
        (service('"quoted"'), ValueInvalid, "unquoted"),
        (service("x_"), ValueInvalid, "DNS label"),
        (service("a" * 64), ValueInvalid, "DNS label"),
        (service(tail="MIN_INSTANCES=2 MAX_INSTANCES=1"), ValueInvalid, "combination"),
        (service(tail="MIN_READY_INSTANCES=2"), ValueInvalid, "combination"),
        (service(tail="MIN_INSTANCES=99999999999"), ValueInvalid, "invalid value"),
        (service(tail="AUTO_SUSPEND_SECS=10"), ValueInvalid, "AUTO_SUSPEND_SECS"),
        (service().replace("POOL p", "POOL nope"), ObjectNotFound, "Compute pool 'NOPE'"),
        (
            "CREATE SERVICE x IN COMPUTE POOL p FROM @st SPECIFICATION_FILE='a.yml'",
            ObjectNotFound,
            "Stage 'D.PUBLIC.ST'",
        ),
    ],
)
async def test_services_that_are_refused_leave_nothing_behind(
    account: Account, sql: str, error: type[SnowcaveError], message: str
) -> None:
    before = account.backend.revision
    with pytest.raises(error, match=message):
        await account.sql(sql)
    assert account.backend.revision == before


async def test_an_image_for_other_machines_is_refused(account: Account) -> None:
    account.registry.push("d/public/r/echo:latest", platforms=("linux/arm64",))
    with pytest.raises(SpecInvalid, match="linux/arm64"):
        await account.sql(service())


async def test_an_upgrade_pins_anew_and_neither_it_nor_suspending_changes_the_host(
    account: Account,
) -> None:
    public = (
        f"spec: {{containers: [{CONTAINER}], endpoints: [{{name: e, port: 80, public: true}}]}}"
    )
    await account.sql(service(spec=public))
    await account.say("X", state.ServiceStatus(status="RUNNING"))
    (before,) = await account.sql("SHOW SERVICES")
    (endpoint,) = await account.sql("SHOW ENDPOINTS IN SERVICE x")
    account.registry.push("d/public/r/echo:v2")
    await account.sql(
        f"ALTER SERVICE x FROM SPECIFICATION $${public.replace('/echo', '/echo:v2')}$$"
    )
    (after,) = await account.sql("SHOW SERVICES")
    assert before["spec_digest"] != after["spec_digest"]
    assert await account.sql("SHOW ENDPOINTS IN SERVICE x") == [endpoint]
    for action in ("SUSPEND", "RESUME"):
        await account.sql(f"ALTER SERVICE x {action}")
        assert await account.sql("SHOW ENDPOINTS IN SERVICE x") == [endpoint]


async def test_properties_of_a_service_are_set_and_unset(account: Account) -> None:
    await account.sql(service(tail="MIN_INSTANCES=2"))
    (row,) = await account.sql("SHOW SERVICES")
    assert (row["min_instances"], row["max_instances"], row["min_ready_instances"]) == (2, 2, 2)
    await account.sql(
        "ALTER SERVICE x SET MAX_INSTANCES=4 MIN_READY_INSTANCES=1 COMMENT='c' QUERY_WAREHOUSE=w",
        "ALTER SERVICE x UNSET QUERY_WAREHOUSE",
    )
    (row,) = await account.sql("SHOW SERVICES")
    assert (row["max_instances"], row["min_ready_instances"]) == (4, 1)
    assert (row["comment"], row["query_warehouse"]) == ("c", None)


async def test_suspend_and_resume(account: Account) -> None:
    await account.sql(service(), "ALTER SERVICE x SUSPEND", "ALTER SERVICE x SUSPEND")
    (row,) = await account.sql("SHOW SERVICES")
    assert (row["status"], row["target_instances"]) == ("SUSPENDED", 0)
    assert row["suspended_on"] is not None
    await account.sql("ALTER SERVICE x RESUME")
    (row,) = await account.sql("SHOW SERVICES")
    assert row["status"] == "PENDING"


async def test_a_dropped_services_name_is_free_at_once(account: Account) -> None:
    await account.sql(service(), "DROP SERVICE x", service())
    assert len(await account.sql("SHOW SERVICES")) == 1
    with pytest.raises(ObjectExists):
        await account.sql(service())
    await account.sql(service().replace("SERVICE x", "SERVICE IF NOT EXISTS x"))


async def test_containers_and_instances_as_they_are(account: Account) -> None:
    await account.sql(service(tail="MIN_INSTANCES=2"))
    (waiting,) = await account.sql("SHOW SERVICE CONTAINERS IN SERVICE x")
    assert (waiting["service_status"], waiting["instance_id"]) == ("PENDING", None)
    await account.say(
        "X",
        state.ServiceStatus(
            status="PENDING",
            instances=[
                state.InstanceStatus(
                    instance_id=0,
                    status="READY",
                    address="10.244.1.10",
                    containers=[
                        state.ContainerStatus(name="main", status="READY", message="Running")
                    ],
                ),
                state.InstanceStatus(
                    instance_id=1,
                    status="PENDING",
                    message="Unschedulable due to insufficient CPU resources",
                ),
            ],
        ),
    )
    rows = await account.sql("SHOW SERVICE CONTAINERS IN SERVICE x")
    assert [(row["instance_id"], row["status"], row["message"]) for row in rows] == [
        ("0", "READY", "Running"),
        ("1", "PENDING", "Unschedulable due to insufficient CPU resources"),
    ]
    assert rows[0]["image_name"] == "localhost:8401/d/public/r/echo:latest"
    rows = await account.sql("SHOW SERVICE INSTANCES IN SERVICE x")
    assert [(row["instance_id"], row["ip_address"]) for row in rows] == [
        ("0", "10.244.1.10"),
        ("1", None),
    ]


# ---------------------------------------------------------------- functions


async def test_overloads_are_told_apart_by_their_types(account: Account) -> None:
    spec = f"spec: {{containers: [{CONTAINER}], endpoints: [{{name: e, port: 80}}]}}"
    tail = "RETURNS text SERVICE=x ENDPOINT=e AS '/p'"
    await account.sql(service(spec=spec))
    await account.sql(f"CREATE FUNCTION f(a text) {tail}", f"CREATE FUNCTION f(a int) {tail}")
    with pytest.raises(ObjectExists):
        await account.sql(f"CREATE FUNCTION f(b varchar(10)) {tail}")
    rows = await account.sql("SHOW FUNCTIONS LIKE 'F'")
    assert sorted(str(row["arguments"]) for row in rows) == [
        "F(NUMBER) RETURN VARCHAR",
        "F(VARCHAR) RETURN VARCHAR",
    ]
    await account.say("X", state.ServiceStatus(status="RUNNING", ready_instances=1))
    sent = await account.outcome("select F(1) from t where f('x') = 'y'")
    assert isinstance(sent, ToWarehouse)
    assert sorted(one.argument_types[0] for one in sent.functions) == [
        "NUMBER(38,0)",
        "VARCHAR(16777216)",
    ]
    await account.sql("DROP FUNCTION f(int)")
    assert len(await account.sql("SHOW USER FUNCTIONS")) == 1
    with pytest.raises(ObjectNotFound, match=r"Function 'D\.PUBLIC\.F'"):
        await account.sql("DROP FUNCTION f(int)")
    await account.sql("CREATE SCHEMA elsewhere", "USE SCHEMA public")
    # The schema counts: that one of ours is called so in another one says nothing.
    for name in ("other(int)", "elsewhere.f(int)", "elsewhere.f(varchar)"):
        foreign = await account.outcome(f"DROP FUNCTION {name}")
        assert isinstance(foreign, ToWarehouse)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("SERVICE=none ENDPOINT=e AS '/'", r"Service 'D\.PUBLIC\.NONE' does not exist"),
        ("SERVICE=x ENDPOINT=none AS '/'", "Endpoint 'X!none'"),
        ("SERVICE=x ENDPOINT=raw AS '/'", "must be HTTP"),
        ("SERVICE=x ENDPOINT=e MAX_BATCH_ROWS=0 AS '/'", "MAX_BATCH_ROWS"),
        ("SERVICE=x ENDPOINT=e CONTEXT_HEADERS=(CURRENT_MOOD) AS '/'", "CURRENT_MOOD"),
        ("SERVICE=x ENDPOINT=e ON_BATCH_FAILURE=SHRUG AS '/'", "ON_BATCH_FAILURE"),
    ],
)
async def test_functions_that_are_refused(account: Account, tail: str, message: str) -> None:
    endpoints = "endpoints: [{name: e, port: 80}, {name: raw, port: 81, protocol: TCP}]"
    await account.sql(service(spec=f"spec: {{containers: [{CONTAINER}], {endpoints}}}"))
    with pytest.raises(SnowcaveError, match=message):
        await account.sql(f"CREATE FUNCTION f() RETURNS text {tail}")


# ---------------------------------------------------------------- system functions and sessions


async def test_logs_are_asked_of_the_node_within_limits(account: Account) -> None:
    await account.sql(service())
    (row,) = await account.sql(
        "call SYSTEM$GET_SERVICE_LOGS('x', '0', 'main', 10, True, '2026-01-01T00:00:00Z', True);"
    )
    assert row == {"SYSTEM$GET_SERVICE_LOGS": "line\n"}
    (asked,) = account.logs.asked
    assert (asked.instance_id, asked.container, asked.tail_lines) == (0, "main", 10)
    assert (asked.previous, asked.since, asked.timestamps) == (True, "2026-01-01T00:00:00Z", True)
    with pytest.raises(ValueInvalid, match=r"Invalid `tail lines`.*in range \[1, 1000\]"):
        await account.sql("CALL SYSTEM$GET_SERVICE_LOGS('x', 0, 'main', 1001)")
    with pytest.raises(ObjectNotFound, match="Container 'other'"):
        await account.sql("CALL SYSTEM$GET_SERVICE_LOGS('x', 0, 'other')")
    with pytest.raises(ValueInvalid, match="too few arguments"):
        await account.sql("CALL SYSTEM$GET_SERVICE_LOGS('x')")
    account.logs.text = "é" * 200_000 + "\nlast\n"
    (row,) = await account.sql("CALL SYSTEM$GET_SERVICE_LOGS('x', 0, 'main')")
    assert row["SYSTEM$GET_SERVICE_LOGS"] == "last\n"


async def test_a_system_function_within_ordinary_sql_becomes_its_value(account: Account) -> None:
    await account.sql(service())
    sent = await account.outcome("select parse_json(SYSTEM$GET_SERVICE_STATUS('x'))[0]:status")
    assert isinstance(sent, ToWarehouse)
    assert sent.sql.startswith('select parse_json(\'[{"status": "PENDING"')
    assert "')[0]:status AS" in sent.sql


async def test_a_select_of_a_system_function_is_a_query(account: Account) -> None:
    done = await account.outcome("SELECT SYSTEM$CLIENT_VERSION_INFO()")
    assert isinstance(done, Done)
    assert (done.statement_type, list(done.rows.rows)) == (SELECT_STATEMENT, [("[]",)])


async def test_sessions_change_only_through_the_context_given_back(account: Account) -> None:
    before = account.context
    await account.sql(
        "ALTER SESSION SET TIMEZONE='UTC', QUERY_TAG='t'", "USE SCHEMA snowflake.telemetry"
    )
    assert "TIMEZONE" not in before.parameters
    assert account.context.parameters["QUERY_TAG"] == "t"
    (row,) = await account.sql("SHOW PARAMETERS LIKE 'query_tag'")
    assert (row["value"], row["level"]) == ("t", "SESSION")
    await account.sql("ALTER SESSION UNSET QUERY_TAG")
    assert "QUERY_TAG" not in account.context.parameters
    (row,) = await account.sql("show parameters like 'event_table' in account")
    assert (row["key"], row["value"]) == ("EVENT_TABLE", "snowflake.telemetry.events")


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("TUTORIAL", "tut%", True),
        ("TUTORIAL", "%%", True),
        ("A_B", r"a\_b", True),
        ("AXB", r"a\_b", False),
        ("AXB", "a_b", True),
        ("AB", "a_b", False),
        ("", "%", True),
        ("a" * 200, "%a" * 100 + "b", False),
    ],
)
def test_like(name: str, pattern: str, expected: bool) -> None:
    assert like(name, pattern) is expected
