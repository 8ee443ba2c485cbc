"""The Watch service: one stream, many watches.

One task reads what the client asks, one sends; between them a bounded queue of answers and, in the hub,
the bounded changes of each watch.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc
import grpc.aio
import structlog

from snowcave.statestore import refusals
from snowcave.statestore.access import Access
from snowcave.statestore.mvcc import KeyRange
from snowcave.statestore.refusals import Refusal
from snowcave.statestore.state import State
from snowcave.statestore.watches import SLOW, Watcher, responses
from snowcave.store.etcdpb import rpc_pb2 as pb

log = structlog.get_logger()

# What etcd calls a watch that a message is not about.
_NO_WATCH = -1
# Answers to the client's own requests that may wait.
_ANSWERS = 64
# About how large a message of events gets.
_MESSAGE = 1 << 20


def _ended(reason: str) -> Refusal:
    """The stream cannot be sent to any more."""
    return Refusal(grpc.StatusCode.UNAVAILABLE, reason)


class WatchService:
    """`progress`: seconds between the progress messages that a watch may ask for."""

    def __init__(self, state: State, access: Access, progress: float) -> None:
        self._state = state
        self._access = access
        self._progress = progress

    async def Watch(self, requests: AsyncIterator[pb.WatchRequest], context: Any) -> None:  # noqa: N802
        stream = _Stream(self._state, context, self._progress)
        failure: Refusal | None = None
        try:
            self._access.role(context)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(stream.send())
                async for request in requests:
                    await stream.handle(request)
                sending.cancel()
        except* Refusal as refused:
            failure = _first(refused)
        finally:
            stream.close()
        if failure is not None:
            log.info("watch_stream_ended", peer=context.peer(), reason=failure.text)
            await context.abort(failure.status, failure.text)


def _first(group: BaseExceptionGroup[Refusal]) -> Refusal:
    error = group.exceptions[0]
    return error if isinstance(error, Refusal) else _first(error)


class _Stream:
    def __init__(self, state: State, context: Any, progress: float) -> None:
        self._state = state
        self._context = context
        self._progress = progress
        self._watchers: dict[int, Watcher] = {}
        self._next_id = 0
        # Watches that have something to send, in the order it came.
        self._news: dict[int, None] = {}
        # None: the client asks how far it has been told.
        self._answers: asyncio.Queue[pb.WatchResponse | None] = asyncio.Queue(_ANSWERS)
        self._wake = asyncio.Event()

    def close(self) -> None:
        for watcher in self._watchers.values():
            self._state.hub.leave(watcher)
        self._watchers.clear()

    # ------------------------------------------------------------ what the client asks

    async def handle(self, request: pb.WatchRequest) -> None:
        if request is refusals.UNREADABLE:
            raise refusals.unreadable()
        match request.WhichOneof("request_union"):
            case "create_request":
                answer = self._create(request.create_request)
            case "cancel_request":
                answer = self._cancel(request.cancel_request.watch_id)
            case _:
                answer = None
        await self._answers.put(answer)
        self._wake.set()

    def _create(self, request: pb.WatchCreateRequest) -> pb.WatchResponse:
        if len(self._watchers) >= self._state.limits.watches:
            return self._refused("too many watches on one stream")
        if request.watch_id in self._watchers and request.watch_id:
            return self._refused("duplicate watch ID provided on the stream")
        number = request.watch_id or self._free_id()
        committed = self._state.keys.committed
        watcher = self._watchers[number] = Watcher(
            id=number,
            within=KeyRange(request.key or b"\0", request.range_end),
            revision=request.start_revision if request.start_revision > 0 else committed + 1,
            wake=partial(self._notify, number),
            # The filters NOPUT and NODELETE have the numbers of the event types they leave out.
            without=frozenset(request.filters),
            prev_kv=request.prev_kv,
            fragment=request.fragment,
            progress=request.progress_notify,
        )
        if watcher.revision > committed:
            self._state.hub.join(watcher)
        else:
            self._notify(number)
        return pb.WatchResponse(header=self._state.header(), watch_id=number, created=True)

    def _refused(self, reason: str) -> pb.WatchResponse:
        return pb.WatchResponse(
            header=self._state.header(),
            watch_id=_NO_WATCH,
            created=True,
            canceled=True,
            cancel_reason=reason,
        )

    def _free_id(self) -> int:
        while self._next_id in self._watchers:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def _cancel(self, number: int) -> pb.WatchResponse:
        self._remove(number)
        return pb.WatchResponse(header=self._state.header(), watch_id=number, canceled=True)

    def _remove(self, number: int) -> None:
        if watcher := self._watchers.pop(number, None):
            self._state.hub.leave(watcher)

    def _notify(self, number: int) -> None:
        self._news[number] = None
        self._wake.set()

    # ------------------------------------------------------------ what it is sent

    async def send(self) -> None:
        """Endless; raises Refusal where the client does not take it."""
        while True:
            if not await self._woken():
                await self._tell_progress()
            self._wake.clear()
            # Answers first: a watch is announced before its first event.
            while not self._answers.empty():
                await self._answer(self._answers.get_nowait())
            await self._tell_news()

    async def _woken(self) -> bool:
        try:
            async with asyncio.timeout(self._progress):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def _answer(self, answer: pb.WatchResponse | None) -> None:
        if answer is None:
            # With no news left, every change that is committed has been sent.
            await self._tell_news()
            answer = pb.WatchResponse(header=self._state.header(), watch_id=_NO_WATCH)
        await self._write(answer)

    async def _tell_progress(self) -> None:
        for watcher in [w for w in self._watchers.values() if w.progress and w.live]:
            await self._tell_news()
            await self._write(pb.WatchResponse(header=self._state.header(), watch_id=watcher.id))

    async def _tell_news(self) -> None:
        while self._news:
            number = next(iter(self._news))
            del self._news[number]
            if watcher := self._watchers.get(number):
                await self._tell(watcher)

    async def _tell(self, watcher: Watcher) -> None:
        hub = self._state.hub
        if watcher.cut or hub.lost(watcher):
            await self._end(watcher)
            return
        events = hub.take(watcher)
        if not watcher.live:
            self._notify(watcher.id)
        for response in responses(self._state.header(), watcher, events, _MESSAGE):
            await self._write(response)

    async def _end(self, watcher: Watcher) -> None:
        self._remove(watcher.id)
        response = pb.WatchResponse(
            header=self._state.header(), watch_id=watcher.id, canceled=True
        )
        if watcher.cut:
            log.info("watch_cut", key=watcher.within.key, reason=SLOW)
            response.cancel_reason = SLOW
        else:
            response.compact_revision = self._state.keys.compacted
            response.cancel_reason = "etcdserver: mvcc: required revision has been compacted"
        await self._write(response)

    async def _write(self, response: pb.WatchResponse) -> None:
        try:
            async with asyncio.timeout(self._state.limits.stall):
                await self._context.write(response)
        except TimeoutError as error:
            raise _ended("the client does not read") from error
        except (grpc.aio.InternalError, grpc.aio.UsageError) as error:
            raise _ended("the client has gone") from error
