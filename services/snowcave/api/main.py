"""The api daemon: the store, and the front door with its statements."""

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.contract import StatementRunner
from snowcave.api.ground import Surroundings
from snowcave.api.rendering.render import Renderer
from snowcave.api.settings import ApiSettings
from snowcave.api.statements.runner import Runner
from snowcave.api.statements.work import Ports
from snowcave.api.wiring import build_front
from snowcave.kit import ids
from snowcave.kit.clock import LoopClock
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.state import open_state
from snowcave.store.grouped import grouped


async def build(settings: ApiSettings, parts: Parts) -> None:
    plain = await open_state(settings.mesh, Role.API, parts)
    # Every statement reads its session and writes its end.
    store = await parts.enter("grouped store", grouped(plain))
    await build_front(settings, parts, store, make_runner)


def make_runner(around: Surroundings) -> StatementRunner:
    return Runner(
        Catalog(around.store, around.mirrors.catalog),
        Ports(
            around.resolver,
            around.ddl,
            around.logs,
            around.results,
            around.stages,
            around.tickets,
            Renderer(around.templates),
            around.sealer,
            around.variables,
        ),
        around.mesh,
        clock=LoopClock(),
        rng=ids.system_random(),
        settings=around.statements,
    )


DAEMON = Daemon(role=Role.API, settings=ApiSettings, build=build)
