"""The daemons that an agent calls, with their errors translated."""

from collections.abc import AsyncGenerator, AsyncIterator

import grpc.aio

from snowcave.agent.engine.api import Credential
from snowcave.agent.volumes.secret_files import SecretValues
from snowcave.runtime.outcomes import streaming, translated
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import registry_pb2 as registry
from snowcave.v1 import sql_pb2 as sql
from snowcave.v1.events_pb2_grpc import EventServiceStub
from snowcave.v1.registry_pb2_grpc import RegistryServiceStub
from snowcave.v1.sql_pb2_grpc import CatalogServiceStub


class EventCollector:
    """The events daemon, for the log shipper."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = EventServiceStub(channel)

    async def append(
        self, requests: AsyncIterator[events.AppendRequest]
    ) -> AsyncGenerator[events.AppendReply]:
        with streaming("events", self._stub.Append(requests)) as call:
            async for reply in call:
                yield reply


class ServiceTokens:
    """The api, for what the containers of this node log in with."""

    def __init__(self, channel: grpc.aio.Channel, node: str, deadline: float) -> None:
        self._stub = CatalogServiceStub(channel)
        self._node = node
        self._deadline = deadline

    async def issue(self, instance: str) -> str:
        request = sql.ServiceTokenRequest(node=self._node, instance=instance)
        with translated("api"):
            reply = await self._stub.IssueServiceToken(request, timeout=self._deadline)
        return reply.token


class SecretStore:
    """The api, for the secrets of this node's instances."""

    def __init__(self, channel: grpc.aio.Channel, node: str, deadline: float) -> None:
        self._stub = CatalogServiceStub(channel)
        self._node = node
        self._deadline = deadline

    async def read(self, instance: str, name: str) -> SecretValues:
        request = sql.ReadSecretRequest(node=self._node, instance=instance, name=name)
        with translated("api"):
            reply = await self._stub.ReadSecret(request, timeout=self._deadline)
        return SecretValues(reply.uid, reply.version, dict(reply.values))


class TokenIssuer:
    """The registry, for pulls."""

    def __init__(self, channel: grpc.aio.Channel, deadline: float) -> None:
        self._stub = RegistryServiceStub(channel)
        self._deadline = deadline

    async def issue(self, repository_path: str) -> Credential:
        request = registry.PullTokenRequest(repository_path=repository_path)
        with translated("registry"):
            reply = await self._stub.IssuePullToken(request, timeout=self._deadline)
        return Credential(reply.username, reply.password)
