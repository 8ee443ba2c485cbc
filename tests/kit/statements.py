"""An account with everything that statements need, in memory: store, mirrors, and small other daemons."""

import hashlib
import random
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.api.bootstrap import bootstrap
from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.mirrors import follow_catalog
from snowcave.api.contract import (
    Done,
    LogRequest,
    MayCancel,
    QueryHandle,
    ResolvedImage,
    SessionContext,
    ToWarehouse,
)
from snowcave.api.rendering.render import Renderer
from snowcave.api.secrets.sealing import Sealer, read_key
from snowcave.api.statements.runner import Runner
from snowcave.api.statements.work import Ports
from snowcave.kit.clock import Clock, LoopClock
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import stages_pb2 as stages
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse
from tests.kit.memory_store import MemoryBackend, MemoryStore


@dataclass
class Registry:
    """Images by (repository path, image name, reference)."""

    images: dict[tuple[str, str, str], ResolvedImage] = field(
        default_factory=dict[tuple[str, str, str], ResolvedImage]
    )

    def push(self, path: str, *, platforms: tuple[str, ...] = ("linux/amd64",)) -> str:
        """`db/schema/repo/image:tag` → its digest."""
        name, _, tag = path.partition(":")
        repository, image = "/".join(name.split("/")[:3]), "/".join(name.split("/")[3:])
        digest = "sha256:" + f"{abs(hash(path)):064x}"[-64:]
        self.images[(repository, image, tag)] = ResolvedImage(digest, platforms=platforms)
        return digest

    async def resolve(
        self, repository_path: str, image_name: str, reference: str
    ) -> ResolvedImage:
        found = self.images.get((repository_path, image_name, reference))
        if found is None:
            raise ObjectNotFound("Image", f"{image_name}:{reference}")
        return found


@dataclass
class WarehouseDdl:
    """What the warehouse was told. `failing`: raised by the next calls."""

    made: list[str] = field(default_factory=list[str])
    failing: Exception | None = None
    # Tables and the like, by uid.
    kept: dict[int, warehouse.WarehouseObject] = field(
        default_factory=dict[int, warehouse.WarehouseObject]
    )

    async def objects(
        self, request: warehouse.ListObjectsRequest
    ) -> list[warehouse.WarehouseObject]:
        wanted = {
            name: getattr(request, name)
            for name in ("database", "schema", "kind", "name", "owner")
        }
        return [
            one
            for one in self.kept.values()
            if all(not value or getattr(one, name) == value for name, value in wanted.items())
            and (not request.uids or one.uid in request.uids)
        ]

    async def change_owner(self, uids: Sequence[int], owner: int, name: str) -> None:
        for uid in uids:
            self.kept[uid].owner = owner

    async def inherit(self, role: int, owner: int, name: str) -> None:
        if self.failing is not None:
            raise self.failing
        for one in self.kept.values():
            if one.owner == role:
                one.owner = owner

    async def create_database(self, database: str, *, replace: bool = False, uid: int = 0) -> None:
        self._note(f"+{database}")

    async def drop_database(self, database: str, *, uid: int = 0) -> None:
        self._note(f"-{database}")

    async def create_schema(
        self, database: str, schema: str, *, replace: bool = False, uid: int = 0
    ) -> None:
        self._note(f"+{database}.{schema}")

    async def drop_schema(self, database: str, schema: str, *, uid: int = 0) -> None:
        self._note(f"-{database}.{schema}")

    async def forget_room(self, uid: int) -> None:
        self._note("forgotten")

    def _note(self, what: str) -> None:
        if self.failing is not None:
            raise self.failing
        self.made.append(what)


@dataclass
class Logs:
    text: str = "line\n"
    asked: list[LogRequest] = field(default_factory=list[LogRequest])

    async def read(self, request: LogRequest) -> str:
        self.asked.append(request)
        return self.text


@dataclass
class Results:
    """Statements that run, as ids with their session, user (uid) and warehouse; records of what ran."""

    running: dict[str, tuple[int, int, str]] = field(
        default_factory=dict[str, tuple[int, int, str]]
    )

    kept: list[state.Query] = field(default_factory=list[state.Query])

    async def history(self) -> list[state.Query]:
        return self.kept

    async def cancel(self, query_id: str, may: MayCancel) -> bool:
        found = self.running.get(query_id)
        if found is None or not may(*found[1:]):
            return False
        del self.running[query_id]
        return True

    async def cancel_session(self, session: int, but: str, may: MayCancel) -> int:
        found = [one for one, (where, *_) in self.running.items() if where == session]
        return sum([await self.cancel(one, may) for one in found if one != but])


