"""The keys, their leases and the journal as one thing: what changes them, and who is told.

Every change is made in memory first, in one turn of the loop, and counts once the journal has it.
"""

import random
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from snowcave.kit.clock import Clock
from snowcave.statestore import journal as disk
from snowcave.statestore import operations, refusals
from snowcave.statestore.journal import Journal, open_journal
from snowcave.statestore.leases import Lease, Leases
from snowcave.statestore.mvcc import KeyRange, Keyspace
from snowcave.statestore.operations import Revision
from snowcave.statestore.settings import History, Limits
from snowcave.statestore.watches import Hub
from snowcave.store.etcdpb import rpc_pb2 as pb

log = structlog.get_logger()

# Revisions that the store forgets at a time when it does so by itself.
_TRIM = 500


class State:
    def __init__(
        self,
        keys: Keyspace,
        leases: Leases,
        journal: Journal,
        limits: Limits,
        clock: Clock,
        rng: random.Random,
        identity: tuple[int, int],
    ) -> None:
        self.keys = keys
        self.leases = leases
        self.limits = limits
        self.hub = Hub(keys, limits)
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._cluster, self.member = identity
        journal.on_commit = self._committed

    def _committed(self, head: int) -> None:
        before, self.keys.committed = self.keys.committed, head
        self.hub.publish(before, head)

    def header(self, revision: int = 0) -> pb.ResponseHeader:
        return pb.ResponseHeader(
            cluster_id=self._cluster,
            member_id=self.member,
            revision=revision or self.keys.committed,
            raft_term=1,
        )

    @property
    def file_size(self) -> int:
        return self._journal.size

    # ------------------------------------------------------------ keys

    def read(self, request: pb.RangeRequest) -> pb.RangeResponse:
        """What is committed: linearizable, for nobody has been told of anything newer."""
        revision = self.keys.committed
        answer = operations.read(self.keys, request, revision)
        answer.header.CopyFrom(self.header(revision))
        return answer

    async def put(self, request: pb.PutRequest) -> pb.PutResponse:
        self._demand_room(len(request.value))
        operations.check_put(self.keys, self.leases, request)
        revision = Revision(self.keys, self.leases)
        answer = operations.put(revision, request)
        await self._write(revision)
        answer.header.CopyFrom(self.header(revision.number))
        return answer

    async def delete(self, request: pb.DeleteRangeRequest) -> pb.DeleteRangeResponse:
        operations.range_of(request)
        revision = Revision(self.keys, self.leases)
        answer = operations.delete(revision, request)
        await self._write(revision)
        answer.header.CopyFrom(self.header(self._number(revision)))
        return answer

    async def txn(self, request: pb.TxnRequest) -> pb.TxnResponse:
        """The request's form has been checked."""
        if not request.compare and all(s.HasField("request_range") for s in request.success):
            return self._read_all(request)
        succeeded = all(operations.holds(self.keys, compare) for compare in request.compare)
        branch = request.success if succeeded else request.failure
        operations.check_branch(self.keys, self.leases, branch)
        if any(step.HasField("request_put") for step in branch):
            self._demand_room(request.ByteSize())
        revision = Revision(self.keys, self.leases)
        responses = operations.run(self.keys, revision, branch)
        number = revision.number if revision.versions else self.keys.head
        await self._write(revision)
        return pb.TxnResponse(header=self.header(number), succeeded=succeeded, responses=responses)

    def _read_all(self, request: pb.TxnRequest) -> pb.TxnResponse:
        """Nothing is written and nothing compared: what is committed answers, as it does a read."""
        revision = self.keys.committed
        reads = [operations.read(self.keys, s.request_range, revision) for s in request.success]
        return pb.TxnResponse(
            header=self.header(revision),
            succeeded=True,
            responses=[pb.ResponseOp(response_range=read) for read in reads],
        )

    async def compact(self, revision: int) -> None:
        """Raises Refusal where it is in the future or has been compacted before."""
        if revision > self.keys.head:
            raise refusals.future()
        if revision <= self.keys.compacted:
            raise refusals.compacted()
        while revision > self.keys.committed:
            await self._journal.append(self.keys.head)
        forgotten = self.keys.compact(revision)
        log.debug("history_compacted", revision=revision, forgotten=len(forgotten))
        await self._journal.append(self.keys.head, statements=disk.forget(forgotten, revision))

    def _number(self, revision: Revision) -> int:
        return revision.number if revision.versions else self.keys.committed

    def _demand_room(self, size: int) -> None:
        if self.keys.size + size > self.limits.database:
            raise refusals.full()

    async def _write(self, revision: Revision, statements: Sequence[disk.Statement] = ()) -> None:
        """Even a change of nothing waits for what it has seen to be on disk."""
        versions = revision.close()
        if versions or statements or not self._journal.idle:
            await self._journal.append(self.keys.head, versions, statements)

    # ------------------------------------------------------------ leases

    async def grant(self, request: pb.LeaseGrantRequest, owner: str) -> Lease:
        if len(self.leases) >= self.limits.leases:
            raise refusals.too_many("leases")
        if self.limits.longest_ttl < request.TTL:
            raise refusals.invalid("too large lease TTL")
        if self.leases.get(request.ID):
            raise refusals.lease_exists()
        ttl = max(request.TTL, self.limits.shortest_ttl)
        lease_id = request.ID or self._rng.randrange(1, 1 << 63)
        lease = self.leases.grant(lease_id, ttl, self._clock.monotonic(), owner)
        await self._journal.append(self.keys.head, statements=[disk.grant(lease_id, ttl, owner)])
        return lease

    def renew(self, lease_id: int) -> int:
        """Its life in seconds, 0 where it is gone."""
        return self.leases.renew(lease_id, self._clock.monotonic())

    def remaining(self, lease: Lease) -> int:
        return max(0, int(lease.expires - self._clock.monotonic()))

    async def revoke(self, lease: Lease) -> None:
        """The lease and all its keys go in one revision."""
        revision = Revision(self.keys, self.leases)
        for key in sorted(lease.keys):
            revision.delete(KeyRange(key))
        self.leases.drop(lease.id)
        await self._write(revision, [disk.drop(lease.id)])

    async def expire_leases(self, every: float) -> None:
        """Endless. Time in which the store itself did not run counts against no lease."""
        last = self._clock.monotonic()
        while True:
            await self._clock.sleep(every)
            now = self._clock.monotonic()
            if now - last > 4 * every:
                self.leases.excuse(now - last - every)
            last = now
            for lease in self.leases.due(now):
                log.info("lease_expired", lease=lease.id, keys=len(lease.keys), owner=lease.owner)
                await self.revoke(lease)

    # ------------------------------------------------------------ history

    async def trim_history(self, history: History) -> None:
        """Endless: forgets what is older, more or larger than the settings allow."""
        seen: deque[tuple[float, int]] = deque()
        while True:
            await self._clock.sleep(history.every)
            now = self._clock.monotonic()
            seen.append((now, self.keys.committed))
            aged = 0
            while seen and seen[0][0] < now - history.age:
                aged = seen.popleft()[1]
            target = max(aged, self._overfull(history))
            # In small steps: everybody else's writes go on between them.
            while self.keys.compacted < target:
                await self.compact(min(target, max(self.keys.compacted, 1) + _TRIM))

    def _overfull(self, history: History) -> int:
        """The revision up to which history has to go for its number and size, at most the committed one."""
        count, size = self.keys.history
        if count <= history.revisions and size <= history.size:
            return 0
        revision = self.keys.compacted
        while revision < self.keys.committed and (
            count > history.revisions // 2 or size > history.size // 2
        ):
            revision += 1
            count -= 1
            size -= self.keys.size_of(revision)
        return revision


@asynccontextmanager
async def open_state_file(
    folder: Path,
    limits: Limits,
    clock: Clock,
    rng: random.Random,
) -> AsyncGenerator[tuple[State, Journal]]:
    """The state as it was, every lease with its full life again."""
    async with open_journal(folder, seed=rng.getrandbits(62) | 2) as (journal, loaded):
        keys, leases = Keyspace(), Leases()
        keys.restore(loaded.compacted, loaded.versions)
        for lease_id, ttl, owner in loaded.leases:
            leases.grant(lease_id, ttl, clock.monotonic(), owner)
        for item in keys.scan(KeyRange(b"\0", b"\0"), keys.head):
            leases.attach(item.key, item.lease)
        log.info("state_opened", revision=keys.head, leases=len(leases), bytes=keys.size)
        identity = (loaded.cluster, loaded.member)
        yield State(keys, leases, journal, limits, clock, rng, identity), journal
