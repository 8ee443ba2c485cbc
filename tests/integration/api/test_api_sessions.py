"""Login, tokens, renewal and the end of sessions, over HTTP."""

import asyncio
from pathlib import Path

from snowcave.api.settings import ApiSettings, LoginSettings, SessionSettings
from snowcave.model import keys
from snowcave.runtime.mesh import Mesh
from tests.kit.fronts import another_replica, running_front
from tests.kit.protocol import client


async def test_a_login_answers_with_all_that_clients_read(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        answer = await one.login(front.password, user="admin")
    data = answer["data"]
    assert answer["success"]
    assert data["token"] != data["masterToken"]
    assert isinstance(data["sessionId"], int)
    assert data["sessionInfo"]["roleName"] == "ACCOUNTADMIN"
    assert "nextAction" not in data
    names = {one["name"]: one["value"] for one in data["parameters"]}
    assert names["CLIENT_STAGE_ARRAY_BINDING_THRESHOLD"] == 0
    assert names["AUTOCOMMIT"] is True


async def test_the_store_keeps_no_token(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        kept = await front.store.list("session/")
    assert kept.items
    for item in kept.items:
        for token in (one.token, one.master):
            assert token not in item.key
            assert token.encode() not in item.value


async def test_a_login_finds_its_database_and_schema_by_any_case(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        path = "/session/v1/login-request?databaseName=snowflake&schemaName=images&warehouse=none"
        data = {"data": {"LOGIN_NAME": "ADMIN", "PASSWORD": front.password}}
        info = (await one.post(path, data))["data"]["sessionInfo"]
    assert info["databaseName"] == "SNOWFLAKE"
    assert info["schemaName"] == "IMAGES"
    assert info["warehouseName"] is None


async def test_other_authenticators_are_refused_with_their_own_codes(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        for method in ("ID_TOKEN", "USERNAME_PASSWORD_MFA", "EXTERNALBROWSER"):
            answer = await one.login(front.password, AUTHENTICATOR=method, TOKEN="x")
            assert answer["success"] is False
            assert answer["status"] == 200
            assert answer["code"].startswith("390")
            assert "not supported" in answer["message"]


async def test_wrong_passwords_lock_the_user_for_a_while(tmp_path: Path) -> None:
    settings = ApiSettings(Mesh(), login=LoginSettings(attempts=2))
    async with running_front(tmp_path, settings) as front, client(front.url) as one:
        assert (await one.login("wrong"))["code"] == "390100"
        assert (await one.login("wrong"))["code"] == "390100"
        assert (await one.login(front.password))["code"] == "390102"
        assert (await one.login("wrong", user="nobody"))["code"] == "390100"


async def test_an_expired_token_is_renewed_and_the_session_goes_on(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        await one.query("use database db1")
        old = one.token
        renewed = await one.renew()
        assert renewed["data"]["validityInSecondsST"] == 3600
        assert one.token != old
        assert (await one.query("select 1"))["data"]["finalDatabaseName"] == "DB1"
        gone = await one.post("/session/heartbeat", token=old)
    assert gone["code"] == "390104"


async def test_an_expired_token_says_so_and_an_expired_master_token_too(tmp_path: Path) -> None:
    settings = ApiSettings(Mesh(), sessions=SessionSettings(token=0.0))
    async with running_front(tmp_path, settings) as front, client(front.url) as one:
        await one.login(front.password)
        assert (await one.query("select 1"))["code"] == "390112"
        assert (await one.renew())["success"]
    settings = ApiSettings(Mesh(), sessions=SessionSettings(token=0.0, master=0.0))
    async with running_front(tmp_path, settings) as front, client(front.url) as one:
        await one.login(front.password)
        assert (await one.renew())["code"] == "390114"


async def test_an_unknown_token_never_leads_into_renewal(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        for token in ("None", "", "abc", '"'):
            assert (await one.post("/session/heartbeat", token=token))["code"] == "390104"
        await one.login(front.password)
        assert (await one.post("/session/heartbeat", token=one.master))["code"] == "390104"
        assert (await one.post("/session/heartbeat"))["success"]


async def test_a_token_for_the_registry_leaves_the_session_alone(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        body = {"oldSessionToken": one.token, "requestType": "ISSUE"}
        issued = await one.post("/session/token-request", body, token=one.master)
        token = issued["data"]["sessionToken"]
        assert issued["data"]["validityInSecondsST"] == 3600
        assert (await one.query("select 1"))["success"]
        refused = await one.post("/queries/v1/query-request", {"sqlText": "x"}, token=token)
    assert refused["code"] == "390104"


async def test_a_closed_session_is_gone_and_what_it_ran_is_cancelled(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        running = asyncio.create_task(one.query("sleep 60"))
        async with asyncio.timeout(10):
            await front.warehouse.started.wait()
            assert (await one.post("/session?delete=true"))["success"]
            assert (await running)["code"] == "000604"
        assert (await one.query("select 1"))["code"] == "390104"
        assert len(front.warehouse.closed) == 1
        left = await front.store.list(keys.SESSIONS.prefix)
    assert left.items == ()


async def test_any_replica_serves_any_session(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, another_replica(front) as second:
        url = f"http://127.0.0.1:{second.port('api')}"
        async with client(front.url, front.password) as one, client(url) as other:
            other.token = one.token
            assert (await other.query("use database db2"))["success"]
            answer = await one.query("select 1")
            assert answer["data"]["finalDatabaseName"] == "DB2"
            await other.post("/session?delete=true")
            assert (await one.query("select 1"))["code"] == "390104"


async def test_while_the_store_is_away_every_answer_says_so_and_afterwards_all_is_well(
    tmp_path: Path,
) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        front.backend.available = False
        for answer in (await one.query("select 1"), await one.login(front.password)):
            assert answer["status"] == 200
            assert answer["success"] is False
            assert answer["message"]
        front.backend.available = True
        assert (await one.query("select 1"))["success"]
        assert (await one.login(front.password))["success"]
