"""One agent's stream of batches to the events daemon; prints lines a second, acknowledged after fsync.

Home, batches, batches on their way at one time. The batches are made before the clock starts.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from scripts.bench_parts._events_rows import resources, texts
from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect
from snowcave.runtime.settings import read_mesh
from snowcave.v1 import events_pb2 as v1

ROWS = 500


def batch(sequence: int, known: list[v1.Resource], values: list[str], run: str) -> bytes:
    """Of one container: its lines in order."""
    said_by = v1.Resource()
    said_by.CopyFrom(known[sequence % len(known)])
    said_by.container_run_id = f"{run}-{said_by.container_run_id}"
    request = v1.AppendRequest(sequence=sequence, resources=[said_by])
    lines = request.lines
    for stream in ("stdout", "stderr"):
        attributes = f'{{"log.iostream":"{stream}"}}'
        lines.kinds.add(record_type="LOG", record="{}", record_attributes=attributes)
    now, first = time.time_ns() // 1000, sequence * ROWS
    lines.kind.extend(n % 2 for n in range(ROWS))
    lines.timestamp.extend(now + n for n in range(ROWS))
    lines.offset.extend(range(first, first + ROWS))
    said = [values[(first + n) % len(values)].encode() for n in range(ROWS)]
    lines.value_length.extend(map(len, said))
    lines.value = b"".join(said)
    return request.SerializeToString()


async def main(home: Path, batches: int, ahead: int, run: str) -> float:
    mesh = read_mesh(home, {})
    known, values = resources(), texts(4096, 5)
    made = [batch(n, known, values, run) for n in range(1, batches + 1)]
    room = asyncio.Semaphore(ahead)

    async def requests() -> AsyncIterator[bytes]:
        for one in made:
            await room.acquire()
            yield one

    address = mesh.grpc_address(Role.EVENTS)
    async with connect(address, mesh.folder("tls"), me=Role.AGENT, to=Role.EVENTS) as channel:
        append: Any = channel.stream_stream(
            "/snowcave.v1.EventService/Append",
            request_serializer=lambda one: one,
            response_deserializer=v1.AppendReply.FromString,
        )
        began, expected = time.perf_counter(), 1
        async for reply in append(requests()):
            assert reply.sequence == expected, "acknowledgements come in order"
            expected += 1
            room.release()
        assert expected == batches + 1, "all are acknowledged"
        return batches * ROWS / (time.perf_counter() - began)


if __name__ == "__main__":
    folder, count, most, name = sys.argv[1:]
    print(asyncio.run(main(Path(folder), int(count), int(most), name)))
