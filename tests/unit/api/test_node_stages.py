"""What an agent may do with stages: its instances' volumes, their folders, their owners' privileges."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from snowcave.api.grpc.node_stages import NodeStageServicer
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.kit import ids
from snowcave.kit.clock import LoopClock
from snowcave.model import keys, stage_callers
from snowcave.model.errors import NotAuthorized, ObjectNotFound, Unsupported, ValueInvalid
from snowcave.model.keys import Role
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import stages_pb2 as v1
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.statements import Account, open_account

NODE, INSTANCE, ADDRESS = "node-1", "77-0-1", "10.246.0.11"
VOLUME = '{name: files, source: stage, stageConfig: {name: "@st/in"}}'


@dataclass
class Context:
    """The call of an agent, as gRPC shows it."""

    instance: str = INSTANCE
    volume: str = "files"
    address: str = ADDRESS
    role: str = "agent"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return stage_callers.metadata(NODE, self.instance, self.volume)

    def peer(self) -> str:
        return f"ipv4:{self.address}:4711"

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_common_name": [self.role.encode()]}


@dataclass
class Warehouse:
    """The stage files; notes what was passed on."""

    asked: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])

    async def put(
        self, head: v1.PutFileRequest.Head, content: AsyncIterator[bytes]
    ) -> v1.PutFileReply:
        whole = b"".join([piece async for piece in content])
        self.asked.append(("put", head.stage, head.path))
        return v1.PutFileReply(file=v1.StageFile(path=head.path, size=len(whole)))

    async def get(
        self, stage: int, path: str, *, offset: int = 0, length: int = 0
    ) -> AsyncGenerator[v1.FilePiece]:
        self.asked.append(("get", stage, path))
        yield v1.FilePiece(content=b"0123456789"[offset : offset + length])

    async def describe(self, stage: int, path: str) -> v1.StageFile:
        self.asked.append(("describe", stage, path))
        return v1.StageFile(path=path)

    async def files(
        self, stage: int, prefix: str = "", pattern: str = "", *, limit: int = 0
    ) -> list[v1.StageFile]:
        self.asked.append(("files", stage, prefix))
        return [v1.StageFile(path=prefix + "a")]

    async def remove(self, stage: int, paths: list[str]) -> list[str]:
        self.asked += [("remove", stage, path) for path in paths]
        return paths


@dataclass
class Ground:
    account: Account
    servicer: NodeStageServicer
    warehouse: Warehouse
    stage: int
    assignments: Mirror[state.Assignment]

    async def describe(self, path: str, context: Any = None, stage: int = 0) -> v1.StageFile:
        request = v1.GetFileRequest(stage=stage or self.stage, path=path)
        return await self.servicer.DescribeFile(request, context or Context())

    async def put(self, path: str, *, whole: bool = True) -> v1.PutFileReply:
        async def messages() -> AsyncIterator[v1.PutFileRequest]:
            head = v1.PutFileRequest.Head(stage=self.stage, path=path)
            yield v1.PutFileRequest(head=head)
            yield v1.PutFileRequest(content=b"12345")
            if whole:
                yield v1.PutFileRequest(complete=True)

        return await self.servicer.PutFile(messages(), Context())


@pytest_asyncio.fixture
async def ground(tmp_path: Path) -> AsyncGenerator[Ground]:
    async with open_account(tmp_path) as account:
        await account.sql(
            "CREATE DATABASE d",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
            "CREATE IMAGE REPOSITORY r",
            "CREATE STAGE st",
            "CREATE ROLE bob",
            "CREATE USER bob PASSWORD='secret' DEFAULT_ROLE=bob",
            "GRANT ROLE bob TO USER bob",
            "GRANT USAGE ON DATABASE d TO ROLE bob",
            "GRANT USAGE, CREATE SERVICE ON SCHEMA d.public TO ROLE bob",
            "GRANT USAGE ON COMPUTE POOL p TO ROLE bob",
            "GRANT READ ON IMAGE REPOSITORY r TO ROLE bob",
            "GRANT READ, WRITE ON STAGE st TO ROLE bob",
        )
        account.registry.push("d/public/r/echo:latest")
        bob = account.session("BOB", "BOB")
        bob.database, bob.schema = "D", "PUBLIC"
        spec = (
            f"spec: {{containers: [{{name: main, image: /d/public/r/echo}}], volumes: [{VOLUME}]}}"
        )
        await account.sql(
            f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${spec}$$", context=bob
        )
        (service,), (stage,) = account.catalog.all("service"), account.catalog.all("stage")
        wanted = state.Assignment(
            instance=INSTANCE, node=NODE, service=service.uid, spec=service.service.spec
        )
        await account.scheduler.put(
            keys.ASSIGNMENTS.key(NODE, INSTANCE), wanted.SerializeToString()
        )
        agent = MemoryStore(Role.AGENT, account.backend)
        told = state.Node(name=NODE, agent_address=f"{ADDRESS}:8419").SerializeToString()
        await agent.put(keys.NODES.key(NODE), told)
        async with (
            follow(account.store, keys.ASSIGNMENTS) as assignments,
            follow(account.store, keys.NODES) as nodes,
        ):
            objects, warehouse = account.catalog.mirrors.objects, Warehouse()
            identity: Any = None
            tokens = ServiceTokens(
                account.store,
                objects,
                assignments,
                nodes,
                identity,
                LoopClock(),
                ids.system_random(),
                60.0,
            )
            passing: Any = warehouse
            servicer = NodeStageServicer(account.catalog, tokens, passing)
            yield Ground(account, servicer, warehouse, stage.uid, assignments)


async def test_requests_of_a_volume_are_passed_on(ground: Ground) -> None:
    context = Context()
    await ground.describe("in/a")
    assert (await ground.put("in/b")).file.size == 5
    part = v1.GetFileRequest(stage=ground.stage, path="in/a", offset=2, length=3)
    pieces = [piece.content async for piece in ground.servicer.GetFile(part, context)]
    assert pieces == [b"234"]
    listing = v1.ListFilesRequest(stage=ground.stage, prefix="in/")
    async for reply in ground.servicer.ListFiles(listing, context):
        assert [file.path for file in reply.files] == ["in/a"]
    gone = v1.RemoveFilesRequest(stage=ground.stage, paths=["in/a"])
    assert (await ground.servicer.RemoveFiles(gone, context)).removed == ["in/a"]
    assert [verb for verb, _, _ in ground.warehouse.asked] == [
        "describe",
        "put",
        "get",
        "files",
        "remove",
    ]


async def test_nothing_beside_the_volume_is_reached(ground: Ground) -> None:
    for path in ("a", "inside", "in", "out/a"):
        with pytest.raises(ObjectNotFound):
            await ground.describe(path)
    with pytest.raises(ObjectNotFound):
        await ground.describe("in/a", stage=12345)
    with pytest.raises(ObjectNotFound, match="Volume"):
        await ground.describe("in/a", Context(volume="other"))
    everything = v1.ListFilesRequest(stage=ground.stage)
    with pytest.raises(ObjectNotFound):
        async for _ in ground.servicer.ListFiles(everything, Context()):
            pass
    with pytest.raises(Unsupported):
        await ground.servicer.ClearStage(v1.ClearStageRequest(stage=ground.stage), Context())
    assert ground.warehouse.asked == []


async def test_only_the_agent_of_the_instance_is_heard(ground: Ground) -> None:
    for context in (
        Context(address="10.246.0.12"),
        Context(instance="77-0-2"),
        Context(role="scheduler"),
    ):
        with pytest.raises(NotAuthorized):
            await ground.describe("in/a", context)


async def test_privileges_count_as_they_are_now(ground: Ground) -> None:
    await ground.account.sql("REVOKE WRITE ON STAGE st FROM ROLE bob")
    await ground.describe("in/a")
    with pytest.raises(NotAuthorized):
        await ground.put("in/b")
    await ground.account.sql("REVOKE READ ON STAGE st FROM ROLE bob")
    with pytest.raises(NotAuthorized):
        await ground.describe("in/a")


async def test_an_instance_that_is_stopping_may_close_its_files(ground: Ground) -> None:
    wanted = ground.assignments.get(NODE, INSTANCE)
    assert wanted is not None
    wanted.stopping = True
    revision = await ground.account.scheduler.put(
        keys.ASSIGNMENTS.key(NODE, INSTANCE), wanted.SerializeToString()
    )
    await ground.assignments.wait(lambda mirror: mirror.revision >= revision)
    assert (await ground.put("in/b")).file.size == 5


async def test_a_stream_that_breaks_off_makes_no_file(ground: Ground) -> None:
    with pytest.raises(ValueInvalid, match="whole"):
        await ground.put("in/b", whole=False)
    assert ground.warehouse.asked == []
