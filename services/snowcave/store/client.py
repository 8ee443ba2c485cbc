"""The client of the state store: etcd v3 over gRPC, for the embedded store and a real etcd alike.

Reads are retried until their deadline. A write is sent at most once: gRPC holds it back until there is
a connection and sends it again only where the store has certainly not seen it, so an Unavailable from a
write means that it may or may not have happened.
"""

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from snowcave.kit.clock import Clock, LoopClock, backoff
from snowcave.model.errors import Exhausted, Unavailable
from snowcave.model.keys import Role
from snowcave.store import guard, wire
from snowcave.store.api import (
    CompactedError,
    Compare,
    Delete,
    KeyValue,
    LeaseId,
    Listing,
    Revision,
    TxnResult,
    WatchBatch,
    Write,
)
from snowcave.store.etcdpb import rpc_pb2 as pb
from snowcave.store.etcdpb import rpc_pb2_grpc
from snowcave.store.lease import KeptLease, kept
from snowcave.store.settings import StoreSettings
from snowcave.store.watch import Watch

Call = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def open_store(
    address: str,
    role: Role,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    target_name: str = "",
    settings: StoreSettings = StoreSettings(),  # noqa: B008  # frozen
    clock: Clock = LoopClock(),  # noqa: B008  # stateless
    rng: random.Random | None = None,
) -> AsyncGenerator["EtcdStore"]:
    """Entered once the store has answered. Raises Unavailable where it does not within `settings.connect`.

    `credentials` None: no TLS. `target_name`: the name that the store's certificate must bear.
    """
    options = _options(settings, target_name)
    if credentials is None:
        channel = grpc.aio.insecure_channel(address, options=options)
    else:
        channel = grpc.aio.secure_channel(address, credentials, options=options)
    async with channel:
        store = EtcdStore(channel, address, role, settings, clock, rng or random.Random())
        await store.hear()
        yield store


def _options(settings: StoreSettings, target_name: str) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", settings.max_message),
        ("grpc.max_send_message_length", settings.max_message),
        # A store that vanished without a word is noticed; etcd allows a ping every five seconds
        # and only beside calls.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # How long an attempt may take at least: a starved store's handshake has to fit in.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        # Two stores of one process may bear different certificates.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if target_name:
        options.append(("grpc.ssl_target_name_override", target_name))
    return options


class EtcdStore:
    """A Store. One channel, shared by all calls, watches and leases."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        address: str,
        role: Role,
        settings: StoreSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._role = role
        self._address = address
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._cluster = 0
        self._kv: Any = rpc_pb2_grpc.KVStub(channel)
        self._leases: Any = rpc_pb2_grpc.LeaseStub(channel)
        self._watches: Any = rpc_pb2_grpc.WatchStub(channel)

    @property
    def role(self) -> Role:
        return self._role

    async def hear(self) -> None:
        """Wait for the store's first answer."""
        request = pb.RangeRequest(key=b"\0", keys_only=True)
        await self._read(self._kv.Range, request, within=self._settings.connect)

    async def get(self, key: str) -> KeyValue | None:
        answer = await self._read(self._kv.Range, pb.RangeRequest(key=key.encode()))
        return wire.key_value(answer.kvs[0]) if answer.kvs else None

    async def get_many(self, keys: Sequence[str]) -> list[KeyValue | None]:
        answer = await self._read(self._kv.Txn, wire.reading(keys))
        found = [one.response_range.kvs for one in answer.responses]
        return [wire.key_value(kvs[0]) if kvs else None for kvs in found]

    async def list(self, prefix: str, *, keys_only: bool = False) -> Listing:
        page = self._settings.page
        while True:
            try:
                return await self._list(prefix, keys_only, page)
            except CompactedError:
                continue  # between two pages; the next attempt begins at a newer revision
            except Exhausted:
                if page == 1:
                    raise
                page = max(1, page // 8)  # the values are so large that an answer is too

    async def _list(self, prefix: str, keys_only: bool, limit: int) -> Listing:
        start, end = wire.prefix_range(prefix)
        revision = 0
        items: list[KeyValue] = []
        while True:
            page = await self._read(
                self._kv.Range,
                pb.RangeRequest(
                    key=start,
                    range_end=end,
                    limit=limit,
                    revision=revision,
                    keys_only=keys_only,
                ),
            )
            revision = revision or page.header.revision
            items.extend(wire.key_value(message) for message in page.kvs)
            if not page.more:
                return Listing(revision, tuple(items))
            start = page.kvs[-1].key + b"\0"

    async def txn(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        guard.demand(self._role, [write.key for write in writes])
        answer = await self._write(self._kv.Txn, wire.transaction(compares, writes))
        return TxnResult(answer.succeeded, answer.header.revision)

    async def put(self, key: str, value: bytes, *, lease: LeaseId = 0) -> Revision:
        guard.demand(self._role, [key])
        request = pb.PutRequest(key=key.encode(), value=value, lease=lease)
        answer = await self._write(self._kv.Put, request)
        return answer.header.revision

    async def delete(self, key: str) -> bool:
        guard.demand(self._role, [key])
        answer = await self._write(self._kv.DeleteRange, wire.deletion(Delete(key)))
        return answer.deleted > 0

    def watch(self, prefix: str, from_revision: Revision) -> AsyncGenerator[WatchBatch]:
        watch = Watch(
            self._watches, prefix, from_revision, self._cluster, self._settings, self._rng
        )
        return watch.run()

    @asynccontextmanager
    async def lease(self, ttl: float) -> AsyncGenerator[KeptLease]:
        sent = self._clock.monotonic()
        # A grant whose answer was lost runs out by itself, so it may be asked for again.
        request = pb.LeaseGrantRequest(TTL=max(1, math.ceil(ttl)))
        granted = await self._read(self._leases.LeaseGrant, request)
        lease = KeptLease(granted.ID, granted.TTL, sent, self._clock)
        async with kept(lease, self._refresh, self._revoke, patience=self._settings.deadline):
            yield lease

    async def _refresh(self, lease_id: LeaseId) -> float:
        call = self._leases.LeaseKeepAlive(timeout=self._settings.deadline, wait_for_ready=True)
        try:
            await call.write(pb.LeaseKeepAliveRequest(ID=lease_id))
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise wire.error_of(error, self._address) from error
        except asyncio.InvalidStateError as error:  # the call ended while it was written to
            raise Unavailable(f"The state store at {self._address} ended the call.") from error
        finally:
            call.cancel()
        if answer is wire.END:
            raise Unavailable(f"The state store at {self._address} ended the call.")
        return answer.TTL

    async def _revoke(self, lease_id: LeaseId) -> None:
        await self._write(self._leases.LeaseRevoke, pb.LeaseRevokeRequest(ID=lease_id))

    async def _write(self, call: Call, request: Any) -> Any:
        try:
            return await call(request, timeout=self._settings.deadline, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise wire.error_of(error, self._address) from error

    async def _read(self, call: Call, request: Any, *, within: float | None = None) -> Any:
        end = self._clock.monotonic() + (within or self._settings.deadline)
        delays = backoff(self._rng, self._settings.backoff_base, self._settings.backoff_cap)
        while True:
            left = max(0.0, end - self._clock.monotonic())
            try:
                answer = await call(request, timeout=left, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                if not wire.passing(error) or self._clock.monotonic() >= end:
                    raise wire.error_of(error, self._address) from error
            else:
                self._cluster = answer.header.cluster_id
                return answer
            await self._clock.sleep(min(next(delays), max(0.0, end - self._clock.monotonic())))
