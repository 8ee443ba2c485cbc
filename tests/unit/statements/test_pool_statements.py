"""Compute pools by statements: properties, refusals in Snowflake's words, STOP ALL, and what is shown."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.model.errors import SnowcaveError
from tests.kit.statements import Account, open_account

POOL = "MIN_NODES = 1 MAX_NODES = 2 INSTANCE_FAMILY = CPU_X64_S"
SPEC = "spec: {containers: [{name: main, image: /d/public/r/echo}]}"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", f"CREATE COMPUTE POOL p {POOL}")
        yield opened


async def shown(account: Account, name: str = "p") -> dict[str, object]:
    return (await account.sql(f"DESC COMPUTE POOL {name}"))[0]


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("", 2029, "Missing option(s): [MIN_NODES, MAX_NODES, INSTANCE_FAMILY]"),
        ("INSTANCE_FAMILY=CPU_X64_S", 2029, "Missing option(s): [MIN_NODES, MAX_NODES]"),
        ("MIN_NODES=1 MAX_NODES=1", 2029, "Missing option(s): [INSTANCE_FAMILY]"),
        (f"{POOL} AUTO_SUSPEND_SECS=-1", 1008, "'-1' for property 'AUTO_SUSPEND_SECS'"),
        (f"{POOL} AUTO_RESUME=perhaps", 1008, "'PERHAPS' for property 'AUTO_RESUME'"),
        (f"{POOL} SIZE=1", 1008, "invalid property 'SIZE' for 'COMPUTE_POOL'"),
        (f"{POOL} PLACEMENT_GROUP='pg1'", 1008, "'pg1' does not exist in this region."),
        (
            "MIN_NODES=0 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
            1008,
            "invalid value '0' for property 'MIN_NODES'",
        ),
        (
            "MIN_NODES=3 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
            1008,
            "invalid property combination 'MIN_NODES'='3' and 'MAX_NODES'='1'",
        ),
        (
            "MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=ROBOT",
            1008,
            "Invalid instance family ROBOT. Please refer to Snowflake documentation",
        ),
        (
            f"{POOL} BACKUP_INSTANCE_FAMILIES=(CPU_X64_S)",
            1008,
            "contains 'CPU_X64_S' which matches the primary INSTANCE_FAMILY.",
        ),
        (f"{POOL} BACKUP_INSTANCE_FAMILIES=()", 1008, "at least one instance family"),
        (
            f"{POOL} BACKUP_INSTANCE_FAMILIES=('CPU_X64_M', 'cpu_x64_m')",
            1008,
            "each of them once",
        ),
        (f"FOR APPLICATION app {POOL}", 2, "Unsupported feature 'FOR APPLICATION'"),
        (f"{POOL} {POOL}", 1003, "unexpected 'MIN_NODES'"),
    ],
)
async def test_a_pool_that_cannot_be_is_refused(
    account: Account, written: str, code: int, said: str
) -> None:
    with pytest.raises(SnowcaveError) as raised:
        await account.sql(f"CREATE COMPUTE POOL q {written}")
    assert raised.value.code == code
    assert said in raised.value.message
    assert [row["name"] for row in await account.sql("SHOW COMPUTE POOLS")] == ["P"]


async def test_properties_stand_in_any_order_and_spelling(account: Account) -> None:
    await account.sql(
        "create compute pool if not exists IDENTIFIER('q') comment='it''s', "
        "backup_instance_families => ('cpu_x64_m', CPU_X64_L) instance_family='cpu_x64_s' "
        "-- a remark\n max_nodes=3 auto_resume=false min_nodes=2 placement_group=distributed "
        "initially_suspended=TRUE auto_suspend_secs=0;"
    )
    row = await shown(account, "q")
    assert row["state"] == "SUSPENDED"
    assert (row["min_nodes"], row["max_nodes"], row["target_nodes"]) == (2, 3, 0)
    assert row["instance_family"] == "CPU_X64_S"
    assert (row["auto_resume"], row["auto_suspend_secs"]) == ("false", 0)
    assert row["backup_instance_families"] == "CPU_X64_M,CPU_X64_L"
    assert (row["placement_group"], row["comment"]) == ("DISTRIBUTED", "it's")


async def test_columns_are_snowflake_s(account: Account) -> None:
    listed = list((await account.sql("SHOW COMPUTE POOLS"))[0])
    assert len(listed) == 21
    assert listed[-3:] == ["application", "placement_group", "backup_instance_families"]
    assert list(await shown(account)) == [
        *listed[:19],
        "error_code",
        "status_message",
        *listed[19:],
    ]


async def test_what_is_unset_is_as_it_was_made(account: Account) -> None:
    await account.sql(
        "ALTER COMPUTE POOL p SET AUTO_RESUME=FALSE AUTO_SUSPEND_SECS=60 COMMENT='c' "
        "BACKUP_INSTANCE_FAMILIES=(CPU_X64_M)",
        "ALTER COMPUTE POOL p UNSET auto_resume,comment, AUTO_SUSPEND_SECS, "
        "BACKUP_INSTANCE_FAMILIES",
    )
    row = await shown(account)
    assert (row["auto_resume"], row["auto_suspend_secs"], row["comment"]) == ("true", 3600, None)
    assert row["backup_instance_families"] == ""
    with pytest.raises(SnowcaveError, match="invalid property 'MIN_NODES' for 'COMPUTE_POOL'"):
        await account.sql("ALTER COMPUTE POOL p UNSET MIN_NODES")


@pytest.mark.parametrize("key", ["INSTANCE_FAMILY=CPU_X64_M", "PLACEMENT_GROUP=DISTRIBUTED"])
async def test_what_nodes_are_made_of_changes_only_while_there_are_none(
    account: Account, key: str
) -> None:
    refused = r"Cannot set \w+ for compute pool that is not suspended\. Please suspend"
    with pytest.raises(SnowcaveError, match=refused):
        await account.sql(f"ALTER COMPUTE POOL p SET {key}")
    await account.sql("ALTER COMPUTE POOL p SUSPEND", f"ALTER COMPUTE POOL p SET {key}")
    name, _, value = key.partition("=")
    assert (await shown(account))[name.lower()] == value


async def test_a_family_does_not_become_its_own_backup(account: Account) -> None:
    await account.sql(
        "ALTER COMPUTE POOL p SUSPEND",
        "ALTER COMPUTE POOL p SET BACKUP_INSTANCE_FAMILIES=(CPU_X64_M)",
    )
    with pytest.raises(SnowcaveError, match="contains 'CPU_X64_M' which matches the primary"):
        await account.sql("ALTER COMPUTE POOL p SET INSTANCE_FAMILY=CPU_X64_M")


@pytest.mark.parametrize(
    ("types", "stopped"),
    [
        ("", True),
        ("OF TYPE ALL", True),
        ("OF TYPE user", True),
        ("OF TYPE 'ml_job, user'", True),
        ("OF TYPE NOTEBOOK, STREAMLIT", False),
    ],
)
async def test_stop_all_takes_the_types_that_it_names(
    account: Account, types: str, stopped: bool
) -> None:
    account.registry.push("d/public/r/echo:latest")
    await account.sql(
        "CREATE IMAGE REPOSITORY r",
        f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
        f"ALTER COMPUTE POOL p STOP ALL {types}",
    )
    assert bool(await account.sql("SHOW SERVICES")) is not stopped


async def test_an_unknown_type_of_workload_is_refused(account: Account) -> None:
    said = (
        "Invalid input for OF TYPE option: Invalid workload type 'ROBOT'. Expected comma separated "
        "list like: 'type1, type2'. Valid types are ALL, USER, NOTEBOOK, MODEL_SERVING, STREAMLIT, "
        "ML_JOB."
    )
    for statement in (
        "ALTER COMPUTE POOL p STOP ALL OF TYPE robot",
        "SHOW SERVICES OF TYPE robot",
    ):
        with pytest.raises(SnowcaveError) as raised:
            await account.sql(statement)
        assert said in raised.value.message


async def test_suspending_twice_is_nothing_and_resuming_twice_an_error(account: Account) -> None:
    done = [{"status": "Statement executed successfully."}]
    assert await account.sql("ALTER COMPUTE POOL p SUSPEND") == done
    assert await account.sql("ALTER COMPUTE POOL p SUSPEND") == done
    assert await account.sql("ALTER COMPUTE POOL p RESUME") == done
    with pytest.raises(SnowcaveError, match="it is not suspended"):
        await account.sql("ALTER COMPUTE POOL p RESUME")


async def test_a_pool_is_dropped_once_its_services_sleep(account: Account) -> None:
    account.registry.push("d/public/r/echo:latest")
    await account.sql(
        "CREATE IMAGE REPOSITORY r",
        f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
    )
    with pytest.raises(SnowcaveError, match="STOP ALL first"):
        await account.sql("DROP COMPUTE POOL p")
    await account.sql("ALTER COMPUTE POOL p SUSPEND", "DROP COMPUTE POOL p")
    (service,) = await account.sql("SHOW SERVICES")
    assert service["status"] == "SUSPENDED"
    with pytest.raises(SnowcaveError, match="its compute pool has been dropped"):
        await account.sql("ALTER SERVICE s RESUME")
    assert await account.sql("DROP SERVICE s") == [{"status": "S successfully dropped."}]


async def test_shows_filter_by_case_sensitive_starts_and_case_free_likes(account: Account) -> None:
    await account.sql(*(f"CREATE COMPUTE POOL {name} {POOL}" for name in ("pa", "pb", "q")))

    async def names(tail: str) -> list[object]:
        return [row["name"] for row in await account.sql(f"SHOW COMPUTE POOLS {tail}")]

    assert await names("LIKE 'P%'") == ["P", "PA", "PB"]
    assert await names("LIKE 'p_'") == ["PA", "PB"]
    assert await names("STARTS WITH 'p'") == []
    assert await names("STARTS WITH 'P' LIMIT 2") == ["P", "PA"]
    assert await names("LIMIT 1 FROM 'PA'") == ["PB"]
    assert await names("LIKE '%%'") == ["P", "PA", "PB", "Q"]


async def test_instance_families_are_listed_from_small_to_large(account: Account) -> None:
    rows = await account.sql("SHOW COMPUTE POOL INSTANCE FAMILIES")
    assert list(rows[0]) == [
        "name",
        "description",
        "vcpu",
        "memory_gib",
        "storage_gib",
        "gpu",
        "gpu_count",
        "gpu_memory_gib",
        "current_node_usage",
        "message",
    ]
    assert (rows[0]["name"], rows[0]["storage_gib"]) == ("CPU_X64_XS", "93.13")
    reserved = next(row for row in rows if row["name"] == "GPU_NV_L")
    assert reserved["message"] == "Instance family available by reservation only."


async def test_a_status_is_told_by_call_and_select(account: Account) -> None:
    called = await account.sql("CALL SYSTEM$GET_COMPUTE_POOL_STATUS('p')")
    selected = await account.sql("SELECT SYSTEM$GET_COMPUTE_POOL_STATUS('P') AS s")
    assert list(called[0]) == ["SYSTEM$GET_COMPUTE_POOL_STATUS"]
    assert list(selected[0].values()) == list(called[0].values())
    assert '"status": "STARTING"' in str(selected[0]["S"])
    starting = "Compute pool is starting for last 0 minutes"
    assert starting in str(selected[0]["S"])
    assert (await shown(account))["status_message"] == starting
    await account.sql("ALTER COMPUTE POOL p SUSPEND")
    assert (await shown(account))["status_message"] == ""
