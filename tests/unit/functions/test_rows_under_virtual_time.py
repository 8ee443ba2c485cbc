"""The router in virtual time, with instances that fail as a seed says: rows, turns, numbers in flight."""

import asyncio
import contextlib
import random
from unittest import mock

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call
from snowcave.functions.connections import Reply
from snowcave.functions.settings import BatchSettings, FunctionsSettings
from snowcave.model.errors import ServiceFunctionFailed
from snowcave.runtime.mesh import Mesh
from tests.kit.seeded_loop import run
from tests.kit.service_functions import Router, Service, a_router
from tests.kit.virtual_services import FAILURES, RETRIED, Instances

F = 7


def in_time(seed, scenario):
    """Its result; whatever hangs in virtual time fails at once."""

    async def bounded(rng):
        async with asyncio.timeout(1_000_000):
            return await scenario(rng)

    return run(seed, bounded)


@contextlib.asynccontextmanager
async def routed(instances: Instances, count: int = 2, batch=None, **function):
    config = FunctionsSettings(mesh=Mesh(), batch=batch or BatchSettings(rows=5, in_flight=6))
    async with a_router(config, instances) as router:
        services = [Service(port=1000 + number) for number in range(count)]
        await router.catalog.add_service(*services)
        await router.catalog.add_function(F, **function)
        await router.settled(F, count)
        yield router


async def ask(router: Router, pieces, query="q", progress=None):
    """The answers of rows that come in pieces."""

    async def arguments():
        for piece in pieces:
            yield pa.RecordBatch.from_arrays(
                [pa.array(column, pa.string()) for column in zip(*piece, strict=True)]
                if piece
                else [pa.array([], pa.string())] * 2,
                ["a", "b"],
            )

    found = []
    answers = router.caller.run(Call(F, query, 1, {}), arguments(), progress or Progress())
    async with contextlib.aclosing(answers):
        async for part in answers:
            found += part.to_pylist()
    return found


async def taken(router: Router, query: str):
    return await router.lanes.take(router.targets.rules(F).aim, query)


def echoed(row):
    return orjson.dumps(list(row)).decode()


TEXTS = st.one_of(st.none(), st.text(max_size=4))
PIECES = st.lists(st.lists(st.tuples(TEXTS, TEXTS), max_size=23), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    pieces=PIECES,
    failures=st.sets(st.sampled_from(FAILURES)),
    likely=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    latency=st.sampled_from([0.0, 0.01, 2.0]),
    rows=st.integers(1, 9),
    retries=st.integers(0, 3),
    null=st.booleans(),
    strict=st.booleans(),
    kill=st.one_of(st.none(), st.floats(0, 5)),
)
def test_each_row_is_answered_once_in_its_place_or_the_call_fails(
    seed, pieces, failures, likely, latency, rows, retries, null, strict, kill
):
    async def scenario(rng: random.Random):
        instances = Instances(rng, tuple(sorted(failures)), likely, latency)
        function = {
            "max_batch_rows": rows,
            "max_batch_retries": retries,
            "return_null_on_failure": null,
            "strict": strict,
        }
        async with routed(instances, **function) as router:
            if kill is not None:
                asyncio.get_running_loop().call_later(kill, instances.dead.add, 1000)
            got, error = [], None
            try:
                got = await ask(router, pieces)
            except ServiceFunctionFailed as failed:
                error = failed
            assert not router.lanes.load
            return got, error, instances

    got, error, instances = in_time(seed, scenario)
    given_rows = [row for piece in pieces for row in piece]
    expected = [None if strict and None in row else echoed(row) for row in given_rows]
    may_fail = kill is not None or (likely and (failures - {"later", "slow"}))
    if error is not None:
        assert may_fail
        assert not null
        assert error.code == 395090
    elif not null:
        assert got == expected
    else:
        assert len(got) == len(expected)
        assert all(one in (None, wanted) for one, wanted in zip(got, expected, strict=True))
        if not may_fail:
            assert got == expected
    # What an instance had accepted is sent again where that one is gone.
    again = RETRIED if kill is None else RETRIED | {"later"}
    for fates in instances.sent.values():
        # No more attempts than allowed, and none after an answer or a failure that is final.
        assert len(fates) <= retries + 1
        assert all(fate in again for fate in fates[:-1])


