"""A call goes on though its routers die one after another: virtual time, real routers, seeded deaths."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcave.api.grpc.arguments import Arguments
from snowcave.api.grpc.relay import Relay
from snowcave.api.settings import RelaySettings
from snowcave.functions.connections import Reply
from snowcave.functions.service import FunctionServicer
from snowcave.functions.settings import BatchSettings, FunctionsSettings
from snowcave.model.errors import Unavailable
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import functions_pb2 as v1
from tests.kit.seeded_loop import run
from tests.kit.service_functions import Service, a_router
from tests.kit.virtual_services import Instances

F = 7


@dataclass
class Remembering(Instances):
    """By batch id, the bodies that were sent."""

    bodies: dict[bytes, set[bytes]] = field(default_factory=dict[bytes, set[bytes]])

    async def exchange(self, address: str, port: int, head: bytes, body: bytes) -> Reply:
        batch = head.partition(b"query-batch-id: ")[2].partition(b"\r\n")[0]
        if body:
            self.bodies.setdefault(batch, set()).add(body)
        return await super().exchange(address, port, head, body)


class Call:
    """One at a router, which dies at a given time."""

    def __init__(self, servicer: FunctionServicer, requests: Any, dies: float) -> None:
        self._replies = cast("AsyncGenerator[v1.InvokeReply]", servicer.Invoke(requests, None))
        self._requests = requests
        self._dies = dies

    async def __aiter__(self) -> AsyncIterator[v1.InvokeReply]:
        async with aclosing(self._requests), aclosing(self._replies):
            while True:
                try:
                    async with asyncio.timeout_at(self._dies):
                        reply = await anext(self._replies)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise Unavailable("The router is gone.") from None
                yield reply

    def cancel(self) -> None:
        pass

    def add_done_callback(self, _callback: object) -> None:
        """It says what it ended with by what it raises."""


class Routers:
    """The first so many of them die, each a while after it was asked."""

    def __init__(self, routers: list[FunctionServicer], lives: list[float]) -> None:
        self._routers = routers
        self._lives = lives
        self.asked = 0

    def next(self) -> "Routers":
        return self

    def Invoke(self, requests: Any) -> Call:  # noqa: N802
        servicer = self._routers[self.asked % len(self._routers)]
        life = self._lives[self.asked] if self.asked < len(self._lives) else 1e9
        self.asked += 1
        return Call(servicer, requests, asyncio.get_running_loop().time() + life)


def as_stream(texts: list[str]) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], ["a"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    pieces=st.lists(st.integers(0, 23), max_size=8),
    rows=st.integers(1, 9),
    latency=st.sampled_from([0.0, 0.1, 2.0]),
    lives=st.lists(st.floats(0, 5), max_size=6),
    window=st.integers(1, 5),
)
def test_each_row_is_answered_once_in_its_place_whatever_routers_die(
    seed, pieces, rows, latency, lives, window
):
    texts = [[f"{piece}:{row}" for row in range(size)] for piece, size in enumerate(pieces)]

    async def requests() -> AsyncIterator[v1.InvokeRequest]:
        for piece in texts:
            yield v1.InvokeRequest(arrow_stream=as_stream(piece))
            await asyncio.sleep(0.05)

    async def scenario(rng: random.Random):
        instances = Remembering(rng, ("429", "reset", "slow", "later"), 0.1, latency)
        config = FunctionsSettings(Mesh(), BatchSettings(rows=rows, in_flight=4))
        found: list[Any] = []
        told = v1.InvokeProgress()
        async with asyncio.timeout(1_000_000), AsyncExitStack() as stack:
            servicers: list[FunctionServicer] = []
            for _ in range(2):
                router = await stack.enter_async_context(a_router(config, instances))
                await router.catalog.add_service(Service(port=1000), Service(port=1001))
                await router.catalog.add_function(F, max_batch_retries=50)
                await router.settled(F, 2)
                servicers.append(FunctionServicer(router.caller))
            routers = Routers(servicers, lives)
            relayed = RelaySettings(window=window, patience=0.1, losses=6)
            header = v1.InvokeHeader(function=F, query_id="q", call=1)
            arguments = Arguments(["VARCHAR"], relayed)
            relay = Relay(cast("Any", routers), header, arguments, relayed)
            async with aclosing(relay.run(requests())) as replies:
                async for reply in replies:
                    if reply.WhichOneof("message") == "progress":
                        told = reply.progress
                    else:
                        found += pa.ipc.open_stream(reply.arrow_stream).read_all()[0].to_pylist()
        return found, told, instances, routers.asked

    found, told, instances, asked = run(seed, scenario)
    assert found == [orjson.dumps([text]).decode() for piece in texts for text in piece]
    assert (told.rows, told.batches) == (sum(pieces), sum(-(-size // rows) for size in pieces))
    assert asked <= len(lives) + 1
    # Whoever sends a batch again sends the same rows under its id.
    assert all(len(bodies) == 1 for bodies in instances.bodies.values())
    assert len(instances.bodies) == told.batches
