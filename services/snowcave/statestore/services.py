"""The gRPC services but Watch: each method checks who asks and what, and leaves the rest to the state."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import grpc

from snowcave.model.errors import SnowcaveError
from snowcave.statestore import access, operations, refusals
from snowcave.statestore.access import Access
from snowcave.statestore.refusals import Refusal
from snowcave.statestore.state import State
from snowcave.store.etcdpb import rpc_pb2 as pb

# What etcdctl shows as the server's version: the API that is spoken.
_API_VERSION = "3.4.0"

S = TypeVar("S")
Q = TypeVar("Q")
A = TypeVar("A")

Method = Callable[[S, Q, Any], Awaitable[A]]


def refusing(method: Method[S, Q, A]) -> Method[S, Q, A]:
    """A Refusal becomes the call's status."""

    @wraps(method)
    async def call(self: S, request: Q, context: Any) -> A:
        try:
            if request is refusals.UNREADABLE:
                raise refusals.unreadable()
            return await method(self, request, context)
        except Refusal as refusal:
            return await context.abort(refusal.status, refusal.text)
        except SnowcaveError as error:
            return await context.abort(grpc.StatusCode.UNAVAILABLE, error.message)

    return call


class KvService:
    def __init__(self, state: State, access: Access) -> None:
        self._state = state
        self._access = access

    @refusing
    async def Range(self, request: pb.RangeRequest, context: Any) -> pb.RangeResponse:  # noqa: N802
        self._access.role(context)
        return self._state.read(request)

    @refusing
    async def Put(self, request: pb.PutRequest, context: Any) -> pb.PutResponse:  # noqa: N802
        access.demand_put(self._access.role(context), request.key)
        self._demand_size(len(request.key) + len(request.value))
        return await self._state.put(request)

    @refusing
    async def DeleteRange(  # noqa: N802
        self, request: pb.DeleteRangeRequest, context: Any
    ) -> pb.DeleteRangeResponse:
        access.demand_delete(self._access.role(context), request)
        return await self._state.delete(request)

    @refusing
    async def Txn(self, request: pb.TxnRequest, context: Any) -> pb.TxnResponse:  # noqa: N802
        role = self._access.role(context)
        self._demand_size(request.ByteSize())
        operations.check_compares(request.compare)
        for branch in (request.success, request.failure):
            if max(len(branch), len(request.compare)) > self._state.limits.operations:
                raise refusals.invalid("too many operations in txn request")
            operations.check_form(branch)
            access.demand_steps(role, branch)
        return await self._state.txn(request)

    @refusing
    async def Compact(  # noqa: N802
        self, request: pb.CompactionRequest, context: Any
    ) -> pb.CompactionResponse:
        self._access.demand_upkeep(context)
        await self._state.compact(request.revision)
        return pb.CompactionResponse(header=self._state.header())

    def _demand_size(self, size: int) -> None:
        if size > self._state.limits.request:
            raise refusals.invalid("request is too large")


class LeaseService:
    def __init__(self, state: State, access: Access) -> None:
        self._state = state
        self._access = access

    @refusing
    async def LeaseGrant(  # noqa: N802
        self, request: pb.LeaseGrantRequest, context: Any
    ) -> pb.LeaseGrantResponse:
        lease = await self._state.grant(request, self._access.role(context) or "")
        return pb.LeaseGrantResponse(header=self._state.header(), ID=lease.id, TTL=lease.ttl)

    @refusing
    async def LeaseRevoke(  # noqa: N802
        self, request: pb.LeaseRevokeRequest, context: Any
    ) -> pb.LeaseRevokeResponse:
        lease = self._state.leases.get(request.ID)
        if lease is None:
            raise refusals.lease_not_found()
        self._access.demand_owner(context, lease.owner, "revoke the lease of another")
        await self._state.revoke(lease)
        return pb.LeaseRevokeResponse(header=self._state.header())

    async def LeaseKeepAlive(  # noqa: N802
        self, requests: AsyncIterator[pb.LeaseKeepAliveRequest], context: Any
    ) -> AsyncGenerator[pb.LeaseKeepAliveResponse]:
        try:
            self._access.role(context)
            async for request in requests:
                if request is refusals.UNREADABLE:
                    raise refusals.unreadable()
                if lease := self._state.leases.get(request.ID):
                    self._access.demand_owner(context, lease.owner, "keep the lease of another")
                ttl = self._state.renew(request.ID)
                yield pb.LeaseKeepAliveResponse(
                    header=self._state.header(), ID=request.ID, TTL=ttl
                )
        except Refusal as refusal:
            await context.abort(refusal.status, refusal.text)

    @refusing
    async def LeaseTimeToLive(  # noqa: N802
        self, request: pb.LeaseTimeToLiveRequest, context: Any
    ) -> pb.LeaseTimeToLiveResponse:
        self._access.role(context)
        lease = self._state.leases.get(request.ID)
        if lease is None:
            return pb.LeaseTimeToLiveResponse(header=self._state.header(), ID=request.ID, TTL=-1)
        return pb.LeaseTimeToLiveResponse(
            header=self._state.header(),
            ID=lease.id,
            TTL=self._state.remaining(lease),
            grantedTTL=lease.ttl,
            keys=sorted(lease.keys) if request.keys else [],
        )

    @refusing
    async def LeaseLeases(  # noqa: N802
        self, request: pb.LeaseLeasesRequest, context: Any
    ) -> pb.LeaseLeasesResponse:
        self._access.role(context)
        leases = [pb.LeaseStatus(ID=lease.id) for lease in self._state.leases.all()]
        return pb.LeaseLeasesResponse(header=self._state.header(), leases=leases)


class MaintenanceService:
    def __init__(self, state: State, access: Access) -> None:
        self._state = state
        self._access = access

    @refusing
    async def Status(self, request: pb.StatusRequest, context: Any) -> pb.StatusResponse:  # noqa: N802
        self._access.role(context)
        revision = self._state.keys.committed
        return pb.StatusResponse(
            header=self._state.header(),
            version=_API_VERSION,
            dbSize=self._state.file_size,
            dbSizeInUse=self._state.keys.size,
            leader=self._state.member,
            raftIndex=revision,
            raftAppliedIndex=revision,
            raftTerm=1,
        )
