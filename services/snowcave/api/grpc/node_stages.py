"""StageService for agents: the files of the stage volumes of their instances, and nothing else.

Each call names node, instance and volume. What the owner of the service may do with the stage counts as it is
at that moment; paths outside of the volume's folder do not exist.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.grpc.callers import peer_host
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.stages import Stages
from snowcave.model import stage_callers
from snowcave.model.errors import NotAuthorized, ObjectNotFound, Unsupported, ValueInvalid
from snowcave.model.keys import Role
from snowcave.model.stage_callers import StageCaller
from snowcave.runtime import grpc as rpc
from snowcave.v1 import stages_pb2 as v1
from snowcave.v1 import stages_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state

STAGE_SERVICE = "snowcave.v1.StageService"
_ADMIN = "ACCOUNTADMIN"


@dataclass(frozen=True)
class NodeStageServicer(stubs.StageServiceServicer):
    catalog: Catalog
    tokens: ServiceTokens
    stages: Stages

    async def PutFile(  # noqa: N802
        self, request_iterator: AsyncIterator[v1.PutFileRequest], context: Any
    ) -> v1.PutFileReply:
        first = await anext(request_iterator, v1.PutFileRequest())
        if not first.HasField("head"):
            raise ValueInvalid("PutFile names no file.")
        await self._allow(context, first.head.stage, first.head.path, "WRITE")
        return await self.stages.put(first.head, _content(request_iterator))

    async def GetFile(  # noqa: N802
        self, request: v1.GetFileRequest, context: Any
    ) -> AsyncIterator[v1.FilePiece]:
        await self._allow(context, request.stage, request.path, "READ")
        async for piece in self.stages.get(
            request.stage, request.path, offset=request.offset, length=request.length
        ):
            yield piece

    async def DescribeFile(self, request: v1.GetFileRequest, context: Any) -> v1.StageFile:  # noqa: N802
        await self._allow(context, request.stage, request.path, "READ")
        return await self.stages.describe(request.stage, request.path)

    async def ListFiles(  # noqa: N802
        self, request: v1.ListFilesRequest, context: Any
    ) -> AsyncIterator[v1.ListFilesReply]:
        await self._allow(context, request.stage, request.prefix, "READ")
        found = await self.stages.files(request.stage, request.prefix, limit=request.limit)
        yield v1.ListFilesReply(files=found)

    async def RemoveFiles(  # noqa: N802
        self, request: v1.RemoveFilesRequest, context: Any
    ) -> v1.RemoveFilesReply:
        for path in request.paths:
            await self._allow(context, request.stage, path, "WRITE")
        removed = await self.stages.remove(request.stage, list(request.paths))
        return v1.RemoveFilesReply(removed=removed)

    async def ClearStage(  # noqa: N802
        self, request: v1.ClearStageRequest, context: Any
    ) -> v1.ClearStageReply:
        raise Unsupported("clearing a stage from a node")

    async def ListStages(  # noqa: N802
        self, request: v1.ListStagesRequest, context: Any
    ) -> v1.ListStagesReply:
        raise Unsupported("listing stages from a node")

    # ------------------------------------------------------------

    async def _allow(self, context: Any, stage: int, path: str, privilege: str) -> None:
        """Raises NotAuthorized, ObjectNotFound."""
        if rpc.caller(context) is not Role.AGENT:
            raise NotAuthorized("stage volumes")
        said = stage_callers.caller(context.invocation_metadata())
        where = peer_host(context.peer())
        # Also one that is stopping: what it has written is put on the stage as it closes its files.
        assigned = await self.tokens.assignment(said.node, said.instance, where)
        volume = _volume(assigned, said)
        folder = volume.stage.folder
        if volume.stage.stage != stage or (folder and not path.startswith(f"{folder}/")):
            raise ObjectNotFound("File", path)
        if not self._may(assigned.service, privilege, stage):
            raise NotAuthorized(f"stage '{self.catalog.name('stage', stage)}'")

    def _may(self, service_uid: int, privilege: str, stage: int) -> bool:
        service = self.catalog.mirrors.objects.get("service", service_uid)
        if service is None or self.catalog.get("stage", stage) is None:
            return False
        access = self.catalog.access
        roles = access.closure(service.owner_role)
        admin = self.catalog.named("role", 0, _ADMIN)
        if admin is not None and admin.message.uid in roles:
            return True
        allowed = ("READ", "WRITE") if privilege == "READ" else (privilege,)
        return any(access.holds(roles, one, "stage", stage) for one in allowed)


def _volume(assigned: state.Assignment, said: StageCaller) -> state.VolumeSpec:
    for volume in assigned.spec.volumes:
        if volume.name == said.volume and volume.HasField("stage"):
            return volume
    raise ObjectNotFound("Volume", said.volume)


async def _content(messages: AsyncIterator[v1.PutFileRequest]) -> AsyncIterator[bytes]:
    """Only the agent's own word makes a file whole: a stream that breaks off ends like any other."""
    async for message in messages:
        if message.complete:
            return
        yield message.content
    raise ValueInvalid("The file did not arrive whole.")
