"""Who calls, and which keys they may write. Everybody with a role may read everything."""

from collections.abc import Iterable
from typing import Any

from snowcave.model.keys import Role
from snowcave.runtime.grpc import caller
from snowcave.statestore import refusals
from snowcave.store import guard, wire
from snowcave.store.etcdpb import rpc_pb2 as pb


class Access:
    """`insecure`: no certificates, so everybody may do everything."""

    def __init__(self, *, insecure: bool) -> None:
        self._insecure = insecure

    def role(self, context: Any) -> Role | None:
        """None where roles are not told apart; raises Refusal on a caller without one."""
        if self._insecure:
            return None
        role = caller(context)
        if role is None:
            raise refusals.denied("a caller without a role", "use the state store")
        return role

    def demand_upkeep(self, context: Any) -> None:
        """History is kept and forgotten by the store itself."""
        if self.role(context) is not None:
            raise refusals.denied("a role", "compact the state store")

    def demand_owner(self, context: Any, owner: str, what: str) -> None:
        role = self.role(context)
        if role is not None and owner != role:
            raise refusals.denied(role, what)


def demand_put(role: Role | None, key: bytes) -> None:
    if role is not None and not guard.may_write(role, key.decode(errors="replace")):
        raise refusals.denied(role, f"write the key {key!r}")


def demand_delete(role: Role | None, request: pb.DeleteRangeRequest) -> None:
    """A range must be all that is under a prefix, so that it has one writer."""
    demand_put(role, request.key)
    if role is not None and request.range_end not in (b"", wire.range_end(request.key)):
        raise refusals.denied(role, "delete a range that is not a prefix")


def demand_steps(role: Role | None, steps: Iterable[pb.RequestOp]) -> None:
    if role is None:
        return
    for step in steps:
        if step.HasField("request_put"):
            demand_put(role, step.request_put.key)
        elif step.HasField("request_delete_range"):
            demand_delete(role, step.request_delete_range)
