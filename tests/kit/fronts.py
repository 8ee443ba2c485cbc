"""The front door in this process: a store in memory, the fake warehouse, real HTTP and gRPC ports."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from snowcave.api.bootstrap import PASSWORD_FILE
from snowcave.api.settings import ApiSettings
from snowcave.api.wiring import build_front
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.mesh import Mesh
from tests.kit.fake_warehouse import FakeRunner, FakeWarehouse
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.ports import free_port_base


@dataclass
class RunningFront:
    mesh: Mesh
    warehouse: FakeWarehouse
    backend: MemoryBackend
    store: MemoryStore
    password: str
    served: AsyncExitStack

    async def stop_warehouse(self) -> None:
        await self.served.aclose()

    @property
    def port(self) -> int:
        return self.mesh.port("api")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def running_front(
    home: Path, settings: ApiSettings | None = None
) -> AsyncGenerator[RunningFront]:
    """`settings` without their mesh, which is made here."""
    tls.ensure(home / "tls")
    mesh = Mesh(home=home, port_base=free_port_base())
    given = settings or ApiSettings(mesh)
    warehouse = FakeWarehouse()
    backend = MemoryBackend()
    async with AsyncExitStack() as served, _front(mesh, given, backend) as store:
        await served.enter_async_context(warehouse.serve(mesh))
        password = (home / PASSWORD_FILE).read_text().strip()
        yield RunningFront(mesh, warehouse, backend, store, password, served)


@asynccontextmanager
async def _front(
    mesh: Mesh, settings: ApiSettings, backend: MemoryBackend
) -> AsyncGenerator[MemoryStore]:
    store = MemoryStore(Role.API, backend)
    own = ApiSettings(
        mesh,
        http=settings.http,
        login=settings.login,
        sessions=settings.sessions,
        queries=settings.queries,
        calls=settings.calls,
    )
    async with AsyncExitStack() as stack:
        await build_front(own, Parts(stack, Health()), store, lambda _: FakeRunner())
        yield store


@asynccontextmanager
async def another_replica(
    first: RunningFront, settings: ApiSettings | None = None
) -> AsyncGenerator[Mesh]:
    """A second api of the same store and the same warehouse, on ports of its own."""
    own = _SecondPorts(home=first.mesh.home, port_base=first.mesh.port_base)
    async with _front(own, settings or ApiSettings(own), first.backend):
        yield own


class _SecondPorts(Mesh):
    """The same mesh, but that api's own ports lie apart."""

    def port(self, name: str) -> int:
        return super().port(name) + 4

    def grpc_port(self, role: Role) -> int:
        return super().grpc_port(role) + 12 if role is Role.API else super().grpc_port(role)
