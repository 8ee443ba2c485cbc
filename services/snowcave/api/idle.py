"""Puts to rest what nobody uses: services that nobody calls, pools without a service or job.

The scheduler asks; what it saw may be a moment old, so the store is looked at again, after the write too: a
service that was created in a pool at that very moment wakes it at once.
"""

from dataclasses import dataclass
from datetime import UTC

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import Conflict
from snowcave.store.api import Compare, KeyValue, Put, Store
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_TRIES = 10


@dataclass(frozen=True)
class Idle:
    store: Store
    clock: Clock

    async def suspend(self, uid: int, *, by_policy: bool = False) -> bool:
        """Whether it sleeps because of this. Raises Unavailable."""
        for domain in ("service", "compute_pool"):
            kept = await self.store.get(keys.CATALOG.key(domain, uid))
            if kept is not None:
                found = state.Object.FromString(kept.value)
                suspended = await self._suspend(kept, found, by_policy)
                if suspended:
                    log.info("object_suspended", uid=uid, domain=domain, name=found.name)
                return suspended
        return False

    async def _suspend(self, kept: KeyValue, found: state.Object, by_policy: bool) -> bool:
        is_pool = found.WhichOneof("body") == "compute_pool"
        body = found.compute_pool if is_pool else found.service
        if found.HasField("dropped_on") or body.suspended:
            return False
        if by_policy and not is_pool:
            wants = bool(found.service.spec.auto_scaling.suspend)
        else:
            wants = body.auto_suspend_secs > 0 and not await self._is_used(found)
        if not wants:
            return False
        now = self._now()
        body.suspended = True
        found.updated_on.CopyFrom(now)
        if not is_pool:
            found.service.suspended_on.CopyFrom(now)
        held = Compare(kept.key, mod_revision=kept.mod_revision)
        done = await self.store.txn([held], [Put(kept.key, found.SerializeToString())])
        if not done.succeeded:
            return False  # somebody changed it meanwhile: the scheduler looks at it anew
        if is_pool and await self._is_inhabited(found.uid):
            await self._wake(kept.key)
            return False
        return True

    async def _wake(self, key: str) -> None:
        """Whatever else is changed meanwhile: it is in use."""
        for _ in range(_TRIES):
            kept = await self.store.get(key)
            found = state.Object.FromString(kept.value) if kept else state.Object()
            if kept is None or not found.compute_pool.suspended:
                return
            found.compute_pool.suspended = False
            held = Compare(key, mod_revision=kept.mod_revision)
            if (await self.store.txn([held], [Put(key, found.SerializeToString())])).succeeded:
                return
        raise Conflict("The pool changed too often.")

    async def _is_used(self, found: state.Object) -> bool:
        if found.WhichOneof("body") == "compute_pool":
            return await self._is_inhabited(found.uid)
        return await self._is_called(found)

    async def _is_called(self, found: state.Object) -> bool:
        kept = await self.store.get(keys.SERVICE_USE.key(found.uid))
        if kept is None:
            return False
        called = state.ServiceUse.FromString(kept.value).called_on.ToDatetime(UTC)
        idle = self.clock.now() - called
        return idle.total_seconds() < found.service.auto_suspend_secs

    async def _is_inhabited(self, pool: int) -> bool:
        for kept in (await self.store.list(keys.CATALOG.under("service"))).items:
            found = state.Object.FromString(kept.value)
            service = found.service
            if service.compute_pool != pool or found.HasField("dropped_on") or service.suspended:
                continue
            if not (service.is_job and await self._has_ended(found.uid)):
                return True
        return False

    async def _has_ended(self, job: int) -> bool:
        kept = await self.store.get(keys.SERVICE_STATUS.key(job))
        return kept is not None and state.ServiceStatus.FromString(kept.value).HasField("ended_on")

    def _now(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self.clock.now())
        return stamp
