"""The direct client of the functions benchmark: `ROWS BATCH PAUSE ADDRESS…`, rows a second out.

Hand-written for one service: its rows are in memory, its connections stay open, and 32 requests are in
flight, shared by the instances' addresses. It reads every answer and puts the values back in their places.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import orjson
import uvloop

IN_FLIGHT = 32
_HEAD = (
    "POST /upper/{pause} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, pause: str, body: bytes
) -> bytes:
    head = _HEAD.format(pause=pause, host=host, length=len(body))
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer.decode())
    length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


async def called(
    given: Sequence[str], size: int, pause: str, addresses: Sequence[str]
) -> tuple[list[str], float]:
    """The answers in their places, and the seconds that they took; connections are made before."""
    found: list[str] = [""] * len(given)
    starts = iter(range(0, len(given), size))
    open_ones = [
        (host, await asyncio.open_connection(host, 8000))
        for host in (addresses[n % len(addresses)] for n in range(IN_FLIGHT))
    ]

    async def work(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in starts:
            part = given[start : start + size]
            body = orjson.dumps({"data": list(enumerate(part))})
            answer = orjson.loads(await _exchange(reader, writer, host, pause, body))
            for number, value in answer["data"]:
                found[start + number] = value

    began = time.perf_counter()
    await asyncio.gather(*(work(host, *streams) for host, streams in open_ones))
    seconds = time.perf_counter() - began
    for _, (_, writer) in open_ones:
        writer.close()
    return found, seconds


async def main() -> None:
    rows, size, pause, *addresses = sys.argv[1:]
    given = [f"row number {n}" for n in range(int(rows))]
    found, seconds = await called(given, int(size), pause, addresses)
    if found != [text.upper() for text in given]:
        raise RuntimeError("wrong answers")
    print(json.dumps(len(given) / seconds))


if __name__ == "__main__":
    uvloop.run(main())
