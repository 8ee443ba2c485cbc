"""Batches that are asked of a second instance while the first one has not answered, in virtual time."""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call
from snowcave.functions.connections import ConnectionFailed, Reply
from snowcave.functions.hedging import Allowance
from snowcave.functions.service import FunctionServicer
from snowcave.functions.settings import BatchSettings, FunctionsSettings, HedgeSettings
from snowcave.model.errors import ServiceFunctionFailed
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import functions_pb2 as pb
from tests.kit.seeded_loop import run
from tests.kit.service_functions import Service, a_router, a_service, echo
from tests.kit.virtual_services import FAILURES, Instances

F = 43
ALL = HedgeSettings(after=1.0, share=1.0)
OFF = HedgeSettings()
LONG = 1000.0


@dataclass
class Uneven(Instances):
    """A batch is answered by `first` when it comes first, then by `second`: an outcome, after seconds."""

    first: tuple[str, float] = ("ok", 0.0)
    second: tuple[str, float] = ("ok", 0.0)
    # Where each batch was posted to, in order, and how often one was polled for.
    posted: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    polled: int = 0

    async def _answer(self, port: int, batch_id: str, body: bytes) -> Reply:
        if not body:
            self.polled += 1
            return Reply(200, self._accepted[batch_id])
        where = self.posted.setdefault(batch_id, [])
        where.append(port)
        fate, seconds = self.first if len(where) == 1 else self.second
        await asyncio.sleep(seconds)
        match fate:
            case "reset":
                raise ConnectionFailed("reset by peer")
            case "ok":
                return await super()._answer(port, batch_id, body)
            case "later":
                self._accepted[batch_id] = (await super()._answer(port, batch_id, body)).body
                return Reply(202, b"")
            case "short":
                return Reply(200, b'{"data":[]}')
            case _:
                return Reply(int(fate), b"no")

    @property
    def counts(self) -> Counter[int]:
        """How many batches were posted so many times."""
        return Counter(map(len, self.posted.values()))


@dataclass
class Seen:
    rows: list[str]
    progress: Progress
    seconds: float


async def ask(router, rows, progress=None):
    async def arguments():
        yield pa.RecordBatch.from_pydict({"a": [str(n) for n in range(rows)]})

    found = []
    answers = router.caller.run(Call(F, "q", 1, {}), arguments(), progress or Progress())
    async with contextlib.aclosing(answers):
        async for part in answers:
            found += part.to_pylist()
    return found


@contextlib.asynccontextmanager
async def routed(instances, hedge=ALL, count=2, batch=None, **function):
    config = FunctionsSettings(
        mesh=Mesh(), batch=batch or BatchSettings(in_flight=40), hedge=hedge
    )
    async with a_router(config, instances) as router:
        await router.catalog.add_service(*(Service(port=1000 + n) for n in range(count)))
        await router.catalog.add_function(F, **({"max_batch_rows": 1} | function))
        await router.settled(F, count)
        tasks = asyncio.all_tasks()
        yield router
        assert router.lanes.is_idle
        assert not router.lanes.load
        assert not sum(instances.busy.values())
        assert asyncio.all_tasks() == tasks


def asked(instances, rows=1, hedge=ALL, seed=1, **given):
    """What came of a call, and how long it took; nothing is left of it."""

    async def scenario(_rng):
        async with asyncio.timeout(10_000), routed(instances, hedge, **given) as router:
            loop, progress = asyncio.get_running_loop(), Progress()
            began = loop.time()
            found = await ask(router, rows, progress)
            return Seen(found, progress, loop.time() - began)

    return run(seed, scenario)


def echoes(rows):
    return [f'["{n}"]' for n in range(rows)]


class OneIsStuck(Uneven):
    async def _answer(self, port, batch_id, body):
        self.posted.setdefault(batch_id, []).append(port)
        await asyncio.sleep(LONG if port == 1000 else 0.01)
        return await Instances._answer(self, port, batch_id, body)


def stuck(share=1.0, rows=20, after=1.0):
    instances = OneIsStuck(random.Random(1))
    return instances, asked(instances, rows, HedgeSettings(after, share))


def test_a_batch_in_a_stuck_instance_is_answered_by_another_one():
    instances, seen = stuck()
    assert seen.rows == echoes(20)
    assert seen.seconds < 5
    assert seen.progress.hedges == instances.counts[2] > 0
    assert seen.progress == Progress(
        rows=20, batches=20, retries=0, hedges=instances.counts[2], taken=20
    )
    assert all(len(set(where)) == len(where) <= 2 for where in instances.posted.values())


