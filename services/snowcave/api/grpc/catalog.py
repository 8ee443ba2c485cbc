"""CatalogService: what the system's own parts ask of api, because api alone writes the catalog."""

from typing import Any

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.backups import Backups
from snowcave.api.grpc.callers import peer_host
from snowcave.api.idle import Idle
from snowcave.api.secrets.reading import SecretReader
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import Conflict, NotAuthorized, ObjectNotFound, ValueInvalid
from snowcave.model.keys import Role
from snowcave.runtime import grpc as rpc
from snowcave.store.api import Compare, Delete, KeyValue, Put, Store
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

CATALOG_SERVICE = "snowcave.v1.CatalogService"
# What can be suspended, and what runs until the scheduler has cleared it up.
_DOMAINS = ("service", "compute_pool")
_TRIES = 5
# Deletions in one transaction.
_BATCH = 64


def resume(found: state.Object, now: Timestamp) -> bool:
    """Clear `suspended` where the object wants to be woken by use. Whether that changed it."""
    match found.WhichOneof("body"):
        case "service":
            body = found.service
        case "compute_pool":
            body = found.compute_pool
        case _:
            return False
    if not body.suspended or not body.auto_resume:
        return False
    body.suspended = False
    body.resumed_on.CopyFrom(now)
    found.updated_on.CopyFrom(now)
    return True


class CatalogServicer(stubs.CatalogServiceServicer):
    def __init__(
        self,
        store: Store,
        tokens: ServiceTokens,
        secrets: SecretReader,
        backups: Backups,
        clock: Clock,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._secrets = secrets
        self._backups = backups
        self._clock = clock
        self._idle = Idle(store, clock)

    async def Resume(self, request: v1.ResumeRequest, context: Any) -> v1.ResumeReply:  # noqa: N802
        _not_for_agents(context)
        resumed = await self._resume(request.uid)
        if resumed:
            log.info("object_resumed", uid=request.uid)
        return v1.ResumeReply(resumed=resumed)

    async def Suspend(self, request: v1.SuspendRequest, context: Any) -> v1.SuspendReply:  # noqa: N802
        if rpc.caller(context) is not Role.SCHEDULER:
            raise NotAuthorized("catalog")
        suspended = await self._idle.suspend(request.uid, by_policy=request.by_policy)
        return v1.SuspendReply(suspended=suspended)

    async def _resume(self, uid: int) -> bool:
        for _ in range(_TRIES):
            kept, found = await self._find(uid)
            if found.HasField("dropped_on") or await self._is_buried(found):
                raise ObjectNotFound("Object", str(uid))
            if not resume(found, self._now()):
                return False
            held = Compare(kept.key, mod_revision=kept.mod_revision)
            put = Put(kept.key, found.SerializeToString())
            if (await self._store.txn([held], [put])).succeeded:
                # A service cannot run while its pool sleeps.
                if found.WhichOneof("body") == "service" and found.service.compute_pool:
                    await self._resume(found.service.compute_pool)
                return True
        raise Conflict("The object changed too often.")

    async def Forget(self, request: v1.ForgetRequest, context: Any) -> v1.ForgetReply:  # noqa: N802
        """Forgetting what is gone already is no error: the scheduler may ask twice."""
        _not_for_agents(context)
        for _ in range(_TRIES):
            try:
                kept, found = await self._find(request.uid)
            except ObjectNotFound:
                return v1.ForgetReply()
            if not found.HasField("dropped_on"):
                raise ValueInvalid(f"Object {request.uid} has not been dropped.")
            await self._revoke_all(request.uid)
            if found.WhichOneof("body") == "service":
                await self._backups.make(found)
            held = Compare(kept.key, mod_revision=kept.mod_revision)
            if (await self._store.txn([held], [Delete(kept.key)])).succeeded:
                log.info("object_forgotten", uid=request.uid)
                return v1.ForgetReply()
        raise Conflict("The object changed too often.")

    async def IssueServiceToken(  # noqa: N802
        self, request: v1.ServiceTokenRequest, context: Any
    ) -> v1.ServiceTokenReply:
        if rpc.caller(context) is not Role.AGENT:
            raise NotAuthorized("service tokens")
        where = peer_host(context.peer())
        token = await self._tokens.issue(request.node, request.instance, where)
        return v1.ServiceTokenReply(token=token, valid_for=self._tokens.life)

    async def ReadSecret(  # noqa: N802
        self, request: v1.ReadSecretRequest, context: Any
    ) -> v1.ReadSecretReply:
        if rpc.caller(context) is not Role.AGENT:
            raise NotAuthorized("secrets")
        where = peer_host(context.peer())
        return await self._secrets.read(request.node, request.instance, request.name, where)

    async def _revoke_all(self, uid: int) -> None:
        """Grants that were made while the object was being dropped; DROP has taken all others."""
        kept = await self._store.list(keys.GRANTS.prefix)
        about = [item.key for item in kept.items if _is_about(item, uid)]
        for start in range(0, len(about), _BATCH):
            await self._store.txn([], [Delete(key) for key in about[start : start + _BATCH]])

    async def _is_buried(self, found: state.Object) -> bool:
        """Whether its schema or database is dropped."""
        holder, domain = found, "schema"
        while holder.parent:
            kept = await self._store.get(keys.CATALOG.key(domain, holder.parent))
            if kept is None:
                return True
            holder, domain = state.Object.FromString(kept.value), "database"
            if holder.HasField("dropped_on"):
                return True
        return False

    async def _find(self, uid: int) -> tuple[KeyValue, state.Object]:
        for domain in _DOMAINS:
            kept = await self._store.get(keys.CATALOG.key(domain, uid))
            if kept is not None:
                return kept, state.Object.FromString(kept.value)
        raise ObjectNotFound("Object", str(uid))

    def _now(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self._clock.now())
        return stamp


def _not_for_agents(context: Any) -> None:
    """They run what users bring along: the less they may ask for, the better."""
    if rpc.caller(context) is Role.AGENT:
        raise NotAuthorized("catalog")


def _is_about(kept: KeyValue, uid: int) -> bool:
    grant = state.Grant.FromString(kept.value)
    return grant.securable == uid and grant.domain in (*_DOMAINS, "service_role")
