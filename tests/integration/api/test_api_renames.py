"""RENAME, DROP and UNDROP with the real store and the real warehouse: tables go where their schema goes."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.api.test_api_daemons import password, platform
from tests.kit.daemons import running
from tests.kit.protocol import Client, client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def rows(session: Client, *statements: str) -> list[list[str]]:
    """Of the last one; each has to succeed."""
    answer = {}
    for sql in statements:
        answer = await session.query(sql)
        assert answer["success"], (sql, answer["message"])
    return answer["data"]["rowset"]


async def refused(session: Client, sql: str) -> str:
    answer = await session.query(sql)
    assert not answer["success"], sql
    return answer["message"]


@pytest.mark.ours
async def test_tables_go_where_their_schema_and_database_go(tmp_path: Path) -> None:
    async with (
        platform(tmp_path) as (mesh, url),
        running(mesh, "api"),
        client(url, password(mesh)) as session,
    ):
        await rows(
            session,
            "create database d1",
            "create schema s1",
            "create table t (n int autoincrement, name varchar)",
            "insert into t (name) values ('one'), ('two')",
            "create view v as select name from t",
            "alter schema s1 rename to s2",
        )
        assert await rows(session, "select count(*) from t") == [["2"]]
        await rows(session, "alter database d1 rename to d2")
        assert await rows(session, "select name from v order by 1") == [["one"], ["two"]]
        await rows(session, "insert into t (name) values ('three')")
        assert "does not exist" in await refused(session, "select * from d1.s2.t")

        await rows(session, "drop schema d2.s2")
        assert "does not exist" in await refused(session, "select * from d2.s2.t")
        await rows(session, "undrop schema d2.s2", "use schema d2.s2")
        assert await rows(session, "select max(n), count(*) from t") == [["3", "3"]]

        await rows(session, "drop database d2", "create database d2")
        assert "does not exist" in await refused(session, "select * from d2.s2.t")
        await rows(session, "alter database d2 rename to d3", "undrop database d2")
        assert await rows(session, "select count(*) from d2.s2.v") == [["3"]]


@pytest.mark.ours
async def test_parameters_of_the_account_hold_for_new_statements(tmp_path: Path) -> None:
    async with (
        platform(tmp_path) as (mesh, url),
        running(mesh, "api"),
        client(url, password(mesh)) as session,
    ):
        await rows(session, "alter account set timezone = 'Asia/Tokyo'")
        shown = "select '2024-01-01 00:00:00 +0000'::timestamp_ltz::varchar"
        async with asyncio.timeout(20):
            while await rows(session, shown) != [["2024-01-01 09:00:00.000 +0900"]]:
                await asyncio.sleep(0.1)
        ((said,),) = await rows(session, "alter session set timezone = 'UTC'", shown)
        assert "00:00:00" in said
