"""One watch: a stream to the store that is made anew whenever it breaks, without loss or doubling."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import structlog

from snowcave.kit.clock import backoff
from snowcave.store import wire
from snowcave.store.api import Change, CompactedError, Revision, WatchBatch
from snowcave.store.etcdpb import rpc_pb2 as pb
from snowcave.store.settings import StoreSettings

log = structlog.get_logger()


@dataclass
class Watch:
    """`run` is endless. `cluster` is the store that the first revision is of (0: not known)."""

    stub: Any
    prefix: str
    revision: Revision
    cluster: int
    settings: StoreSettings
    rng: random.Random

    async def run(self) -> AsyncGenerator[WatchBatch]:
        """Raises CompactedError where `revision` is gone, or the store is another one than it was."""
        delays = self._delays()
        while True:
            try:
                async with aclosing(self._session()) as batches:
                    async for batch in batches:
                        delays = self._delays()
                        yield batch
            except (grpc.aio.AioRpcError, TimeoutError, asyncio.InvalidStateError) as error:
                log.debug("watch_broken", prefix=self.prefix, error=_text(error))
            await asyncio.sleep(next(delays))

    def _delays(self) -> Any:
        return backoff(self.rng, self.settings.backoff_base, self.settings.backoff_cap)

    async def _session(self) -> AsyncGenerator[WatchBatch]:
        call = self.stub.Watch(wait_for_ready=True)
        fragments: list[Change] = []
        try:
            await self._write(call, self._creation())
            async with aclosing(self._responses(call)) as responses:
                async for response in responses:
                    self._examine(response)
                    if response.canceled:
                        log.info("watch_cut", prefix=self.prefix, reason=response.cancel_reason)
                        return
                    fragments.extend(wire.change(event) for event in response.events)
                    if response.fragment:
                        continue
                    yield self._batch(fragments)
                    fragments = []
        finally:
            call.cancel()

    def _creation(self) -> pb.WatchRequest:
        key, end = wire.prefix_range(self.prefix)
        return pb.WatchRequest(
            create_request=pb.WatchCreateRequest(
                key=key, range_end=end, start_revision=self.revision, fragment=True
            )
        )

    def _examine(self, response: pb.WatchResponse) -> None:
        if response.compact_revision:
            raise CompactedError(response.compact_revision)
        if response.created:
            if self.cluster and response.header.cluster_id != self.cluster:
                raise CompactedError(response.header.revision)
            if not self.revision:
                self.revision = response.header.revision + 1

    def _batch(self, changes: list[Change]) -> WatchBatch:
        """Empty where the store only said that it is there. Its revision then is the last delivered one:
        etcd before 3.4.25 may name a later one before it has sent all that came before.
        """
        fresh = tuple(change for change in changes if change.mod_revision >= self.revision)
        if fresh:
            self.revision = fresh[-1].mod_revision + 1
        return WatchBatch(self.revision - 1, fresh)

    async def _responses(self, call: Any) -> AsyncGenerator[pb.WatchResponse]:
        """Asks for a sign of life where nothing comes; raises TimeoutError where none comes either."""
        reading: asyncio.Future[Any] = asyncio.ensure_future(call.read())
        silent = 0.0
        try:
            while True:
                done, _ = await asyncio.wait([reading], timeout=self.settings.progress)
                if not done:
                    silent += self.settings.progress
                    if silent >= self.settings.silence:
                        raise TimeoutError(f"no word for {silent} s")
                    progress = pb.WatchRequest(progress_request=pb.WatchProgressRequest())
                    await self._write(call, progress)
                    continue
                response, silent = reading.result(), 0.0
                if response is wire.END:
                    return
                yield response
                reading = asyncio.ensure_future(call.read())
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _write(self, call: Any, request: pb.WatchRequest) -> None:
        async with asyncio.timeout(self.settings.silence):
            await call.write(request)


def _text(error: Exception) -> str:
    return error.details() or "" if isinstance(error, grpc.aio.AioRpcError) else str(error)