@pytest.mark.parametrize("rows_of_batch", [3, 4])
def test_only_the_rows_of_failed_batches_are_null(rows_of_batch):
    class OneFails(Instances):
        async def _answer(self, port, batch_id, body):
            if b'"bad"' in body:
                self.sent.setdefault(batch_id, []).append("400")
                return await super()._answer(port, batch_id, b'{"data":[[7,1]]}')
            return await super()._answer(port, batch_id, body)

    async def scenario(rng):
        async with routed(
            OneFails(rng), max_batch_rows=rows_of_batch, return_null_on_failure=True
        ) as router:
            return await ask(router, [[("bad" if n == 6 else str(n), "x") for n in range(20)]])

    got = in_time(3, scenario)
    failed = range(6 - 6 % rows_of_batch, 6 - 6 % rows_of_batch + rows_of_batch)
    assert [n for n, one in enumerate(got) if one is None] == list(failed)


def many(rows):
    return [[(str(n), None) for n in range(rows)]]


def test_an_instance_without_hands_is_given_few_batches_and_one_with_latency_many():
    async def most(instances):
        batch = BatchSettings(rows=1, in_flight=500, first_window=8)
        async with routed(instances, 1, batch) as router:
            assert len(await ask(router, many(4000))) == 4000
        return instances.most_busy

    slow = in_time(1, lambda rng: most(Instances(rng, latency=0.01, hands=1)))
    far = in_time(1, lambda rng: most(Instances(rng, latency=0.01)))
    assert slow <= 40
    assert far >= 100


def test_an_overloaded_instance_is_given_less_until_it_refuses_no_more():
    async def scenario(rng):
        instances = Instances(rng, latency=0.01, patience=4)
        batch = BatchSettings(rows=1, in_flight=64, first_window=16)
        async with routed(instances, 2, batch, max_batch_retries=20) as router:
            progress = Progress()
            assert len(await ask(router, many(3000), progress=progress)) == 3000
            return instances.refused, progress.retries

    refused, retries = in_time(5, scenario)
    assert 0 < refused == retries
    assert refused < 600  # 16 at once at each would have had twelve of sixteen refused


def test_a_small_query_is_not_kept_waiting_by_a_large_one():
    async def scenario(rng):
        instances = Instances(rng, latency=1.0, hands=4)
        batch = BatchSettings(rows=1, in_flight=200, in_flight_per_service=8, first_window=8)
        async with routed(instances, 1, batch) as router:
            loop = asyncio.get_running_loop()
            large = asyncio.create_task(ask(router, many(400), "large"))
            await asyncio.sleep(20)
            began = loop.time()
            await ask(router, many(4), "small")
            took = loop.time() - began
            assert not large.done()
            assert instances.most_busy <= 8  # the cap of the service
            await large
            return took, loop.time() - began

    small, large = in_time(2, scenario)
    assert small < 15 < 50 < large


def test_batches_go_to_whoever_has_the_fewest():
    async def scenario(rng):
        instances = Instances(rng, latency=1.0)
        batch = BatchSettings(rows=1, in_flight=30)
        async with routed(instances, 3, batch) as router:
            asking = asyncio.create_task(ask(router, many(30)))
            await asyncio.sleep(0.1)
            loads = sorted(instances.busy.values())
            await asking
            return loads

    assert in_time(4, scenario) == [10, 10, 10]


def test_a_turn_that_waits_is_given_to_an_instance_that_comes():
    async def scenario(rng):
        instances = Instances(rng, latency=100.0)
        batch = BatchSettings(rows=1, in_flight=8, first_window=1, in_flight_per_service=4)
        async with routed(instances, 1, batch) as router:
            asking = asyncio.create_task(ask(router, many(2)))
            await asyncio.sleep(1)
            assert sum(instances.busy.values()) == 1
            await router.catalog.set_endpoint(1, 1001)
            await asyncio.sleep(1)
            busy = sum(instances.busy.values())
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            return busy, dict(router.lanes.load)

    assert in_time(4, scenario) == (2, {})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), after=st.floats(0, 3), retries=st.integers(0, 2))
def test_a_call_that_is_left_has_nothing_under_way(seed, after, retries):
    async def scenario(rng):
        instances = Instances(rng, ("429", "reset", "later"), 0.3, 0.5)
        batch = BatchSettings(rows=1, in_flight=8, in_flight_per_service=3, first_window=2)
        async with routed(instances, 2, batch, max_batch_retries=retries) as router:
            asking = [
                asyncio.create_task(ask(router, many(50), query)) for query in ("p", "q", "r")
            ]
            await asyncio.sleep(after)
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            return sum(instances.busy.values()), router.lanes.load, router.lanes.is_idle

    assert in_time(seed, scenario) == (0, {}, True)