def test_callers_are_told_of_hedges_apart_from_retries():
    instances = Uneven(random.Random(1), first=("ok", LONG))
    rows = pa.RecordBatch.from_pydict({"a": ["0", "1", "2"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)

    async def requests():
        yield pb.InvokeRequest(header=pb.InvokeHeader(function=F, query_id="q"))
        yield pb.InvokeRequest(arrow_stream=sink.getvalue().to_pybytes())

    async def scenario(_rng):
        async with routed(instances) as router:
            return [
                reply async for reply in FunctionServicer(router.caller).Invoke(requests(), None)
            ]

    last = run(1, scenario)[-1]
    assert last.progress == pb.InvokeProgress(rows=3, batches=3, hedges=3)


def test_where_it_is_off_no_batch_is_sent_twice():
    instances, seen = stuck(after=OFF.after)
    assert seen.rows == echoes(20)
    assert seen.seconds == pytest.approx(LONG)
    assert instances.counts == {1: 20}
    assert seen.progress.hedges == 0
    assert FunctionsSettings(Mesh()).hedge.after == OFF.after == 0.0


def test_no_more_than_a_share_of_the_batches_is_sent_twice():
    instances, seen = stuck(share=0.05, rows=60)
    assert seen.rows == echoes(60)
    assert instances.counts[2] == seen.progress.hedges == 3


@pytest.mark.parametrize("fate", ["500", "429", "400", "reset", "short", "later"])
def test_a_second_answer_that_is_not_good_is_forgotten(fate):
    instances = Uneven(random.Random(1), first=("ok", 20.0), second=(fate, 1.0))
    seen = asked(instances)
    assert seen.rows == echoes(1)
    assert seen.seconds == pytest.approx(20)
    assert (seen.progress.hedges, seen.progress.retries, instances.polled) == (1, 0, 0)
    assert instances.counts == {2: 1}


@pytest.mark.parametrize("fate", ["500", "429", "reset"])
def test_a_first_attempt_that_fails_waits_for_the_second_instance_and_is_not_retried(fate):
    instances = Uneven(random.Random(1), first=(fate, 2.0), second=("ok", 5.0))
    seen = asked(instances, max_batch_retries=0)
    assert seen.rows == echoes(1)
    assert seen.seconds == pytest.approx(6)
    assert (seen.progress.hedges, seen.progress.retries) == (1, 0)


def test_hedges_do_not_count_as_retries_where_both_fail():
    instances = Uneven(random.Random(1), first=("500", 3.0), second=("500", 4.0))
    with pytest.raises(ServiceFunctionFailed, match="500"):
        asked(instances, max_batch_retries=1)
    assert instances.counts == {3: 1}  # attempt, hedge, retry


def test_a_final_failure_of_the_first_instance_fails_the_call_at_once():
    instances = Uneven(random.Random(1), first=("400", 2.0), second=("ok", 50.0))
    with pytest.raises(ServiceFunctionFailed, match="400"):
        asked(instances)


@pytest.mark.parametrize("fate", ["later", "429"])
def test_batches_that_were_accepted_or_refused_are_not_hedged(fate):
    instances = Uneven(random.Random(1), first=(fate, 0.5), second=("ok", 20.0))
    seen = asked(instances)
    assert seen.rows == echoes(1)
    assert seen.progress.hedges == 0
    assert (seen.progress.retries, instances.polled) == ((0, 1) if fate == "later" else (1, 0))


def test_a_batch_that_is_accepted_late_is_asked_for_where_it_was():
    instances = Uneven(random.Random(1), first=("later", 2.0), second=("ok", 50.0))
    seen = asked(instances)
    assert seen.rows == echoes(1)
    assert (seen.progress.hedges, instances.polled) == (1, 1)
    assert seen.seconds < 10


def test_a_lone_instance_is_not_asked_twice():
    instances = Uneven(random.Random(1), first=("ok", 30.0))
    assert asked(instances, count=1).progress.hedges == 0
    assert instances.counts == {1: 1}


def test_a_hedge_waits_until_another_instance_has_room():
    class OneHand(OneIsStuck):
        async def _answer(self, port, batch_id, body):
            await asyncio.sleep(2.5 if port == 1001 and batch_id not in self.posted else 0.0)
            return await super()._answer(port, batch_id, body)

    instances = OneHand(random.Random(1))
    batch = BatchSettings(in_flight=2, first_window=1, in_flight_per_service=3)
    seen = asked(instances, 2, batch=batch)
    assert seen.rows == echoes(2)
    assert instances.counts == {1: 1, 2: 1}
    assert seen.seconds < 5


def test_a_batch_that_nobody_answers_fails_in_its_time_and_leaves_nothing_behind():
    instances = Uneven(random.Random(1), first=("ok", LONG), second=("ok", LONG))

    async def scenario(_rng):
        async with routed(instances, batch_timeout_secs=20) as router:
            with pytest.raises(ServiceFunctionFailed, match="BATCH_TIMEOUT_SECS = 20"):
                await ask(router, 3)

    run(1, scenario)
    assert instances.counts == {2: 3}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), after=st.floats(0, 4))
