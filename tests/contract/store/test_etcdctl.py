"""Debian's etcdctl, as it comes, against the embedded store."""

import asyncio
import json
import os

import pytest

from tests.contract.store.conftest import need
from tests.kit.store_processes import StoreProcess


@pytest.fixture
def ctl(embedded_process: StoreProcess):
    need("etcdctl")
    environment = {**os.environ, "ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": embedded_process.address}

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "etcdctl",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )

    async def run(*arguments: str, text: str = "") -> str:
        async with asyncio.timeout(30):
            process = await start(*arguments)
            output, _ = await process.communicate(text.encode())
        assert process.returncode == 0, output
        return output.decode()

    run.start = start  # type: ignore[attr-defined]
    return run


async def test_put_get_and_del(ctl):
    assert await ctl("put", "t1/a", "1") == "OK\n"
    await ctl("put", "t1/b", "2")
    assert await ctl("get", "--prefix", "t1/") == "t1/a\n1\nt1/b\n2\n"
    assert await ctl("get", "--prefix", "--keys-only", "--order=DESCEND", "t1/") == (
        "t1/b\n\nt1/a\n\n"
    )
    assert await ctl("get", "--prefix", "--limit=1", "--print-value-only", "t1/") == "1\n"
    revision = json.loads(await ctl("get", "t1/a", "-w", "json"))["header"]["revision"]
    assert await ctl("put", "--prev-kv", "t1/a", "9") == "OK\nt1/a\n1\n"
    assert await ctl("get", f"--rev={revision}", "--print-value-only", "t1/a") == "1\n"
    assert await ctl("get", "--prefix", "--sort-by=MODIFY", "--print-value-only", "t1/") == (
        "2\n9\n"
    )
    assert await ctl("del", "--prev-kv", "--prefix", "t1/") == "2\nt1/a\n9\nt1/b\n2\n"
    assert await ctl("get", "--prefix", "t1/") == ""


async def test_a_transaction(ctl):
    script = 'create("t2/a") = "0"\n\nput t2/a first\nget t2/a\n\nget t2/a\n\n'
    assert (await ctl("txn", text=script)).split() == ["SUCCESS", "OK", "t2/a", "first"]
    assert (await ctl("txn", text=script)).split() == ["FAILURE", "t2/a", "first"]
    by_value = 'value("t2/a") = "first"\n\ndel t2/a\n\n\n'
    assert (await ctl("txn", text=by_value)).split() == ["SUCCESS", "1"]


async def test_a_watch(ctl):
    revision = json.loads(await ctl("put", "t3/a", "1", "-w", "json"))["header"]["revision"]
    watching = await ctl.start("watch", "--prefix", f"--rev={revision}", "--prev-kv", "t3/")
    try:
        await ctl("put", "t3/a", "2")
        await ctl("del", "t3/a")
        async with asyncio.timeout(20):
            wanted = [
                "PUT",
                "t3/a",
                "1",
                "PUT",
                "t3/a",
                "1",
                "t3/a",
                "2",
                "DELETE",
                "t3/a",
                "2",
                "t3/a",
            ]
            heard: list[str] = []
            while len(heard) < len(wanted):
                heard += (await watching.stdout.readline()).decode().split()
    finally:
        watching.kill()
        await watching.wait()
    assert heard == wanted


async def test_leases(ctl):
    lease = (await ctl("lease", "grant", "60")).split()[1]
    await ctl("put", f"--lease={lease}", "t4/a", "1")
    told = await ctl("lease", "timetolive", lease, "--keys")
    assert "granted with TTL(60s)" in told
    assert "attached keys([t4/a])" in told
    assert lease in await ctl("lease", "list")
    assert "keepalived with TTL(60)" in await ctl("lease", "keep-alive", "--once", lease)
    assert "revoked" in await ctl("lease", "revoke", lease)
    assert await ctl("get", "t4/a") == ""
    assert "already expired" in await ctl("lease", "timetolive", lease)


async def test_upkeep(ctl):
    assert "is healthy" in await ctl("endpoint", "health")
    (status,) = json.loads(await ctl("endpoint", "status", "-w", "json"))
    assert status["Status"]["version"] == "3.4.0"
    revision = json.loads(await ctl("put", "t5/a", "1", "-w", "json"))["header"]["revision"]
    await ctl("put", "t5/a", "2")
    assert "compacted revision" in await ctl("compact", str(revision + 1))
    process = await ctl.start("get", f"--rev={revision}", "t5/a")
    output, _ = await process.communicate()
    assert process.returncode != 0
    assert b"required revision has been compacted" in output


async def test_what_is_not_supported_is_said_to_be(ctl):
    for command in (["member", "list"], ["user", "list"], ["snapshot", "save", "/dev/null"]):
        process = await ctl.start(*command)
        output, _ = await process.communicate()
        assert process.returncode != 0
        assert b"nimplemented" in output, command
