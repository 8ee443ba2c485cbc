"""The life of statements over HTTP: once, long, in the background, cancelled, in chunks, elsewhere."""

import asyncio
import uuid
from pathlib import Path

import orjson

from snowcave.api.settings import ApiSettings, QuerySettings
from snowcave.model import keys
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import state_pb2 as state
from tests.kit.fronts import RunningFront, another_replica, running_front
from tests.kit.protocol import Client, client

IMPATIENT = ApiSettings(Mesh(), queries=QuerySettings(hold=0.2, record_after=0.05, look=0.05))


async def test_an_answer_has_all_that_clients_read(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        answer = await one.query("select 1")
    data = answer["data"]
    assert answer["success"]
    assert answer["code"] is None
    assert data["rowset"] == [["1"]]
    assert data["total"] == data["returned"] == 1
    assert data["statementTypeId"] == 4096
    assert data["finalRoleName"] == "ACCOUNTADMIN"
    assert str(uuid.UUID(data["queryId"])) == data["queryId"]
    wanted = {"name", "type", "nullable", "length", "byteLength", "precision", "scale"}
    assert wanted <= data["rowtype"][0].keys()


async def test_a_repeated_request_runs_once(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        same = str(uuid.uuid4())
        answers = await asyncio.gather(
            *(one.query("sleep 0.2", request_id=same) for _ in range(3))
        )
        again = await one.query("sleep 0.2", request_id=same)
        await one.query("select 1")
    assert len({answer["data"]["queryId"] for answer in [*answers, again]}) == 1
    assert len(front.warehouse.executed) == 2


async def test_a_slow_statement_is_asked_for_again(tmp_path: Path) -> None:
    async with (
        running_front(tmp_path, IMPATIENT) as front,
        client(front.url, front.password) as one,
    ):
        first = await one.query("sleep 0.5")
        assert first["code"] == "333333"
        assert first["success"]
        last = await one.to_the_end(first)
    assert last["data"]["rowset"] == [["1"]]
    assert last["data"]["queryId"] == first["data"]["queryId"]


async def test_a_statement_in_the_background_is_watched_and_read(tmp_path: Path) -> None:
    async with (
        running_front(tmp_path, IMPATIENT) as front,
        client(front.url, front.password) as one,
    ):
        first = await one.query("sleep 0.3", asyncExec=True)
        assert first["code"] == "333334"
        query = first["data"]["queryId"]
        for path in (f"/monitoring/queries/{query}", f"/monitoring/queries//{query}"):
            (shown,) = (await one.get(path))["data"]["queries"]
            assert shown["status"] == "RUNNING"
            assert shown["id"] == query
        last = await one.to_the_end(first)
        assert last["data"]["rowset"] == [["1"]]
        (shown,) = (await one.get(f"/monitoring/queries/{query}"))["data"]["queries"]
        unknown = await one.get(f"/monitoring/queries/{uuid.uuid4()}")
    assert shown["status"] == "SUCCESS"
    assert unknown["data"]["queries"] == []


async def test_a_failed_background_statement_says_why(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        first = await one.query("nothing here", asyncExec=True)
        last = await one.to_the_end(first)
        path = f"/monitoring/queries/{first['data']['queryId']}"
        (shown,) = (await one.get(path))["data"]["queries"]
    assert last["code"] == "002003"
    assert last["data"]["sqlState"] == "02000"
    assert shown["status"] == "FAILED_WITH_ERROR"
    assert shown["errorCode"] == "002003"


async def test_a_statement_is_cancelled_by_its_request(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        request_id = str(uuid.uuid4())
        running = asyncio.create_task(one.query("sleep 60", request_id=request_id))
        async with asyncio.timeout(10):
            await front.warehouse.started.wait()
            await one.post("/queries/v1/abort-request", {"requestId": request_id, "sqlText": "x"})
            answer = await running
            await _until_idle(front.warehouse.running)
    assert answer["code"] == "000604"
    assert answer["data"]["sqlState"] == "57014"


async def test_a_statement_ends_at_its_time_limit(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        limit = {"STATEMENT_TIMEOUT_IN_SECONDS": 0.2}
        answer = await one.query("sleep 60", parameters=limit)
        own = await one.query("wait 60", parameters=limit)
        async with asyncio.timeout(10):
            await _until_idle(front.warehouse.running)
    assert (answer["code"], answer["data"]["sqlState"]) == ("000630", "57014")
    assert (own["code"], own["data"]["sqlState"]) == ("000630", "57014")


async def test_a_large_result_comes_in_chunks_that_need_no_token(tmp_path: Path) -> None:
    settings = ApiSettings(Mesh(), queries=QuerySettings(inline_rows=120, chunk_rows=70))
    async with (
        running_front(tmp_path, settings) as front,
        client(front.url, front.password) as one,
    ):
        data = (await one.query("rows 300"))["data"]
        rows = list(data["rowset"])
        assert len(rows) == 120
        assert [chunk["rowCount"] for chunk in data["chunks"]] == [70, 70, 40]
        for chunk in data["chunks"]:
            async with one.http.get(chunk["url"]) as answer:
                rows += orjson.loads(b"[" + await answer.read() + b"]")
        path, _, _ = data["chunks"][0]["url"].rpartition("/")
        async with one.http.get(f"{path}/wrong") as answer:
            assert answer.status == 404
    assert rows == [[str(n), f"row {n}"] for n in range(300)]
    assert data["total"] == 300


async def test_a_result_is_read_at_another_replica(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, another_replica(front) as second:
        url = f"http://127.0.0.1:{second.port('api')}"
        async with client(front.url, front.password) as one, client(url) as other:
            other.token = one.token
            for sql, rows in (("rows 150", 150), ("show things", 2)):
                done = (await one.query(sql))["data"]
                there = (await other.get(f"/queries/{done['queryId']}/result"))["data"]
                assert there["total"] == rows
                assert there["rowset"] == done["rowset"]
                assert there["rowtype"] == done["rowtype"]


async def _is_recorded(front: RunningFront, text: str) -> None:
    """A statement that begins like this is known to every replica."""
    async with asyncio.timeout(20):
        while True:
            listing = await front.store.list(keys.QUERIES.prefix)
            records = [state.Query.FromString(item.value) for item in listing.items]
            if any(record.sql_text.startswith(text) for record in records):
                return
            await asyncio.sleep(0.02)


async def test_a_request_repeated_at_another_replica_runs_once(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, another_replica(front) as second:
        url = f"http://127.0.0.1:{second.port('api')}"
        async with client(front.url, front.password) as one, client(url) as other:
            other.token = one.token
            # Ended, failed, and still running where it began: the record is there after a moment.
            for sql in ("select 5", "nothing t", "show things", "wait 3"):
                same = str(uuid.uuid4())
                first = asyncio.create_task(one.query(sql, request_id=same))
                await (_is_recorded(front, "wait") if sql == "wait 3" else first)
                again = await other.query(sql, request_id=same)
                done = await first
                assert again["code"] == done["code"]
                assert again["data"]["queryId"] == done["data"]["queryId"]
                assert again["data"].get("rowset") == done["data"].get("rowset")
    assert [one.sql for one in front.warehouse.executed] == ["select 5", "nothing t"]


async def test_the_same_request_id_in_another_session_is_another_request(tmp_path: Path) -> None:
    async with (
        running_front(tmp_path) as front,
        client(front.url, front.password) as one,
        client(front.url, front.password) as other,
    ):
        same = str(uuid.uuid4())
        first = await one.query("select 1", request_id=same)
        second = await other.query("select 1", request_id=same)
    assert first["data"]["queryId"] != second["data"]["queryId"]
    assert len(front.warehouse.executed) == 2


async def test_a_request_repeated_after_its_replica_died_runs_once(tmp_path: Path) -> None:
    """The answer got lost: nothing of the first replica is left but the store and the warehouse."""
    async with running_front(tmp_path) as front:
        same = str(uuid.uuid4())
        async with another_replica(front) as second:
            url = f"http://127.0.0.1:{second.port('api')}"
            async with client(url, front.password) as one:
                first = await one.query("insert 3", request_id=same)
                token = one.token
        async with client(front.url) as again:
            again.token = token
            repeated = await again.query("insert 3", request_id=same)
    assert repeated["data"]["queryId"] == first["data"]["queryId"]
    assert len(front.warehouse.executed) == 1


async def test_a_statement_is_cancelled_from_another_replica(tmp_path: Path) -> None:
    async with running_front(tmp_path, IMPATIENT) as front, another_replica(front) as second:
        url = f"http://127.0.0.1:{second.port('api')}"
        async with client(front.url, front.password) as one, client(url) as other:
            other.token = one.token
            first = await one.query("sleep 60", asyncExec=True)
            query = first["data"]["queryId"]
            assert (await other.post(f"/queries/{query}/abort-request"))["success"]
            async with asyncio.timeout(10):
                answer = await one.to_the_end(first)
                there = await other.to_the_end(first)
    assert answer["code"] == there["code"] == "000604"


async def test_nobody_reads_or_cancels_what_is_not_theirs(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        unknown = uuid.uuid4()
        assert (await one.get(f"/queries/{unknown}/result"))["code"] == "000709"
        assert (await one.post(f"/queries/{unknown}/abort-request"))["code"] == "000709"


async def test_more_statements_than_may_wait_are_refused(tmp_path: Path) -> None:
    settings = ApiSettings(Mesh(), queries=QuerySettings(running=1, waiting=1))
    async with (
        running_front(tmp_path, settings) as front,
        client(front.url, front.password) as one,
    ):
        first = await one.query("sleep 60", asyncExec=True)
        second = await one.query("sleep 60", asyncExec=True)
        refused = await one.query("select 1")
        assert refused["success"] is False
        assert "Too many statements" in refused["message"]
        for running in (second, first):
            await one.post(f"/queries/{running['data']['queryId']}/abort-request")
            assert (await one.to_the_end(running))["code"] == "000604"
        assert (await one.query("select 1"))["success"]


async def test_statements_of_ours_work_while_the_warehouse_is_away(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        await front.stop_warehouse()
        assert (await one.query("show things"))["data"]["rowset"] == [
            ["a", "1", "1"],
            [None, "0", "2"],
        ]
        failed = await one.query("select 1")
    assert failed["success"] is False
    assert failed["message"] == "The warehouse does not answer."


async def test_bindings_reach_the_warehouse_in_order(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url, front.password) as one:
        values = {str(n): {"type": "FIXED", "value": str(n)} for n in range(12, 0, -1)}
        answer = await one.query("binds", bindings=values)
        crooked = await one.query("binds", bindings={"2": {"type": "FIXED", "value": "1"}})
        described = await _described(one)
    assert [row[0] for row in answer["data"]["rowset"]] == [f"FIXED:['{n}']" for n in range(1, 13)]
    assert crooked["success"] is False
    assert (described["numberOfBinds"], described["arrayBindSupported"]) == (2, True)


async def _described(one: Client) -> dict[str, object]:
    sql = "insert into t values (?, '?', ?) -- ?"
    return (await one.query(sql, describeOnly=True))["data"]


async def _until_idle(running: dict[str, asyncio.Event]) -> None:
    while running:
        await asyncio.sleep(0.01)
