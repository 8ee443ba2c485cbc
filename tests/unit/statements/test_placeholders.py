"""Values bound by clients, and session variables, in statements of ours and around our functions."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import Done, ToWarehouse
from snowcave.model.errors import SyntaxInvalid
from snowcave.v1 import warehouse_pb2 as warehouse
from tests.kit.statements import Account, open_account

POOL = "MIN_NODES = 1 MAX_NODES = 2 INSTANCE_FAMILY = CPU_X64_S"
TEMPLATE = "spec: {containers: [{name: {{ n }}, image: /d/public/r/echo}]}"


def bound(value: str | None, kind: str = "TEXT") -> warehouse.Binding:
    one = warehouse.BoundValue(value=value or "", is_null=value is None)
    return warehouse.Binding(type=kind, values=[one])


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r")
        opened.registry.push("d/public/r/echo:latest")
        await opened.sql(f"CREATE COMPUTE POOL p {POOL}")
        yield opened


async def listed(account: Account, sql: str, *given: warehouse.Binding) -> list[object]:
    done = await account.outcome(sql, bound=given)
    assert isinstance(done, Done)
    return [row[0] for row in done.rows.rows]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE COMPUTE POOL IDENTIFIER(?) MIN_NODES = ? MAX_NODES = ? INSTANCE_FAMILY = ? COMMENT = ?",
        "CREATE COMPUTE POOL IDENTIFIER(:1) MIN_NODES=:2 MAX_NODES=:3 INSTANCE_FAMILY=:4 COMMENT=:5",
        "CREATE COMPUTE POOL IDENTIFIER( :1 ) INSTANCE_FAMILY => :4, MAX_NODES => :3, MIN_NODES => :2 "
        "COMMENT => :5",
    ],
)
async def test_values_stand_wherever_values_may(account: Account, sql: str) -> None:
    given = [
        bound("q"),
        bound("1", "FIXED"),
        bound("3", "FIXED"),
        bound("cpu_x64_m"),
        bound("a'b"),
    ]
    await account.outcome(sql, bound=given)
    (row,) = await account.sql("DESC COMPUTE POOL q")
    assert (row["min_nodes"], row["max_nodes"]) == (1, 3)
    assert (row["instance_family"], row["comment"]) == ("CPU_X64_M", "a'b")


async def test_a_bound_name_keeps_its_case_only_in_quotes(account: Account) -> None:
    assert await listed(account, "DESC COMPUTE POOL IDENTIFIER(?)", bound('"P"')) == ["P"]
    assert await listed(account, "DESC COMPUTE POOL IDENTIFIER(?);", bound("p")) == ["P"]


async def test_filters_of_show_take_values(account: Account) -> None:
    await account.sql(f"CREATE COMPUTE POOL pb {POOL}", f"CREATE COMPUTE POOL q {POOL}")
    sql = "SHOW COMPUTE POOLS LIKE ? STARTS WITH ? LIMIT ? FROM ?"
    given = [bound("%"), bound("P"), bound("5", "FIXED"), bound("P")]
    assert await listed(account, sql, *given) == ["PB"]


async def test_a_placeholder_without_a_value_is_where_the_error_is(account: Account) -> None:
    with pytest.raises(SyntaxInvalid) as raised:
        await account.outcome("ALTER COMPUTE POOL p SET MAX_NODES = ?")
    assert "line 1 at position 37 unexpected '?'" in raised.value.message
    with pytest.raises(SyntaxInvalid):
        await account.outcome("DESC COMPUTE POOL IDENTIFIER(:2)", bound=[bound("p")])


async def test_variables_name_objects_and_give_values(account: Account) -> None:
    account.variables.values = {
        "POOL": "d",
        "MOST": 7,
        "SVC": 'd.public."X"',
        "N": "main",
        "ON": True,
    }
    account.variables.values["POOL"] = "p"
    await account.sql(
        "ALTER COMPUTE POOL IDENTIFIER($pool) SET MAX_NODES = $Most, AUTO_RESUME = $on",
        "CREATE SERVICE IDENTIFIER($svc) IN COMPUTE POOL IDENTIFIER($pool) "
        f"FROM SPECIFICATION_TEMPLATE $${TEMPLATE}$$ USING (n => $N)",
    )
    (row,) = await account.sql("SHOW SERVICES IN COMPUTE POOL IDENTIFIER($POOL)")
    assert row["name"] == "X"
    (pool,) = await account.sql("SHOW COMPUTE POOLS")
    assert pool["max_nodes"] == 7


async def test_an_unknown_variable_is_unexpected(account: Account) -> None:
    with pytest.raises(SyntaxInvalid, match=r"unexpected '\$nobody'"):
        await account.sql("DESC COMPUTE POOL IDENTIFIER($nobody)")


@pytest.mark.parametrize(
    "sql", ["SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN(?)", "CALL SYSTEM$GET_SERVICE_DNS_DOMAIN(:1)"]
)
async def test_functions_of_the_system_take_values(account: Account, sql: str) -> None:
    (domain,) = await listed(account, sql, bound("d.public"))
    assert str(domain).endswith(".svc.spcs.internal")


async def test_within_an_expression_a_used_value_is_not_bound_again(account: Account) -> None:
    sql = "SELECT ?, SYSTEM$GET_SERVICE_DNS_DOMAIN(?) || ?, '?' -- ?"
    given = [bound("first"), bound("d.public"), bound("last")]
    outcome = await account.outcome(sql, bound=given)
    assert isinstance(outcome, ToWarehouse)
    assert [one.values[0].value for one in outcome.bindings] == ["first", "last"]
    assert outcome.sql.startswith("SELECT ?, '")
    assert outcome.sql.endswith("""|| ? AS "SYSTEM$GET_SERVICE_DNS_DOMAIN(?) || ?", '?' -- ?""")


async def test_ordinary_statements_keep_their_values(account: Account) -> None:
    given = [bound("1", "FIXED"), bound(None)]
    outcome = await account.outcome("SELECT ?, v:1, ?", bound=given)
    assert isinstance(outcome, ToWarehouse)
    assert list(outcome.bindings) == given
    assert outcome.sql == "SELECT ?, v:1, ?"
