"""Tutorial T1 as SQL: every statement of the common setup and the echo service, on a store in memory."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import ToWarehouse
from snowcave.model.errors import ServiceNotReady, SnowcaveError
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

SETUP = (
    "CREATE ROLE test_role;",
    "CREATE DATABASE IF NOT EXISTS tutorial_db;",
    "GRANT OWNERSHIP ON DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS;",
    "CREATE OR REPLACE WAREHOUSE tutorial_warehouse WITH WAREHOUSE_SIZE='X-SMALL';",
    "GRANT USAGE ON WAREHOUSE tutorial_warehouse TO ROLE test_role;",
    "GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE test_role;",
    "CREATE COMPUTE POOL tutorial_compute_pool MIN_NODES = 1 MAX_NODES = 1 "
    "INSTANCE_FAMILY = CPU_X64_XS;",
    "GRANT USAGE, MONITOR ON COMPUTE POOL tutorial_compute_pool TO ROLE test_role;",
    "GRANT ROLE test_role TO USER admin;",
    "USE ROLE test_role;",
    "USE DATABASE tutorial_db;",
    "USE WAREHOUSE tutorial_warehouse;",
    "CREATE SCHEMA IF NOT EXISTS data_schema;",
    "CREATE IMAGE REPOSITORY IF NOT EXISTS tutorial_repository;",
)
SERVICE = """
CREATE SERVICE echo_service
  IN COMPUTE POOL tutorial_compute_pool
  FROM SPECIFICATION $$
    spec:
      containers:
      - name: echo
        image: /tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest
        env:
          SERVER_PORT: 8000
          CHARACTER_NAME: Bob
        readinessProbe:
          port: 8000
          path: /healthcheck
      endpoints:
      - name: echoendpoint
        port: 8000
        public: true
      $$
   MIN_INSTANCES=1
   MAX_INSTANCES=1;
"""
FUNCTION = """
CREATE FUNCTION my_echo_udf (InputText varchar)
  RETURNS varchar
  SERVICE=echo_service
  ENDPOINT=echoendpoint
  AS '/echo';
"""
IMAGE = "tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest"
RUNNING = state.ServiceStatus(
    status="RUNNING", current_instances=1, target_instances=1, ready_instances=1
)


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql(*SETUP)
        opened.registry.push(IMAGE)
        yield opened


@pytest.mark.documented
async def test_the_repository_url_is_the_lower_case_path(account: Account) -> None:
    (row,) = await account.sql("SHOW IMAGE REPOSITORIES;")
    assert row["repository_url"] == "localhost:8401/tutorial_db/data_schema/tutorial_repository"
    assert row["privatelink_repository_url"] == row["repository_url"]
    assert row["owner"] == "TEST_ROLE"


@pytest.mark.documented
async def test_the_service_is_created_pinned_and_shown(account: Account) -> None:
    (row,) = await account.sql(SERVICE)
    assert row == {"status": "Service ECHO_SERVICE successfully created."}
    (shown,) = await account.sql("SHOW SERVICES;")
    assert list(shown) == SERVICES_COLUMNS
    assert (shown["status"], shown["compute_pool"]) == ("PENDING", "TUTORIAL_COMPUTE_POOL")
    assert str(shown["dns_name"]).startswith("echo-service.")
    (described,) = await account.sql("DESC SERVICE echo_service")
    assert list(described)[5:8] == ["compute_pool", "spec", "dns_name"]
    assert 'sha256: "@sha256:' in str(described["spec"])
    assert 'SERVER_PORT: "8000"' in str(described["spec"])


@pytest.mark.documented
async def test_the_function_goes_to_the_warehouse_once_the_service_runs(account: Account) -> None:
    await account.sql(SERVICE, FUNCTION)
    with pytest.raises(ServiceNotReady, match=r"TUTORIAL_DB\.DATA_SCHEMA\.ECHO_SERVICE.*PENDING"):
        await account.outcome("SELECT my_echo_udf('hello!');")
    await account.say("ECHO_SERVICE", RUNNING)
    sent = await account.outcome("SELECT my_echo_udf('hello!'), upper('x');")
    assert isinstance(sent, ToWarehouse)
    (binding,) = sent.functions
    assert (binding.database, binding.schema, binding.name) == (
        "TUTORIAL_DB",
        "DATA_SCHEMA",
        "MY_ECHO_UDF",
    )
    assert list(binding.argument_types) == ["VARCHAR(16777216)"]
    assert list(binding.spellings) == ["my_echo_udf"]


@pytest.mark.documented
async def test_endpoints_say_that_they_are_provisioned_until_the_service_has_been_seen(
    account: Account,
) -> None:
    await account.sql(SERVICE)
    (row,) = await account.sql("SHOW ENDPOINTS IN SERVICE echo_service;")
    assert list(row) == ["name", "port", "port_range", "protocol", "is_public", "ingress_url"]
    assert str(row["ingress_url"]).startswith("Endpoints provisioning in progress")
    await account.say("ECHO_SERVICE", RUNNING)
    (row,) = await account.sql("SHOW ENDPOINTS IN SERVICE echo_service;")
    assert str(row["ingress_url"]).endswith("-local-snowcave.localhost:8402")


async def test_the_clean_up_order_of_the_tutorial_works(account: Account) -> None:
    await account.sql(
        SERVICE,
        FUNCTION,
        "DROP FUNCTION my_echo_udf(varchar)",
        "DROP SERVICE echo_service",
        "USE ROLE ACCOUNTADMIN",
        "ALTER COMPUTE POOL tutorial_compute_pool STOP ALL;",
        "DROP COMPUTE POOL tutorial_compute_pool;",
        "DROP IMAGE REPOSITORY tutorial_repository",
        "DROP DATABASE tutorial_db",
        "DROP ROLE test_role",
    )
    assert account.context.database == ""


async def test_a_missing_image_leaves_nothing_behind(account: Account) -> None:
    account.registry.images.clear()
    with pytest.raises(SnowcaveError, match="Failed to retrieve image"):
        await account.sql(SERVICE)
    assert await account.sql("SHOW SERVICES") == []


async def test_replayed_setup_changes_nothing(account: Account) -> None:
    again = [sql for sql in SETUP if "IF NOT EXISTS" in sql]
    await account.sql(*again)
    assert len(await account.sql("SHOW IMAGE REPOSITORIES")) == 1


SERVICES_COLUMNS = """
    name status database_name schema_name owner compute_pool dns_name current_instances
    target_instances min_ready_instances min_instances max_instances auto_resume
    external_access_integrations created_on updated_on resumed_on suspended_on
    auto_suspend_secs comment owner_role_type query_warehouse is_job is_async_job spec_digest
    is_upgrading managing_object_domain managing_object_name
""".split()  # noqa: SIM905
