"""Each request goes to the instance with the least to do."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest

from snowcave.ingress.pool import Pool
from snowcave.ingress.settings import IngressSettings

ADDRESSES = [("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3)]


async def test_among_equals_chance_decides():
    pool = Pool(IngressSettings(), random.Random(1))
    chosen = Counter(pool.least_loaded(ADDRESSES) for _ in range(300))
    assert set(chosen) == set(ADDRESSES)
    assert min(chosen.values()) > 60


async def test_the_one_with_fewer_open_requests_is_taken_and_kept_connections_do_not_count():
    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    servers = [await asyncio.start_server(accept, "127.0.0.1", 0) for _ in range(2)]
    one, two = (cast(tuple[str, int], server.sockets[0].getsockname()[:2]) for server in servers)
    pool = Pool(IngressSettings(), random.Random(1))
    try:
        async with asyncio.timeout(20):
            busy = await pool.connect(one)
            assert {pool.least_loaded([one, two]) for _ in range(20)} == {two}
            other = await pool.connect(two)
            pool.keep(busy)
            assert {pool.least_loaded([one, two]) for _ in range(20)} == {one}
            assert pool.take(one) is busy
            assert pool.take(one) is None
            other.abandon()
            while pool.least_loaded([one, two]) != two:
                await asyncio.sleep(0)
    finally:
        pool.close()
        for server in servers:
            server.close()
        for writer in writers:
            writer.close()


async def test_a_connection_that_failed_counts_no_more():
    pool = Pool(IngressSettings(), random.Random(1))
    with pytest.raises(OSError, match="111"):
        await pool.connect(("127.0.0.1", 1))
    chosen = {pool.least_loaded(ADDRESSES) for _ in range(100)}
    assert chosen == set(ADDRESSES)


async def test_a_connection_that_nobody_waits_for_any_more_is_counted_off_once(
    monkeypatch: pytest.MonkeyPatch,
):
    """The client may go in the moment in which the connection has been made."""
    made: list[asyncio.Protocol] = []

    async def made_too_late(factory: Callable[[], asyncio.Protocol], *_address: object) -> None:
        made.append(factory())
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", made_too_late)
    pool = Pool(IngressSettings(), random.Random(1))
    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            await pool.connect(ADDRESSES[0])
        made[-1].connection_lost(None)
    assert {pool.least_loaded(ADDRESSES) for _ in range(100)} == set(ADDRESSES)
