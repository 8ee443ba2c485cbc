"""Takes one step of a plan: the engine, the network and the images do it, the view learns of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

import structlog

from snowcave.agent.engine.api import Container, ContainerId, Engine, Phase
from snowcave.agent.images import Images
from snowcave.agent.instances import recipe
from snowcave.agent.instances.plan import (
    Action,
    Create,
    CreateSandbox,
    Kill,
    Plug,
    Pull,
    Remove,
    Start,
    StartSandbox,
    Terminate,
    Unplug,
)
from snowcave.agent.instances.recipe import Ground, Run
from snowcave.agent.instances.view import Problem, View
from snowcave.kit.clock import Clock
from snowcave.model.errors import (
    ContainerGone,
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    SnowcaveError,
)
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# The sandbox's place among a view's problems; no container has an empty name.
_SANDBOX_PROBLEM = ""


class Network(Protocol):
    """Connects sandboxes to the node. Both calls may be repeated."""

    async def plug(self, pid: int, name: str, address: str) -> None: ...

    async def unplug(self, name: str) -> None: ...


class Logs(Protocol):
    """Reads the containers' log files for as long as they are there."""

    def follow(self, want: state.Assignment, container: Container) -> None: ...

    async def keep(self, container: Container) -> None:
        """It is about to be removed: what has not been read must outlive it."""
        ...


class Sessions(Protocol):
    """Keeps what an instance's containers log in with."""

    async def prepare(self, instance: str) -> None:
        """Its folder is there when this returns."""
        ...

    def drop(self, instance: str) -> None: ...


class Volumes(Protocol):
    """Keeps an instance's volumes."""

    def instances(self) -> set[str]:
        """Those that have any."""
        ...

    async def prepare(self, want: state.Assignment) -> None:
        """They are there when this returns. Raises SnowcaveError where they cannot be yet."""
        ...

    async def release(self, instance: str) -> None:
        """Its containers are gone: another instance may have them."""
        ...


class Secrets(Protocol):
    """Keeps the secrets of an instance's containers."""

    async def prepare(
        self, want: state.Assignment, container: state.ContainerSpec
    ) -> Mapping[str, str]:
        """Its files are there when this returns; gives its variables."""
        ...

    def drop(self, instance: str) -> None: ...


@dataclass
class Steps:
    ground: Ground
    engine: Engine
    network: Network
    images: Images
    logs: Logs
    sessions: Sessions
    volumes: Volumes
    secrets: Secrets
    clock: Clock

    async def take(
        self, action: Action, instance: str, want: state.Assignment | None, view: View
    ) -> None:
        """Raises EngineUnavailable; what the engine refuses becomes a problem of the view."""
        match action:
            case Terminate(ids):
                await self._terminate(ids, view)
            case Kill(id=container):
                await self.engine.signal(container, "SIGKILL")
                view.put(await self.engine.inspect(container))
            case Remove(id=container):
                await self._remove(container, view)
            case Unplug():
                await self.network.unplug(instance)
                view.plugged = 0
            case _:
                assert want is not None, "a plan without an assignment only takes away"
                await self._raise_up(action, want, view)

    async def _raise_up(
        self,
        action: Pull | CreateSandbox | StartSandbox | Plug | Create | Start,
        want: state.Assignment,
        view: View,
    ) -> None:
        match action:
            case Pull(container=name):
                image = _spec(want, name).resolved
                reference = recipe.image_reference(self.ground, image)
                self.images.want(reference, image.repository_path, want.instance)
            case CreateSandbox():
                await self._create(_SANDBOX_PROBLEM, recipe.sandbox(self.ground, want), view)
            case StartSandbox(id=container):
                await self._start(_SANDBOX_PROBLEM, container, view)
            case Plug(pid):
                await self.network.plug(pid, want.instance, want.address)
                view.plugged = pid
            case Create(container=name, sandbox=sandbox, run=run):
                await self._create_container(want, _spec(want, name), sandbox, run, view)
            case Start(container=name, id=container):
                await self._start(name, container, view)
            case _:
                assert_never(action)

    async def _create_container(
        self,
        want: state.Assignment,
        spec: state.ContainerSpec,
        sandbox: ContainerId,
        run: Run,
        view: View,
    ) -> None:
        await self.sessions.prepare(want.instance)
        try:
            await self.volumes.prepare(want)
            secrets = await self.secrets.prepare(want, spec)
        except EngineUnavailable:
            raise
        except SnowcaveError as error:
            log.info("container_waits", container=spec.name, reason=error.message)
            self._problem(spec.name, view, waiting=True)
            return
        made = recipe.container(self.ground, want, spec, sandbox, run, secrets)
        await self._create(spec.name, made, view)

    async def _create(self, name: str, made: recipe.Recipe, view: View) -> None:
        try:
            container = await self.engine.create(made)
        except ImageMissing:
            # Somebody has cleaned up behind our back: pull again.
            log.warning("image_vanished", image=made.image)
            self.images.missing(made.image)
            self._problem(name, view)
        except EngineRefused as error:
            log.warning("container_not_created", container=made.name, error=error.message)
            self._problem(name, view)
        else:
            view.problems.pop(name, None)
            now = self.clock.now()
            view.put(Container(container, made.name, made.labels, made.image, Phase.CREATED, now))

    async def _start(self, name: str, container: ContainerId, view: View) -> None:
        try:
            await self.engine.start(container)
            view.problems.pop(name, None)
        except EngineRefused as error:
            log.warning("container_not_started", container=container, error=error.message)
            if name == _SANDBOX_PROBLEM:
                self._problem(name, view)
            view.put(_with_error(await self.engine.inspect(container), error.message))
            return
        view.put(await self.engine.inspect(container))

    async def _terminate(self, ids: tuple[ContainerId, ...], view: View) -> None:
        view.stop_sent = self.clock.now()
        for container in ids:
            try:
                await self.engine.signal(container, "SIGTERM")
            except ContainerGone:
                view.stale = True

    async def _remove(self, container: ContainerId, view: View) -> None:
        found = next((c for c in view.all() if c.id == container), None)
        if found is None:
            return
        name = found.labels[recipe.CONTAINER_LABEL]
        if name != recipe.SANDBOX:
            await self.logs.keep(found)
            run = Run.of(found)
            if run.number >= view.lost_runs.get(name, run).number:
                view.lost_runs[name] = Run(run.number + 1, run.streak, run.last_exit)
        await self.engine.remove(container)
        view.drop(container)

    def _problem(self, name: str, view: View, *, waiting: bool = False) -> None:
        before = view.problems.get(name)
        tries = before.tries + 1 if before else 1
        view.problems[name] = Problem(self.clock.now(), tries, waiting)


def _spec(want: state.Assignment, name: str) -> state.ContainerSpec:
    return next(spec for spec in want.spec.containers if spec.name == name)


def _with_error(found: Container, error: str) -> Container:
    """A start that was refused has to show, whatever the engine keeps of it."""
    if found.phase is Phase.CREATED and not found.error:
        return replace(found, error=error)
    return found