@pytest.mark.parametrize("others", [(), ("q",), ("p",)])
def test_a_turn_is_passed_on_only_where_nobody_but_the_call_itself_waits_for_it(others):
    """Which waits once: a second time, it is for a batch that failed, or for another call of the query."""

    async def scenario(rng):
        async with routed(Instances(rng), 1, BatchSettings(first_window=1)) as router:
            turn = await taken(router, "q")
            assert router.lanes.pass_on(turn)
            queries = ("q", *others)
            waiting = [asyncio.create_task(taken(router, query)) for query in queries]
            await asyncio.sleep(1)
            passed = router.lanes.pass_on(turn)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            router.lanes.give_back(turn)
            assert not router.lanes.pass_on(turn)
            assert router.lanes.is_idle
            return passed

    assert in_time(1, scenario) == (not others)


def test_an_instance_that_is_no_longer_ready_is_passed_no_turn():
    async def scenario(rng):
        async with routed(Instances(rng), 2) as router:
            turn = await taken(router, "q")
            assert turn.instance is not None
            await router.catalog.set_endpoint(
                turn.instance.port - 1000, turn.instance.port, ready=False
            )
            await router.settled(F, 1)
            passed = router.lanes.pass_on(turn)
            router.lanes.give_back(turn)
            return passed

    assert in_time(1, scenario) is False


def test_a_lane_that_was_made_anew_is_not_forgotten_for_the_one_before_it():
    async def scenario(rng):
        async with routed(Instances(rng), 1, BatchSettings(first_window=1)) as router:
            first = await taken(router, "q")
            waiting = asyncio.create_task(taken(router, "q"))
            await asyncio.sleep(1)
            # A call ends, as does its last batch, and another one begins, all in one breath.
            waiting.cancel()
            router.lanes.give_back(first)
            other = await taken(router, "p")
            await asyncio.gather(waiting, return_exceptions=True)
            router.lanes.give_back(other)
            async with asyncio.timeout(1):
                router.lanes.give_back(await taken(router, "r"))
            return router.lanes.load, router.lanes.is_idle

    assert in_time(1, scenario) == ({}, True)


def test_an_instance_that_comes_has_its_share_also_where_the_service_has_all_it_may_have():
    async def scenario(rng):
        instances = Instances(rng, latency=1.0)
        async with routed(instances, 1, BatchSettings(rows=1, in_flight_per_service=8)) as router:
            asking = asyncio.create_task(ask(router, many(2000)))
            await asyncio.sleep(20)
            await router.catalog.set_endpoint(1, 1001)
            await asyncio.sleep(20)
            busy = dict(instances.busy)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            return busy

    busy = in_time(1, scenario)
    assert sum(busy.values()) == 8
    assert min(busy.values()) >= 3


def test_a_query_beside_a_long_one_waits_no_longer_after_minutes():
    async def scenario(rng):
        instances = Instances(rng, latency=1.0, hands=1)
        async with routed(instances, 1, BatchSettings(rows=1)) as router:
            loop = asyncio.get_running_loop()
            asking = asyncio.create_task(ask(router, many(5000)))
            await asyncio.sleep(1500)
            began = loop.time()
            await ask(router, many(1), "small")
            took = loop.time() - began
            assert not asking.done()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            return took

    assert in_time(3, scenario) < 60


def test_few_turns_carry_many_batches_where_nobody_else_waits():
    async def scenario(rng):
        instances = Instances(rng, latency=0.1, hands=4)
        async with routed(instances, 2, BatchSettings(rows=1, in_flight=200)) as router:
            with mock.patch.object(router.lanes, "take", wraps=router.lanes.take) as take:
                assert len(await ask(router, many(3000))) == 3000
            return take.call_count

    assert in_time(6, scenario) < 1500


def test_whatever_keeps_a_call_from_getting_turns_ends_it():
    async def scenario(rng):
        error = ServiceFunctionFailed("F", "no turns", batch_id="", rows=0, retries=0)
        async with routed(Instances(rng)) as router:
            with (
                mock.patch.object(router.lanes, "take", side_effect=error),
                pytest.raises(ServiceFunctionFailed, match="no turns"),
            ):
                await ask(router, many(3))

    in_time(6, scenario)


def test_a_bad_answer_after_a_retry_is_told_with_the_number_of_retries():
    class Failing(Instances):
        async def exchange(self, address, port, head, body):
            self.refused += 1
            if self.refused == 1:
                return Reply(503, b"")
            return Reply(200, b'{"data":[[0,"a"],[2,"b"]]}')

    async def scenario(rng):
        async with routed(Failing(rng), max_batch_retries=3) as router:
            with pytest.raises(ServiceFunctionFailed) as failed:
                await ask(router, many(2))
            return str(failed.value)

    told = in_time(6, scenario)
    assert "row 1 carries the row number 2" in told
    assert told.endswith("request retries: 1")
