"""ClickHouse slow, gone, lying, killed, written to by others: what was acknowledged is stored, once."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from snowcave.events import intake
from snowcave.events.clickhouse.store import ClickHouseStore, open_clickhouse_store
from snowcave.events.intake import Incoming
from snowcave.events.settings import ClickHouseSettings, EventsSettings
from snowcave.events.store import Lane, Scan
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc
from tests.kit.clickhouse import ClickHouse, clickhouse
from tests.kit.daemons import a_mesh, running


@pytest.fixture
def server(tmp_path: Path) -> Generator[ClickHouse]:
    with clickhouse(tmp_path / "clickhouse", password="a secret") as made:
        yield made


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Generator[ClickHouse]:
    """For tests that leave it alive; each has tables of its own."""
    with clickhouse(tmp_path_factory.mktemp("clickhouse"), password="a secret") as made:
        yield made


@asynccontextmanager
async def opened(own: ClickHouseSettings, **more: float) -> AsyncGenerator[ClickHouseStore]:
    settings = replace(EventsSettings(store="clickhouse", clickhouse=own), **more)
    async with open_clickhouse_store(settings, LoopClock()) as store:
        yield store


def append(source: str, first: int, count: int, at: datetime | None = None) -> Incoming:
    request = v1.AppendRequest(resources=[v1.Resource(service=7, source=source)])
    begin = at or datetime.now(UTC)
    for offset in range(first, first + count):
        row = request.rows.add(record_type="LOG", value=str(offset), offset=offset)
        row.timestamp.FromDatetime(begin + timedelta(microseconds=offset))
    return intake.read(request)


async def values(store: ClickHouseStore) -> list[int]:
    batches = [batch async for batch in store.scan(Scan())]
    return [int(value) for batch in batches for value in batch.column("value").to_pylist()]


async def eventually(store: ClickHouseStore, source: str, first: int, count: int) -> None:
    """As an agent: sent again until it is acknowledged."""
    async with asyncio.timeout(60):
        while True:
            try:
                await store.append(append(source, first, count), Lane())
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_what_was_acknowledged_outlives_kills_of_the_server_and_nothing_is_doubled(
    server: ClickHouse,
):
    acknowledged = 0
    over = asyncio.Event()

    async def send() -> None:
        nonlocal acknowledged
        while not over.is_set():
            await eventually(store, "a", max(0, acknowledged - 5), 25)
            acknowledged = max(0, acknowledged - 5) + 25

    async with opened(server.settings(), append_deadline=5.0) as store:
        sending = asyncio.ensure_future(send())
        for _ in range(3):
            before = acknowledged
            async with asyncio.timeout(60):
                while acknowledged < before + 50:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        over.set()
        await sending
        assert sorted(await values(store)) == list(range(acknowledged))


async def test_an_append_that_a_frozen_server_took_late_is_not_doubled(server: ClickHouse):
    async with opened(server.settings()) as store:
        await store.append(append("a", 0, 10), Lane())
    async with opened(server.settings(), append_deadline=1.0) as store:
        await eventually(store, "a", 0, 20)
        server.freeze()
        lane = Lane()
        with pytest.raises(Unavailable):
            await store.append(append("a", 20, 10), lane)
        assert lane.is_broken
        server.thaw()
        await eventually(store, "a", 15, 20)
        assert await values(store) == list(range(35))


class Forgetful:
    """A proxy; of the answers to inserts it passes on each third one, and hangs up instead of the others."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._inserts = 0
        self.kept_back = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        asked = bytearray()

        async def forward() -> None:
            while part := await reader.read(65536):
                asked.extend(part)
                to_server.write(part)
                await to_server.drain()
            to_server.close()

        forwarding = asyncio.ensure_future(forward())
        try:
            while part := await answers.read(65536):
                if b"FORMAT ArrowStream" in asked and b"INSERT" in asked:
                    self._inserts += 1
                    if self._inserts % 3:
                        self.kept_back += 1
                        return
                asked.clear()
                writer.write(part)
                await writer.drain()
        finally:
            forwarding.cancel()
            to_server.close()
            writer.transport.abort()


