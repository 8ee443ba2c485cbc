"""The REST API in this process: the real statements over a store in memory, beside a small warehouse."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from snowcave.api.bootstrap import PASSWORD_FILE
from snowcave.api.ground import Surroundings
from snowcave.api.main import make_runner
from snowcave.api.rest.settings import RestSettings
from snowcave.api.settings import ApiSettings
from snowcave.api.wiring import build_front
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as pb
from tests.kit.fake_warehouse import FakeWarehouse, Result
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.ports import free_port_base
from tests.kit.statements import Logs, Registry, StageFiles, WarehouseDdl

PLACE = "/databases/d/schemas/s"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Rest:
    """`await rest("GET", "/databases")`, as the administrator or with another token."""

    mesh: Mesh
    http: aiohttp.ClientSession
    password: str
    registry: Registry
    ddl: WarehouseDdl
    logs: Logs
    stages: StageFiles
    scheduler: MemoryStore
    backend: MemoryBackend
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.mesh.port('api')}"

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        given = (
            {"Authorization": f'Snowflake Token="{self.token}"'} if headers is None else headers
        )
        data = None if body is None else json.dumps(body)
        url = URL(f"{self.url}/api/v2{path}", encoded=True)
        async with self.http.request(method, url, data=data, headers=given) as answer:
            text = await answer.text()
            return Reply(answer.status, json.loads(text) if text else None, dict(answer.headers))

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self(method, path, body)
        assert answer.status == 200, answer
        return answer.body

    async def log_in(self, user: str = "ADMIN", password: str = "") -> str:
        """The token of a new session."""
        data = {"LOGIN_NAME": user, "PASSWORD": password or self.password, "ACCOUNT_NAME": "x"}
        url = f"{self.url}/session/v1/login-request"
        async with self.http.post(url, json={"data": data}) as answer:
            found = (await answer.json())["data"]
        return found["token"]

    async def sql(self, text: str, token: str = "") -> Any:
        """What the session protocol answers."""
        headers = {"Authorization": f'Snowflake Token="{token or self.token}"'}
        url = f"{self.url}/queries/v1/query-request"
        async with self.http.post(url, json={"sqlText": text}, headers=headers) as answer:
            return await answer.json()

    async def say(self, service: int, status: state.ServiceStatus) -> None:
        """What the scheduler says of a service."""
        key = keys.SERVICE_STATUS.key(service)
        await self.scheduler.put(key, status.SerializeToString())

    def uid(self, domain: str, name: str) -> int:
        """Of an object, wherever it stands."""
        kept = self.backend.listing(keys.CATALOG.under(domain)).items
        found = [state.Object.FromString(item.value) for item in kept]
        return next(one.uid for one in found if one.name == name)

    async def place(self) -> None:
        """A database D with a schema S, a pool P, a repository R with an image in it."""
        await self.ok("POST", "/databases", {"name": "d"})
        await self.ok("POST", "/databases/d/schemas", {"name": "s"})
        pool = {"name": "p", "min_nodes": 1, "max_nodes": 1, "instance_family": "CPU_X64_XS"}
        await self.ok("POST", "/compute-pools", pool)
        await self.ok("POST", f"{PLACE}/image-repositories", {"name": "r"})
        self.registry.push("d/s/r/i:1")


SPEC = """
spec:
  containers:
  - name: main
    image: /d/s/r/i:1
  endpoints:
  - name: web
    port: 80
    public: true
"""


class RestWarehouse(FakeWarehouse):
    """Has no tables and no functions, and says so."""

    async def ApplyDdl(  # noqa: N802
        self, request: pb.ApplyDdlRequest, context: Any
    ) -> pb.ApplyDdlReply:
        return pb.ApplyDdlReply()

    def _rows(self, word: str, argument: str, request: pb.ExecuteRequest) -> Result:
        if word == "select" and argument.isdigit():
            return super()._rows(word, argument, request)
        raise ObjectNotFound("Object", argument)


@asynccontextmanager
async def running_rest(home: Path, rest: RestSettings | None = None) -> AsyncGenerator[Rest]:
    tls.ensure(home / "tls")
    mesh = Mesh(home=home, port_base=free_port_base())
    settings = ApiSettings(mesh, rest=rest or RestSettings())
    backend, warehouse = MemoryBackend(), RestWarehouse()
    registry, ddl, logs, stages = Registry(), WarehouseDdl(), Logs(), StageFiles()

    def runner(around: Surroundings) -> Any:
        around.__dict__.update(resolver=registry, ddl=ddl, logs=logs, stages=stages)
        return make_runner(around)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(warehouse.serve(mesh))
        own = await stack.enter_async_context(AsyncExitStack())
        await build_front(settings, Parts(own, Health()), MemoryStore(Role.API, backend), runner)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        password = (home / PASSWORD_FILE).read_text().strip()
        made = Rest(
            mesh,
            http,
            password,
            registry,
            ddl,
            logs,
            stages,
            MemoryStore(Role.SCHEDULER, backend),
            backend,
        )
        made.token = await made.log_in()
        yield made