def test_a_query_that_is_cancelled_leaves_nothing_of_its_hedges_behind(seed, after):
    async def scenario(rng):
        instances = Instances(rng, ("slow", "lost", "reset", "later"), 0.5, 0.5)
        async with routed(instances) as router:
            asking = asyncio.create_task(ask(router, 30))
            await asyncio.sleep(after)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    run(seed, scenario)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(0, 60),
    failures=st.sets(st.sampled_from(FAILURES)),
    likely=st.sampled_from([0.05, 0.3, 1.0]),
    retries=st.integers(0, 3),
    share=st.sampled_from([0.05, 0.3, 1.0]),
)
def test_each_row_is_answered_once_in_its_place_or_the_call_fails_with_hedges_too(
    seed, rows, failures, likely, retries, share
):
    async def scenario(rng):
        instances, progress = Instances(rng, tuple(sorted(failures)), likely, 0.7), Progress()
        hedge = HedgeSettings(1.0, share)
        async with routed(instances, hedge, max_batch_retries=retries) as router:
            try:
                found = await ask(router, rows, progress)
            except ServiceFunctionFailed as error:
                found = error
        return found, progress, instances

    found, progress, instances = run(seed, scenario)
    assert all(len(fates) <= retries + 2 for fates in instances.sent.values())
    assert progress.hedges <= share * rows
    if isinstance(found, ServiceFunctionFailed):
        assert failures - {"later", "slow"}
        assert found.code == 395090
    else:
        assert found == echoes(rows)
        assert (progress.rows, progress.batches) == (rows, rows)


def test_an_allowance_grows_with_the_batches_of_its_query_only():
    allowance = Allowance(0.25)
    given_at = []
    for number in range(1, 13):
        allowance.begin("q")
        if allowance.has_more("q"):
            allowance.spend("q")
            given_at.append(number)
    assert given_at == [4, 8, 12]
    assert not allowance.has_more("another")


def test_an_allowance_forgets_the_queries_that_began_nothing_for_longest():
    allowance = Allowance(1.0)
    for query in range(2000):
        allowance.begin(query)
        allowance.begin("lasting")
    assert not allowance.has_more(0)
    assert allowance.has_more("lasting")
    assert allowance.has_more(1999)


async def test_the_connection_of_the_request_that_lost_is_closed_and_both_are_counted():
    def counted():
        return [
            REGISTRY.get_sample_value(f"snowcave_functions_{name}_total", {"function": f"F{F}()"})
            or 0.0
            for name in ("hedges", "hedges_won", "rows", "retries")
        ]

    asked_first, ended = [], asyncio.Event()

    async def behave(request, rows):
        asked_first.append(request.transport.get_extra_info("peername"))
        if len(asked_first) > 1:
            return await echo(request, rows)
        reply = web.StreamResponse()
        await reply.prepare(request)
        await reply.write(b'{"data":[[0,')  # half of an answer
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return reply

    before = counted()
    config = FunctionsSettings(Mesh(), hedge=HedgeSettings(after=0.05, share=1.0))
    async with a_router(config) as router, a_service(behave) as one, a_service(behave) as other:
        await router.catalog.add_service(one, other)
        await router.catalog.add_function(F)
        await router.settled(F, 2)
        async with asyncio.timeout(60):
            assert await ask(router, 1) == ["Bob said 0"]
            await ended.wait()
            # Later ones may be hedged as well, where this machine is slow.
            after = counted()
            for _ in range(4):
                assert await ask(router, 1) == ["Bob said 0"]
        assert asked_first[0] not in asked_first[1:]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 0]