async def test_inserts_of_which_no_answer_came_are_not_doubled(lasting: ClickHouse):
    own = lasting.settings("forgotten_")
    forgetful = Forgetful(urlsplit(own.url).port or 0)
    async with await asyncio.start_server(forgetful.serve, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        through = replace(own, url=f"http://127.0.0.1:{port}")
        async with opened(through, append_deadline=5.0) as store:
            for first in range(0, 40, 10):
                await eventually(store, "a", max(0, first - 3), 13 if first else 10)
    assert forgetful.kept_back >= 2
    async with opened(own) as store:
        assert await values(store) == list(range(40))


async def test_a_lane_whose_append_failed_stores_no_later_one(server: ClickHouse):
    async with opened(server.settings(), append_deadline=5.0) as store:
        await store.append(append("a", 0, 1), Lane())
        await asyncio.to_thread(server.kill)
        lane = Lane()
        sent = [
            asyncio.ensure_future(store.append(append("a", first, 1), lane)) for first in (1, 2)
        ]
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert [type(one) for one in results] == [Unavailable, Unavailable]
        await asyncio.to_thread(server.start)
        with pytest.raises(Unavailable, match="An earlier append"):
            await store.append(append("a", 3, 1), lane)
        await eventually(store, "a", 1, 3)
        assert await values(store) == [0, 1, 2, 3]


async def test_of_two_writers_the_later_one_counts_and_neither_doubles_anything(
    lasting: ClickHouse,
):
    async with (
        opened(lasting.settings("two_")) as first,
        opened(lasting.settings("two_")) as second,
    ):
        await first.append(append("a", 0, 10), Lane())
        await second.append(append("a", 5, 10), Lane())
        with pytest.raises(Unavailable):
            await first.append(append("a", 10, 10), Lane())
        await first.append(append("a", 10, 10), Lane())
        assert await values(second) == list(range(20))


async def test_a_wrong_password_is_told_without_saying_it(
    lasting: ClickHouse, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    (tmp_path / "password").write_text("not that one\n")
    wrong = replace(
        lasting.settings("wrong_"), password="", password_file=str(tmp_path / "password")
    )
    async with opened(wrong) as store:
        with pytest.raises(Unavailable) as told:
            await store.append(append("a", 0, 1), Lane())
        with pytest.raises(Unavailable):
            await values(store)
    said = capsys.readouterr()
    assert "516" in str(told.value)
    assert "not that one" not in str(told.value) + said.out + said.err + repr(wrong)


@contextmanager
def one_that_says_yes(body: bytes) -> Generator[str]:
    """To whatever it is asked."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        made.daemon_threads = True
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_address[1]}"
        finally:
            made.shutdown()
            thread.join()


@pytest.mark.parametrize("body", [b"", b"<html>Please sign in</html>"])
async def test_what_is_no_clickhouse_has_nothing_acknowledged(body: bytes):
    with one_that_says_yes(body) as url:
        own = ClickHouseSettings(url=url, connect=2.0, read=2.0)
        async with opened(own, append_deadline=3.0) as store:
            with pytest.raises(Unavailable):
                await store.append(append("a", 0, 1), Lane())
            with pytest.raises(Unavailable):
                await values(store)


async def test_rows_older_than_the_retention_are_out_of_sight_and_the_table_learns_a_new_one(
    lasting: ClickHouse,
):
    long_ago = datetime.now(UTC) - timedelta(days=3)
    async with opened(lasting.settings("older_")) as store:
        await store.append(append("a", 0, 3, long_ago), Lane())
        await store.append(append("b", 3, 3), Lane())
        assert sorted(await values(store)) == [0, 1, 2, 3, 4, 5]
    async with opened(lasting.settings("older_"), retention=86_400.0) as store:
        assert await values(store) == [3, 4, 5]
        # How far a source is stored is still known.
        await store.append(append("a", 0, 4), Lane())
        assert sorted(await values(store)) == [3, 3, 4, 5]


async def test_the_daemon_on_clickhouse_knows_after_sigkill_what_it_has_stored(
    lasting: ClickHouse, tmp_path: Path
):
    home = tmp_path / "home"
    home.mkdir()
    mesh = a_mesh(home)
    tls.ensure(mesh.folder("tls"))
    (home / "password").write_text("a secret")
    (home / "snowcave.toml").write_text(
        f'[events]\nstore = "clickhouse"\n[events.clickhouse]\nurl = "{lasting.settings("snowcave_").url}"\n'
        f'password_file = "{home / "password"}"\n'
    )

    async def send(first: int, count: int) -> None:
        request = append("run", first, count).request
        async with connect(address, mesh.folder("tls"), me=Role.AGENT, to=Role.EVENTS) as channel:
            with translated("events"):
                call = events_pb2_grpc.EventServiceStub(channel).Append(
                    iter([request]), timeout=30
                )
                assert [reply.sequence async for reply in call] == [0]

    address = mesh.grpc_address(Role.EVENTS)
    async with running(mesh, "events") as daemon:
        await send(0, 10)
        daemon.kill()
    async with running(mesh, "events"):
        await send(5, 10)
    log = b"".join(path.read_bytes() for path in mesh.folder("log").iterdir())
    assert b"a secret" not in log
    async with opened(lasting.settings("snowcave_")) as store:
        assert await values(store) == list(range(15))
        (row,) = [r async for b in store.scan(Scan(limit=1)) for r in b.to_pylist()]
        assert json.loads(row["resource_attributes"])["snow.service.id"] == 7
