"""The client of the store benchmark: `puts|lag ADDRESS SECONDS`, its one figure on standard output."""

import asyncio
import json
import os
import statistics
import sys
from contextlib import aclosing

import uvloop

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.store.client import EtcdStore, open_store

TASKS = 64
VALUE = 256
RATE = 500


def key(name: object) -> str:
    return keys.NAMES.key("bench", "p", name)


async def puts(store: EtcdStore, seconds: float) -> float:
    """Puts a second by 64 tasks."""
    loop = asyncio.get_running_loop()
    value = os.urandom(VALUE)
    start = loop.time()
    done = 0

    async def work(number: int) -> None:
        nonlocal done
        while loop.time() < start + seconds:
            await store.put(key(number), value)
            done += 1

    await asyncio.gather(*(work(number) for number in range(TASKS)))
    return done / (loop.time() - start)


async def lag(store: EtcdStore, seconds: float) -> float:
    """The 99th percentile, in milliseconds, from put sent to event received."""
    loop = asyncio.get_running_loop()
    count = int(RATE * seconds)
    sent: dict[int, float] = {}
    lags: list[float] = []
    first = await store.put(key("start"), b"")

    async def watch() -> None:
        async with aclosing(store.watch(keys.NAMES.under("bench"), first + 1)) as batches:
            async for batch in batches:
                now = loop.time()
                lags.extend(now - sent[int(c.value[:8])] for c in batch.changes if c.value)
                if len(lags) == count:
                    return

    async def put(number: int) -> None:
        value = b"%08d" % number + bytes(VALUE - 8)
        sent[number] = loop.time()
        await store.put(key(number % 100), value)

    async with asyncio.timeout(seconds + 30), asyncio.TaskGroup() as group:
        group.create_task(watch())
        start = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / RATE - loop.time()))
            group.create_task(put(number))
    return statistics.quantiles(lags, n=100)[98] * 1000


async def main() -> None:
    what, address, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    async with open_store(address, Role.API) as store:
        print(json.dumps(await {"puts": puts, "lag": lag}[what](store, seconds)))


uvloop.run(main())