@dataclass
class StageFiles:
    """Files by stage and path."""

    kept: dict[tuple[int, str], bytes] = field(default_factory=dict[tuple[int, str], bytes])

    async def files(
        self, stage: int, prefix: str = "", pattern: str = ""
    ) -> list[stages.StageFile]:
        return [
            stages.StageFile(path=path, size=len(content), md5=hashlib.md5(content).hexdigest())
            for (held, path), content in sorted(self.kept.items())
            if held == stage and path.startswith(prefix) and re.fullmatch(pattern or ".*", path)
        ]

    async def remove(self, stage: int, paths: Sequence[str]) -> list[str]:
        return [path for path in paths if self.kept.pop((stage, path), None) is not None]

    async def read(self, stage: int, path: str, *, most: int) -> bytes:
        if (stage, path) not in self.kept:
            raise ObjectNotFound("File", path)
        return self.kept[stage, path]


class Tickets:
    async def ticket(self, session: int, transfer: state.Transfer) -> str:
        return f"{session}:{transfer.stage}:{transfer.prefix}"


@dataclass
class Variables:
    """Of the session, by upper-case name."""

    values: dict[str, str | int | float | bool | None] = field(
        default_factory=dict[str, str | int | float | bool | None]
    )

    async def read(self, context: SessionContext) -> dict[str, str | int | float | bool | None]:
        return self.values


@dataclass
class Account:
    """`await account.sql(...)` runs a statement in a session of the administrator."""

    backend: MemoryBackend
    store: MemoryStore
    scheduler: MemoryStore
    catalog: Catalog
    runner: Runner
    registry: Registry
    ddl: WarehouseDdl
    logs: Logs
    context: SessionContext
    stages: StageFiles
    variables: Variables
    results: Results

    def session(self, user: str, role: str = "") -> SessionContext:
        found = self.catalog.named("user", 0, user)
        held = self.catalog.named("role", 0, role) if role else None
        assert found is not None
        return SessionContext(
            session_id=1,
            user_uid=found.message.uid,
            user_name=user,
            role=role,
            role_uid=held.message.uid if held else 0,
            account="SNOWCAVE",
            organization="LOCAL",
        )

    async def outcome(
        self,
        sql: str,
        context: SessionContext | None = None,
        bound: Sequence[warehouse.Binding] = (),
    ) -> Done | ToWarehouse:
        query = QueryHandle("q", bindings=tuple(bound))
        done = await self.runner.run(sql, context or self.context, query)
        if context is None:
            self.context = done.context
        return done

    async def sql(
        self, *statements: str, context: SessionContext | None = None
    ) -> list[dict[str, object]]:
        """The rows of the last statement, by column name."""
        rows: list[dict[str, object]] = []
        for sql in statements:
            done = await self.outcome(sql, context)
            assert isinstance(done, Done), f"went to the warehouse: {sql}"
            names = [column.name for column in done.rows.columns]
            rows = [dict(zip(names, row, strict=True)) for row in done.rows.rows]
            if context is not None:
                context.__dict__.update(done.context.__dict__)
        return rows

    async def say(self, service: str, status: state.ServiceStatus) -> None:
        """What the scheduler says of a service, read back by the mirrors."""
        uid = next(one.uid for one in self.catalog.all("service") if one.name == service)
        key = keys.SERVICE_STATUS.key(uid)
        revision = await self.scheduler.put(key, status.SerializeToString())
        await self.catalog.mirrors.services.wait(lambda mirror: mirror.revision >= revision)


@asynccontextmanager
async def open_account(
    home: Path,
    backend: MemoryBackend | None = None,
    clock: Clock | None = None,
    *,
    strict_capacity: bool = False,
    rng: random.Random | None = None,
) -> AsyncGenerator[Account]:
    """With a `backend` that others use too, what stands in it stays."""
    backend, clock = backend or MemoryBackend(), clock or LoopClock()
    store = MemoryStore(Role.API, backend)
    await bootstrap(store, home, random.Random(1), clock)
    registry, ddl, logs = Registry(), WarehouseDdl(), Logs()
    async with AsyncExitStack() as stack:
        mirrors = await follow_catalog(store, Parts(stack, Health()))
        catalog = Catalog(store, mirrors)
        stages = StageFiles()
        sealer = Sealer(read_key(home))
        variables, results = Variables(), Results()
        ports = Ports(
            registry, ddl, logs, results, stages, Tickets(), Renderer(), sealer, variables
        )
        mesh = Mesh(home=home, strict_capacity=strict_capacity)
        runner = Runner(catalog, ports, mesh, clock=clock, rng=rng or random.Random(2))
        account = Account(
            backend,
            store,
            MemoryStore(Role.SCHEDULER, backend),
            catalog,
            runner,
            registry,
            ddl,
            logs,
            SessionContext(session_id=1, user_uid=0, user_name=""),
            stages,
            variables,
            results,
        )
        account.context = account.session("ADMIN", "ACCOUNTADMIN")
        yield account
