"""Files of stages, with both generations of the connector, the real store and the real warehouse."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from yarl import URL

from snowcave.runtime.mesh import Mesh
from tests.integration.api.test_api_daemons import password, platform
from tests.kit.connectors import V4, V5, python_with, run_script
from tests.kit.daemons import running
from tests.kit.protocol import Client, client

SCRIPT = Path(__file__).parent / "stage_script.py"
FRAMES = Path(__file__).parent / "frame_script.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.validated
@pytest.mark.parametrize("version", [V4, V5])
async def test_files_go_to_a_stage_and_come_back_the_same(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "client"
    async with platform(tmp_path) as (mesh, _), running(mesh, "api"):
        seen = await asyncio.to_thread(
            run_script,
            python_with(version),
            SCRIPT,
            str(mesh.port("api")),
            password(mesh),
            str(folder),
        )
    assert seen["created"] == [{"status": "Stage area ST successfully created."}]
    assert seen["put"][0]["status"] == "UPLOADED"
    assert seen["put quoted"][0]["target"] == "größe 1.txt"
    assert seen["put glob"] == [[f"part{n}.csv", f"part{n}.csv.gz", "UPLOADED"] for n in range(5)]
    assert seen["put big"] == "UPLOADED"
    assert [name for name, _ in seen["listed"]] == [
        "st/big.bin",
        *(f"st/data/part{n}.csv.gz" for n in range(5)),
        "st/dir/spec.yaml",
        "st/my dir/ü/größe 1.txt",
    ]
    assert seen["listed below"] == ["st/data/part1.csv.gz", "st/data/part2.csv.gz"]
    # The elder one has no word for it, but the file is kept all the same.
    assert seen["kept"] == ("UPLOADED" if version == V4 else "SKIPPED")
    assert (seen["kept content"], seen["new content"]) == ("spec: 1\n", "spec: 2\n")
    assert seen["got"] == ["DOWNLOADED"] * 5
    assert seen["unpacked"]
    assert seen["big is the same"]
    assert seen["umlaut"] == "umlaut\n"
    assert seen["removed"] == [{"name": "st/data/part0.csv.gz", "result": "removed"}]
    assert seen["removed all"] == 4
    assert seen["left"] == ["st/big.bin", "st/dir/spec.yaml", "st/my dir/ü/größe 1.txt"]
    assert seen["missing stage"] == [2003, "02000"]
    assert seen["traversal"] == [1008, "22023"]
    assert seen["shown"] == [["ST", "INTERNAL"]]
    assert [(row["NAME"], row["N"]) for row in seen["rows"]] == [
        ("name1", 1000),
        ("name2", 1000),
        ("name3", 1000),
    ]
    assert seen["queried"] == [{"NAME": "name1", "N": 1000}, {"NAME": "name2", "N": 1000}]
    assert seen["queried json"] == [{"W": "json", "N": 8}]
    assert seen["queried nothing"] == []
    assert seen["loaded"] == [{"NAME": "name3"}]
    # Where the server keeps files is no client's business.
    assert str(tmp_path) not in seen["wrong file"]
    assert "395018 (22023): Invalid spec: unknown option 'odd'" in seen["template"]
    assert "395069 (23001): Unable to render service spec from given template" in seen["no value"]
    assert "'name' is undefined" in seen["no value"]
    assert "091016 (22000): Remote file '@st/service.yaml' was not found" in seen["no file"]
    assert seen["copy unknown"] == [2003, "02000"]
    assert seen["gone"] == [2003, "02000"]


async def address(session: Client, sql: str) -> str:
    answer = await session.query(sql)
    assert answer["success"], answer
    return answer["data"]["stageInfo"]["presignedUrl"] or answer["data"]["presignedUrls"][0]


async def done(session: Client, sql: str) -> list[Any]:
    answer = await session.query(sql)
    assert answer["success"], answer
    return answer["data"]["rowset"]


async def status(http: aiohttp.ClientSession, method: str, url: str | URL, **more: Any) -> int:
    async with http.request(method, url, **more) as answer:
        await answer.read()
        return answer.status


@asynccontextmanager
async def talking(home: Path) -> AsyncGenerator[tuple[Mesh, Client, aiohttp.ClientSession]]:
    """A session with a database in use, and a client of addresses."""
    async with AsyncExitStack() as stack:
        mesh, url = await stack.enter_async_context(platform(home))
        await stack.enter_async_context(running(mesh, "api"))
        session = await stack.enter_async_context(client(url, password(mesh)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        await done(session, "create database d")
        yield mesh, session, http


@pytest.mark.ours
async def test_an_address_opens_its_file_and_nothing_else(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, session, http):
        await done(session, "create stage st")
        put = await address(session, "put file:///x/a.txt @st/dir auto_compress=false")
        assert await status(http, "PUT", put, data=b"one") == 200
        plain = urlsplit(put)._replace(query="").geturl()
        ticket = urlsplit(put).query
        assert await status(http, "PUT", plain, data=b"two") == 401
        assert await status(http, "PUT", f"{plain}?ticket=0", data=b"two") == 401
        token = {"Authorization": f"Bearer {session.token}"}
        assert await status(http, "PUT", plain, data=b"two", headers=token) == 401
        # Another folder, another stage, a way out, the other direction.
        other = plain.replace("/dir/", "/other/")
        assert await status(http, "PUT", f"{other}?{ticket}", data=b"two") == 401
        foreign = plain.replace("/stages/", "/stages/1")
        assert await status(http, "PUT", f"{foreign}?{ticket}", data=b"two") == 401
        out = URL(plain.replace("/dir/", "/dir/%2e%2e/%2e%2e/") + f"?{ticket}", encoded=True)
        assert await status(http, "PUT", out, data=b"two") in (400, 401, 404)
        assert await status(http, "GET", put) == 403
        get = await address(session, "get @st/dir/a.txt file:///x/")
        async with http.get(get) as answer:
            assert await answer.read() == b"one"
        assert await status(http, "PUT", get, data=b"two") == 403
        # A ticket is no session, and it ends with its stage.
        stranger = Client(http, session.url)
        stranger.token = ticket.removeprefix("ticket=")
        assert not (await stranger.query("select 1"))["success"]
        assert len(await done(session, "list @st")) == 1
        await done(session, "drop stage st")
        assert await status(http, "GET", get) == 401


@pytest.mark.ours
async def test_files_go_with_their_stage_and_temporary_stages_with_their_session(
    tmp_path: Path,
) -> None:
    async with talking(tmp_path) as (mesh, session, http):
        for kind in ("temporary stage gone", "stage dropped", "stage kept"):
            await done(session, f"create {kind}")
            name = kind.split()[-1]
            put = await address(session, f"put file:///x/a.txt @{name} auto_compress=false")
            assert await status(http, "PUT", put, data=name.encode()) == 200
        assert len(folders(mesh)) == 3
        await done(session, "drop stage dropped")
        await until(lambda: len(folders(mesh)) == 2)
        await session.post("/session?delete=true")
        await until(lambda: len(folders(mesh)) == 1)
        assert await status(http, "PUT", put, data=b"late") == 401
        assert (await session.login(password(mesh)))["success"]
        await done(session, "use schema d.public")
        assert [row[1] for row in await done(session, "show stages")] == ["KEPT"]
        await done(session, "create or replace stage kept")
        assert await done(session, "list @kept") == []
        await until(lambda: folders(mesh) == [])


def folders(mesh: Mesh) -> list[str]:
    return [path.name for path in mesh.folder("stages").iterdir() if path.name.isdigit()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.ours
async def test_half_a_file_is_no_file(tmp_path: Path) -> None:
    async with talking(tmp_path) as (mesh, session, http):
        await done(session, "create stage st")
        put = await address(session, "put file:///x/a.txt @st auto_compress=false")
        assert await status(http, "PUT", put, data=b"whole") == 200
        half = urlsplit(put.replace("a.txt", "b.txt"))
        _, writer = await asyncio.open_connection("127.0.0.1", half.port)
        head = f"PUT {half.path}?{half.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
        writer.write(head.encode() + b"x" * 1000)
        incoming = mesh.folder("stages") / ".incoming"
        await until(lambda: list(incoming.iterdir()) != [])
        writer.close()
        await until(lambda: list(incoming.iterdir()) == [])
        rows = await done(session, "list @st")
        assert [(row[0], row[1]) for row in rows] == [("st/a.txt", "5")]


def write_frames(folder: Path) -> None:
    """Two files, as pandas writes them for write_pandas."""
    folder.mkdir()
    moment = datetime.fromisoformat("2024-01-02T03:04:05.678900")
    for number in range(2):
        table = pa.table(
            {
                "a b": [f"text {number}", None],
                "N": [number, 10],
                "F": [0.5, None],
                "D": [date(2024, 1, 2), None],
                "TS": [moment, None],
                "DEC": [Decimal("12.34"), None],
                "BIN": [b"\x00\xff", None],
                "L": [[1, 2], None],
                "O": [{"k": 7}, None],
            }
        )
        parquet.write_table(table, folder / f"file{number}.txt")


@pytest.mark.validated
@pytest.mark.parametrize("version", [V4, V5])
async def test_frames_of_pandas_become_tables(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "client"
    write_frames(folder)
    async with platform(tmp_path) as (mesh, _), running(mesh, "api"):
        seen = await asyncio.to_thread(
            run_script,
            python_with(version),
            FRAMES,
            str(mesh.port("api")),
            password(mesh),
            str(folder),
        )
    assert dict(seen["types"]) == {
        "a b": "TEXT",
        "N": "NUMBER(38, 0)",
        "F": "REAL",
        "D": "DATE",
        "TS": "TIMESTAMP_NTZ",
        "DEC": "NUMBER(4, 2)",
        "BIN": "BINARY",
        "L": "ARRAY",
        "O": "OBJECT",
    }
    assert seen["schema"] == [
        ["a b", "TEXT", True, '$1:"a b"::TEXT', "file0.txt, file1.txt", 0],
    ]
    assert seen["copied"] == [["LOADED", 2, 2]] * 2
    assert seen["purged"] == []
    first, empty, *others = seen["rows"]
    assert first[:6] == ["text 0", "0", "0.5", "2024-01-02", "2024-01-02 03:04:05.678900", "12.34"]
    assert first[6] in ("b'\\x00\\xff'", "bytearray(b'\\x00\\xff')")
    assert [json.loads(value) for value in first[7:]] == [[1, 2], {"k": 7}]
    assert empty == ["None", "10", *["None"] * 7]
    assert [row[0] for row in others] == ["text 1", "None"]
    assert seen["one file"] == [["text 1", 7], [None, None]]
    assert "WHERE in the query of COPY INTO" in seen["filtered"]
    assert seen["described"] == ["COLUMN_NAME"]
    assert "invalid path '../../../8/DATA/STAGE/x'" in seen["another's file"]
    assert "Stage 'NOWHERE' does not exist or not authorized" in seen["other stage"]
