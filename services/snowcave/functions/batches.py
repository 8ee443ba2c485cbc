"""One batch from its body to its answers: POST, retries on other instances, polling, checks."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import pyarrow as pa
import structlog

from snowcave.functions import routing, wire
from snowcave.functions.routing import Instance, Verdict
from snowcave.functions.settings import FunctionsSettings
from snowcave.functions.targets import Rules, Targets
from snowcave.kit.clock import Clock, backoff
from snowcave.model.errors import ServiceFunctionFailed

log = structlog.get_logger()

_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent. The id is the same for every attempt."""

    id: str
    rows: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    md5: str | None


class AttemptFailed(Exception):
    """An attempt that may be made again: the connection broke, or the service was overloaded."""


class TooLarge(Exception):
    """The answer is over the limit."""


@dataclass(slots=True)
class Progress:
    rows: int = 0
    batches: int = 0
    retries: int = 0


@dataclass(slots=True)
class Attempts:
    """A batch under way: what has failed so far, and where."""

    failed: int = 0
    avoid: set[str] = field(default_factory=set[str])
    reason: str = ""

    def note(self, instance: Instance | None, reason: str) -> None:
        self.failed += 1
        self.reason = reason
        if instance is not None:
            self.avoid.add(instance.name)


class BatchRunner:
    """Shared by all calls, so that the load of each instance is known."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        targets: Targets,
        settings: FunctionsSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._http = http
        self._targets = targets
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self.load: Counter[str] = Counter()

    async def run(self, function: int, rules: Rules, batch: Batch, progress: Progress) -> pa.Array:
        """The batch's answers. Raises ServiceFunctionFailed, unless the function answers NULL then."""
        try:
            answers = await self._within_time(function, rules, batch, progress)
        except ServiceFunctionFailed as error:
            if not rules.return_null:
                raise
            log.warning("batch_answered_null", batch=batch.id, reason=error.message[:_SHOWN])
            answers = wire.nulls(batch.rows)
        progress.rows += batch.rows
        progress.batches += 1
        return answers

    async def _within_time(
        self, function: int, rules: Rules, batch: Batch, progress: Progress
    ) -> pa.Array:
        attempts = Attempts()
        try:
            async with asyncio.timeout(rules.timeout):
                return await self._attempt_until_done(function, rules, batch, attempts, progress)
        except TimeoutError as error:
            reason = f"no answer within BATCH_TIMEOUT_SECS = {rules.timeout:g}"
            if attempts.reason:
                reason += f" (last failure: {attempts.reason})"
            raise failed(rules, batch, reason, attempts.failed) from error

    async def _attempt_until_done(
        self,
        function: int,
        rules: Rules,
        batch: Batch,
        attempts: Attempts,
        progress: Progress,
    ) -> pa.Array:
        http = self._settings.http
        pauses = backoff(self._rng, http.backoff_base, http.backoff_cap)
        while True:
            ready = self._targets.ready(function)
            instance = routing.choose(ready, self.load, attempts.avoid, self._rng)
            try:
                if instance is None:
                    raise AttemptFailed("no instance of the service is ready")
                return await self._on(instance, function, rules, batch)
            except AttemptFailed as error:
                attempts.note(instance, str(error))
            except (wire.BadAnswer, TooLarge) as error:
                raise failed(rules, batch, str(error), attempts.failed) from error
            if not routing.may_retry(attempts.failed, rules.max_retries):
                raise failed(rules, batch, attempts.reason, attempts.failed - 1)
            progress.retries += 1
            await self._clock.sleep(next(pauses))

    async def _on(self, instance: Instance, function: int, rules: Rules, batch: Batch) -> pa.Array:
        """One instance's answers. Raises AttemptFailed, BadAnswer, TooLarge or ServiceFunctionFailed."""
        self.load[instance.name] += 1
        try:
            reply = await self._exchange("POST", instance, rules, batch)
            polls = backoff(self._rng, self._settings.http.poll_base, self._settings.http.poll_cap)
            while (found := self._judge(reply, rules, batch)) is Verdict.POLL:
                reply = await self._poll(instance, function, rules, batch, polls)
            assert found is Verdict.DONE
            wire.check_md5(reply.md5, reply.body)
            return wire.decode(reply.body, batch.rows, rules.returns)
        finally:
            self.load[instance.name] -= 1
            if not self.load[instance.name]:
                del self.load[instance.name]

    async def _poll(
        self,
        instance: Instance,
        function: int,
        rules: Rules,
        batch: Batch,
        pauses: Iterator[float],
    ) -> Reply:
        """GET with the same batch id, of the instance that took the batch."""
        failures = 0
        while True:
            await self._clock.sleep(next(pauses))
            if instance not in self._targets.ready(function):
                raise AttemptFailed("the instance that worked on the batch is gone")
            try:
                reply = await self._exchange("GET", instance, rules, batch)
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

    async def _exchange(
        self, method: str, instance: Instance, rules: Rules, batch: Batch
    ) -> Reply:
        """Raises AttemptFailed where the connection did not carry a whole answer; TooLarge."""
        url = f"http://{instance.address}:{instance.port}{rules.path}"
        body = batch.body if method == "POST" else None
        try:
            async with self._http.request(
                method, url, data=body, headers=batch.headers, allow_redirects=False
            ) as response:
                content = await self._read(response)
                return Reply(response.status, content, response.headers.get("Content-MD5"))
        except (aiohttp.ClientError, OSError) as error:
            # aiohttp's own timeouts are ServerTimeoutError, a ClientError; the batch's is not caught here.
            raise AttemptFailed(
                f"the connection to the service failed ({_told(error)})"
            ) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.batch.response_bytes
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_chunked(1 << 18):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the response is larger than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)


def failed(rules: Rules, batch: Batch, reason: str, retries: int) -> ServiceFunctionFailed:
    return ServiceFunctionFailed(
        rules.name, reason, batch_id=batch.id, rows=batch.rows, retries=max(0, retries)
    )


def _told(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
