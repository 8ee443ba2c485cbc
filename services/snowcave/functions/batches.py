"""One batch from its body to its answers: POST, retries on other instances, polling, checks."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import pyarrow as pa
import structlog

from snowcave.functions import routing
from snowcave.functions.answers import (
    Answers,
    BadAnswer,
    check_encoding,
    check_md5,
    decode,
    decode_closely,
    nulls,
)
from snowcave.functions.attempts import AttemptFailed, Attempts
from snowcave.functions.connections import ConnectionFailed, Reply, TooLarge
from snowcave.functions.heads import Head
from snowcave.functions.lanes import Lanes, Turn
from snowcave.functions.plain_texts import PlainTexts
from snowcave.functions.race import Races, Won
from snowcave.functions.routing import Instance, Verdict
from snowcave.functions.settings import FunctionsSettings
from snowcave.functions.targets import Rules, Targets
from snowcave.kit.clock import Clock, backoff
from snowcave.model.errors import ServiceFunctionFailed

log = structlog.get_logger()

_SHOWN = 500


class Batch(NamedTuple):
    """What is sent. The id is the same for every attempt."""

    id: str
    rows: int
    body: bytes
    head: Head


class Http(Protocol):
    async def exchange(self, address: str, port: int, head: bytes, body: bytes) -> Reply:
        """Raises ConnectionFailed and TooLarge."""
        ...


@dataclass(slots=True)
class Progress:
    rows: int = 0
    batches: int = 0
    retries: int = 0
    # Batches that were sent to a second instance, which is no retry.
    hedges: int = 0
    # Batches whose answers have been taken.
    taken: int = 0


class Deadline:
    """`asyncio.timeout` for the task that makes it, at a fraction of the cost."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._task = asyncio.current_task(loop)
        self._handle = loop.call_later(seconds, self._pass)
        self._has_passed = False

    def is_what_cancelled(self) -> bool:
        """Whether nobody else has cancelled the task, which goes on then."""
        return self._has_passed and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._handle.cancel()

    def _pass(self) -> None:
        if self._task is not None:
            self._has_passed = True
            self._task.cancel()


