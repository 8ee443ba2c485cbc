"""Tokens with which the containers of an instance log in: opaque, known by their hash, and short-lived.

Who shows one is the service itself, a user that no catalog lists: named as the service, holding its owner's
role, gone when the service is.
"""

import random
from dataclasses import dataclass
from datetime import UTC, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.sessions.endpoint_tokens import executes_as_caller
from snowcave.kit import ids
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import NotAuthorized, TokenExpired, TokenInvalid
from snowcave.model.names import quoted
from snowcave.runtime.identity import Identity, Principal, token_key
from snowcave.store.api import Put, Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

Kind = state.SessionToken.Kind


@dataclass(frozen=True)
class ServiceTokens:
    store: Store
    objects: Mirror[state.Object]
    assignments: Mirror[state.Assignment]
    nodes: Mirror[state.Node]
    identity: Identity
    clock: Clock
    rng: random.Random
    # Seconds.
    life: float

    async def issue(self, node: str, instance: str, caller: str) -> str:
        """For the agent of the instance's node. `caller` is the address that the agent calls from.

        Raises NotAuthorized where the instance is not that node's, or has ended.
        """
        service = await self.assigned_to(node, instance, caller)
        token, expires = ids.token(self.rng), Timestamp()
        expires.FromDatetime(self.clock.now() + timedelta(seconds=self.life))
        entry = state.SessionToken(kind=Kind.SERVICE, user=service, expires_on=expires)
        key = keys.SESSION_TOKENS.key(token_key(token))
        await self.store.txn([], [Put(key, entry.SerializeToString())])
        log.info("service_token_issued", instance=instance, node=node)
        return token

    async def assigned_to(self, node: str, instance: str, caller: str) -> int:
        """uid of the service whose instance the node's agent runs. Raises NotAuthorized as `issue` does."""
        assigned = await self.assignment(node, instance, caller)
        if assigned.stopping:
            raise NotAuthorized(f"instance '{instance}'")
        return assigned.service

    async def assignment(self, node: str, instance: str, caller: str) -> state.Assignment:
        """What the node's agent runs, also while it is stopping. Raises NotAuthorized as `issue` does."""
        assigned = self.assignments.get(node, instance) or await self._just_assigned(
            node, instance
        )
        where = self.nodes.get(node) or await self._just_started(node)
        address = where.agent_address.rpartition(":")[0] if where else ""
        if assigned is None or address != caller:
            raise NotAuthorized(f"instance '{instance}'")
        return assigned

    async def _just_assigned(self, node: str, instance: str) -> state.Assignment | None:
        kept = await self.store.get(keys.ASSIGNMENTS.key(node, instance))
        return state.Assignment.FromString(kept.value) if kept else None

    async def _just_started(self, node: str) -> state.Node | None:
        kept = await self.store.get(keys.NODES.key(node))
        return state.Node.FromString(kept.value) if kept else None

    async def verify(self, token: str) -> Principal:
        """Raises TokenInvalid, TokenExpired."""
        kept = await self.store.get(keys.SESSION_TOKENS.key(token_key(token)))
        entry = state.SessionToken.FromString(kept.value) if kept else state.SessionToken()
        service = self.objects.get("service", entry.user)
        if entry.kind != Kind.SERVICE or service is None or service.HasField("dropped_on"):
            raise TokenInvalid
        if entry.expires_on.ToDatetime(UTC) <= self.clock.now():
            raise TokenExpired
        role = self.objects.get("role", service.owner_role)
        return Principal(
            user=service.uid,
            user_name=service.name,
            role=role.uid if role else None,
            role_name=role.name if role else "",
            roles=self.identity.access.all_roles_of(service.uid),
        )

    def executes_as_caller(self, service: int) -> bool:
        found = self.objects.get("service", service)
        return found is not None and executes_as_caller(found)

    def defaults(self, service: int) -> state.User:
        """Where a service's sessions begin, unless they ask for something else."""
        found = self.objects.get("service", service) or state.Object()
        schema = self.objects.get("schema", found.parent) or state.Object()
        database = self.objects.get("database", schema.parent) or state.Object()
        return state.User(
            default_warehouse=found.service.query_warehouse,
            default_namespace=f"{quoted(database.name)}.{quoted(schema.name)}",
        )
