"""A store whose reads and writes go together: for a daemon that does many small ones at once.

Each read, and each transaction, keeps the promise that it has alone. Reads that are asked for while one is
under way go in one request. So do transactions on different keys: they happen in one revision where all of
their compares hold, and each by itself where one does not, for then nothing of them was written.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from snowcave.kit.together import Ended, Together, together
from snowcave.model.errors import Kind, SnowcaveError, Unavailable
from snowcave.model.keys import Role
from snowcave.store import guard
from snowcave.store.api import (
    Compare,
    Delete,
    KeyValue,
    LeaseId,
    Listing,
    Put,
    Revision,
    Store,
    StoreLease,
    TxnResult,
    WatchBatch,
    Write,
)

T = TypeVar("T")

# etcd takes no more than 128 operations in one transaction.
_OPERATIONS = 100
_READS = 60
# Keys of one read that may go with others.
_FEW = 2

# Errors that say that nothing was written: after any other one, nobody knows whether it was.
_REFUSALS = (Kind.INVALID, Kind.DENIED, Kind.CONFLICT, Kind.EXHAUSTED)

# GroupedStore has a method of that name.
Values = list[KeyValue | None]
# Bytes of values in one transaction; a single larger one goes alone.
_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class Transaction:
    compares: Sequence[Compare]
    writes: Sequence[Write]

    @property
    def written(self) -> set[str]:
        return {one.key for one in self.writes}

    @property
    def compared(self) -> set[str]:
        return {one.key for one in self.compares}

    @property
    def size(self) -> int:
        return sum(len(one.value) for one in self.writes if isinstance(one, Put))

    @property
    def is_alone(self) -> bool:
        """Whether it may touch keys that it does not name."""
        return any(isinstance(one, Delete) and one.prefix for one in self.writes)


def groups(wanted: Sequence[Transaction]) -> list[list[int]]:
    """Indexes of transactions that may go as one: none writes what another one writes or compares. Pure.

    Those that touch one key stay in their order.
    """
    found: list[list[int]] = []
    written: set[str] = set()
    compared: set[str] = set()
    operations = size = 0
    for index, one in enumerate(wanted):
        count = max(len(one.compares), len(one.writes))
        fits = operations + count <= _OPERATIONS and size + one.size <= _BYTES
        apart = one.written.isdisjoint(written | compared) and one.compared.isdisjoint(written)
        if not found or one.is_alone or not fits or not apart:
            found.append([])
            written, compared = set(), set()
            operations = size = 0
        found[-1].append(index)
        written |= one.written
        compared |= one.compared
        operations += count
        size += one.size
        if one.is_alone:
            operations = _OPERATIONS  # nothing joins it
    return found


class GroupedStore:
    """A Store. Made by `grouped`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._get: Together[Sequence[str], Values]
        self._txn: Together[Transaction, TxnResult | SnowcaveError]

    def use(
        self,
        get: Together[Sequence[str], Values],
        txn: Together[Transaction, TxnResult | SnowcaveError],
    ) -> None:
        self._get, self._txn = get, txn

    @property
    def role(self) -> Role:
        return self._store.role

    async def get(self, key: str) -> KeyValue | None:
        return (await self._told(self._get([key])))[0]

    async def get_many(self, keys: Sequence[str]) -> Values:
        if len(keys) > _FEW:
            return await self._store.get_many(keys)
        return await self._told(self._get(keys))

    async def list(self, prefix: str, *, keys_only: bool = False) -> Listing:
        return await self._store.list(prefix, keys_only=keys_only)

    async def txn(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        # Told now: one that may not be written must not take others with it.
        guard.demand(self.role, [write.key for write in writes])
        result = await self._told(self._txn(Transaction(compares, writes)))
        if isinstance(result, SnowcaveError):
            raise result
        return result

    async def put(self, key: str, value: bytes, *, lease: LeaseId = 0) -> Revision:
        return (await self.txn((), [Put(key, value, lease)])).revision

    async def delete(self, key: str) -> bool:
        return await self._store.delete(key)

    def watch(self, prefix: str, from_revision: Revision) -> AsyncIterator[WatchBatch]:
        return self._store.watch(prefix, from_revision)

    def lease(self, ttl: float) -> AbstractAsyncContextManager[StoreLease]:
        return self._store.lease(ttl)

    async def _told(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except Ended as error:
            raise Unavailable("The state store was left.") from error

    async def read_all(self, wanted: Sequence[Sequence[str]]) -> Sequence[Values]:
        keys = [key for some in wanted for key in some]
        if len(keys) == 1:
            return [[await self._store.get(keys[0])]]
        found = iter(await self._store.get_many(keys))
        return [[next(found) for _ in some] for some in wanted]

    async def write_all(
        self, wanted: Sequence[Transaction]
    ) -> Sequence[TxnResult | SnowcaveError]:
        results: list[TxnResult | SnowcaveError] = []
        for group in groups(wanted):
            results += await self._write([wanted[index] for index in group])
        return results

    async def _write(self, group: Sequence[Transaction]) -> Sequence[TxnResult | SnowcaveError]:
        compares = list(dict.fromkeys(compare for one in group for compare in one.compares))
        writes = [write for one in group for write in one.writes]
        try:
            result = await self._store.txn(compares, writes)
        except SnowcaveError as error:
            # Said again, a transaction that was written after all would not find what it compares.
            if len(group) == 1 or error.kind not in _REFUSALS:
                return [error] * len(group)
        else:
            if result.succeeded or len(group) == 1:
                return [result] * len(group)
        return await asyncio.gather(*(self._alone(one) for one in group))

    async def _alone(self, one: Transaction) -> TxnResult | SnowcaveError:
        try:
            return await self._store.txn(one.compares, one.writes)
        except SnowcaveError as error:
            return error


@asynccontextmanager
async def grouped(store: Store) -> AsyncGenerator[GroupedStore]:
    made = GroupedStore(store)
    async with (
        together(made.read_all, most=_READS) as get,
        together(made.write_all, most=_OPERATIONS) as txn,
    ):
        made.use(get, txn)
        yield made