class BatchRunner:
    """Shared by all calls, so that the load of each instance is known."""

    def __init__(
        self,
        http: Http,
        targets: Targets,
        lanes: Lanes,
        settings: FunctionsSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._http = http
        self._targets = targets
        self._lanes = lanes
        self._settings = settings
        self._clock = clock
        self._rng = rng
        # Asking for it, or for the time by way of it, costs a system call each time.
        self._loop = asyncio.get_running_loop()
        self._races = Races(settings.hedge, lanes) if settings.hedge.after > 0 else None

    async def run(self, turn: Turn, rules: Rules, batch: Batch, progress: Progress) -> Answers:
        """The batch's answers. Raises ServiceFunctionFailed, unless the function answers NULL then.

        `turn` is that of the first attempt; it is over where that has failed.
        """
        try:
            answers = await self._within_time(turn, rules, batch, progress)
        except ServiceFunctionFailed as error:
            answers = _null_or_raise(rules, batch.id, batch.rows, error)
        progress.rows += batch.rows
        progress.batches += 1
        return answers

    def read_closely(self, rules: Rules, batch_id: str, texts: PlainTexts) -> pa.Array:
        """An answer that `run` gave, and that is not what it seemed to be. Raises as `run` does."""
        try:
            return _looked_at(texts, rules)
        except BadAnswer as error:
            rules.counts.failed_late.inc()
            reason = ServiceFunctionFailed(
                rules.name, str(error), batch_id=batch_id, rows=texts.rows, retries=0
            )
            return _null_or_raise(rules, batch_id, texts.rows, reason)

    async def _within_time(
        self, turn: Turn, rules: Rules, batch: Batch, progress: Progress
    ) -> Answers:
        attempts = Attempts()
        deadline = Deadline(self._loop, rules.timeout)
        try:
            return await self._attempt_until_done(turn, rules, batch, attempts, progress)
        except asyncio.CancelledError:
            if not deadline.is_what_cancelled():
                raise
            reason = f"no answer within BATCH_TIMEOUT_SECS = {rules.timeout:g}"
            if attempts.reason:
                reason += f" (last failure: {attempts.reason})"
            raise failed(rules, batch, reason, attempts.failed) from None
        finally:
            deadline.end()

    async def _attempt_until_done(
        self, turn: Turn, rules: Rules, batch: Batch, attempts: Attempts, progress: Progress
    ) -> Answers:
        http = self._settings.http
        pauses: Iterator[float] | None = None
        began, first = self._loop.time(), turn
        try:
            while True:
                try:
                    answers, by = await self._attempt(turn, rules, batch, attempts, progress)
                except AttemptFailed as error:
                    attempts.note(turn.instance, str(error))
                except (BadAnswer, TooLarge) as error:
                    raise failed(rules, batch, str(error), attempts.failed) from error
                else:
                    self._note_time(rules, batch, by, began, attempts.failed)
                    return answers
                self._lanes.give_back(turn)
                if not routing.may_retry(attempts.failed, rules.max_retries):
                    raise failed(rules, batch, attempts.reason, attempts.failed - 1)
                progress.retries += 1
                rules.counts.retries.inc()
                pauses = pauses or backoff(self._rng, http.backoff_base, http.backoff_cap)
                await self._clock.sleep(next(pauses))
                turn = await self._lanes.take(turn.aim, turn.call, attempts.avoid)
        finally:
            if turn is not first:
                self._lanes.give_back(turn)

    async def _attempt(
        self, turn: Turn, rules: Rules, batch: Batch, attempts: Attempts, progress: Progress
    ) -> tuple[Answers, Instance]:
        """Raises AttemptFailed, BadAnswer, TooLarge and ServiceFunctionFailed."""
        by = turn.instance
        if by is None:
            raise AttemptFailed("no instance of the service is ready")
        if self._races is not None and not attempts.failed:
            return await self._first_of(self._races, turn, rules, batch, progress)
        reply = await self._post(turn, rules, batch)
        answers = await self._taken(by, rules, batch, reply)
        if attempts.failed:  # which is told with whatever is wrong with the answer
            answers = _looked_at(answers, rules)
        return answers, by

    async def _post(self, turn: Turn, rules: Rules, batch: Batch) -> Reply:
        """What the turn's instance says. Raises AttemptFailed and TooLarge."""
        assert turn.instance is not None
        window, before = self._lanes.window(turn)
        sent = self._loop.time()
        reply = await self._exchange("POST", turn.instance, batch)
        now = self._loop.time()
        if routing.is_overload(reply.status):
            window.refused(sent, now)
        elif reply.status == 200:
            _, after = self._lanes.window(turn)
            window.answered(batch.rows, before, after, sent, now)
        return reply

    async def _taken(
        self, instance: Instance, rules: Rules, batch: Batch, reply: Reply
    ) -> Answers:
        """The answers, asked for until they are there. Raises as an attempt may: it failed, or is bad."""
        polls: Iterator[float] | None = None
        while (found := self._judge(reply, rules, batch)) is Verdict.POLL:
            http = self._settings.http
            polls = polls or backoff(self._rng, http.poll_base, http.poll_cap)
            reply = await self._poll(instance, rules, batch, polls)
        assert found is Verdict.DONE
        return _read(reply, rules, batch)

    async def _first_of(
        self, races: Races, turn: Turn, rules: Rules, batch: Batch, progress: Progress
    ) -> tuple[Answers, Instance]:
        """Of the turn's instance, or of another one that is asked as well where it takes long."""
        assert turn.instance is not None

        def on_hedge() -> None:
            progress.hedges += 1
            rules.counts.hedges.inc()

        first = partial(self._judged, rules, batch)
        hedge = partial(self._hedge, rules, batch)
        found = await races.run(turn, first, hedge, on_hedge)
        if isinstance(found, Won):
            rules.counts.hedges_won.inc()
            return found.answers, found.instance
        answers = await self._taken(turn.instance, rules, batch, found)
        return answers, turn.instance

    async def _judged(self, rules: Rules, batch: Batch, turn: Turn) -> Reply:
        reply = await self._post(turn, rules, batch)
        self._judge(reply, rules, batch)
        return reply

    async def _hedge(self, rules: Rules, batch: Batch, turn: Turn) -> Won | None:
        """None where the answer is not good, or to be asked for later: the first attempt has to do then."""
        assert turn.instance is not None
        try:
            reply = await self._judged(rules, batch, turn)
            good = reply.status == 200
            answers = _looked_at(_read(reply, rules, batch), rules) if good else None
        except (AttemptFailed, BadAnswer, TooLarge, ServiceFunctionFailed):
            return None
        return None if answers is None else Won(answers, turn.instance)

    async def _poll(
        self,
        instance: Instance,
        rules: Rules,
        batch: Batch,
        pauses: Iterator[float],
    ) -> Reply:
        """GET with the same batch id, of the instance that took the batch."""
        failures = 0
        while True:
            await self._clock.sleep(next(pauses))
            if instance not in self._targets.ready(rules.aim):
                raise AttemptFailed("the instance that worked on the batch is gone")
            try:
                reply = await self._exchange("GET", instance, batch)
            except AttemptFailed:
                if failures >= rules.max_retries:
                    raise
            else:
                passes = routing.verdict(reply.status) is Verdict.RETRY
                if not passes or failures >= rules.max_retries:
                    return reply
            failures += 1

    def _judge(self, reply: Reply, rules: Rules, batch: Batch) -> Verdict:
        found = routing.verdict(reply.status)
        if found in (Verdict.DONE, Verdict.POLL):
            return found
        shown = reply.body[:_SHOWN].decode(errors="replace")
        reason = f"remote service error: {reply.status} '{shown}'"
        if found is Verdict.RETRY:
            raise AttemptFailed(reason)
        raise failed(rules, batch, reason, 0)

    async def _exchange(self, method: str, instance: Instance, batch: Batch) -> Reply:
        """Raises AttemptFailed where the connection did not carry a whole answer; TooLarge."""
        body = batch.body if method == "POST" else b""
        head = batch.head.of(method, instance, batch.id, len(body))
        try:
            return await self._http.exchange(instance.address, instance.port, head, body)
        except ConnectionFailed as error:
            raise AttemptFailed(f"the connection to the service failed ({error})") from error

    def _note_time(
        self, rules: Rules, batch: Batch, instance: Instance, began: float, failures: int
    ) -> None:
        seconds = self._loop.time() - began
        rules.counts.answered(batch.rows, seconds)
        if seconds >= self._settings.slow_batch:
            log.warning(
                "batch_was_slow",
                function=rules.shown,
                batch=batch.id,
                rows=batch.rows,
                instance=instance.name,
                seconds=round(seconds, 3),
                failed_attempts=failures,
            )


def _null_or_raise(
    rules: Rules, batch_id: str, rows: int, error: ServiceFunctionFailed
) -> pa.Array:
    rules.counts.failed.inc()
    if not rules.return_null:
        raise error
    reason = error.message[:_SHOWN]
    log.warning("batch_answered_null", function=rules.shown, batch=batch_id, reason=reason)
    return nulls(rows)


def _read(reply: Reply, rules: Rules, batch: Batch) -> Answers:
    """Raises BadAnswer where that is known at once; see `PlainTexts`."""
    check_md5(reply.md5, reply.body)
    if reply.encoding:
        check_encoding(reply.encoding)
    return decode(reply.body, batch.rows, rules.returns)


def _looked_at(answers: Answers, rules: Rules) -> pa.Array:
    """Raises BadAnswer."""
    if isinstance(answers, PlainTexts):
        return decode_closely(answers.body, answers.rows, rules.returns)
    return answers


def failed(rules: Rules, batch: Batch, reason: str, retries: int) -> ServiceFunctionFailed:
    return ServiceFunctionFailed(
        rules.name, reason, batch_id=batch.id, rows=batch.rows, retries=max(0, retries)
    )
