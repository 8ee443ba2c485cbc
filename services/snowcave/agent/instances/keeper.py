"""Keeps this node's instances as they were assigned: look, plan, act, tell; again when anything changes.

The engine's containers, found by label, are the truth. Whatever this object remembers besides may
be forgotten at any time: an agent that was restarted takes up running containers as they are.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeGuard

import structlog

from snowcave.agent.engine.api import Container, ContainerId, EngineEvent, Phase
from snowcave.agent.instances import recipe, status
from snowcave.agent.instances.plan import Action, ImageState, Policy, plan
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, Run
from snowcave.agent.instances.steps import Steps
from snowcave.agent.instances.view import View
from snowcave.agent.probes import Probes, Target
from snowcave.agent.reports import Reports
from snowcave.model.errors import EngineUnavailable
from snowcave.runtime.reconciler import Done
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# An instance comes up in four rounds; many more would mean that plans do not converge.
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """Seconds."""

    # Without news of the store for this long, nothing is taken for withdrawn.
    trust_mirror: float = 30.0
    # Between two attempts to listen to an engine that is away.
    listen_again: float = 0.5


@dataclass
class Keeper:
    assigned: Mirror[state.Assignment]
    steps: Steps
    probes: Probes
    reports: Reports
    policy: Policy
    settings: KeeperSettings
    # Asks for a reconcile of an instance.
    changed: Callable[[str], None]
    views: dict[str, View] = field(default_factory=dict[str, View])

    @property
    def node(self) -> str:
        return self.steps.ground.node

    async def list_instances(self) -> Iterable[str]:
        """All that are assigned, reported or found in the engine."""
        known = {parts[1] for parts, _ in self.assigned.items(self.node)}
        known |= set(self.views) | set(self.reports.before) | self.steps.volumes.instances()
        try:
            found = await self.steps.engine.list(self.steps.ground.labels)
        except EngineUnavailable as error:
            log.warning("engine_not_listed", error=error.message)
            return known
        self._look_again()
        return known | {c.labels.get(INSTANCE_LABEL, "") for c in found} - {""}

    async def listen(self) -> None:
        """Endless: hear from the engine what ended; after a gap look at everything."""
        while True:
            try:
                async with aclosing(self.steps.engine.events(self.steps.ground.labels)) as events:
                    async for event in events:
                        await self._heard(event)
            except EngineUnavailable as error:
                log.warning("engine_away", error=error.message)
            await self.steps.clock.sleep(self.settings.listen_again)

    async def reconcile(self, instance: str) -> Done:
        """Raises EngineUnavailable: nothing is known then, and what was told stays."""
        want = self.assigned.get(self.node, instance)
        if want is None and self.assigned.stale(self.steps.clock) > self.settings.trust_mirror:
            return Done(again_in=1.0)
        view = self.views.setdefault(instance, View())
        if want is not None and want.stopping and view.stop_asked is None:
            view.stop_asked = self.steps.clock.now()
        try:
            return await self._converge(instance, want, view)
        except BaseException:
            # Whatever was cut short: the engine knows how far it came.
            view.stale = True
            raise

    async def runs(self, instance: str, container: str) -> tuple[Container, ...]:
        """The runs of a container that are still there, oldest first."""
        labels = self.steps.ground.labels | {
            INSTANCE_LABEL: instance,
            CONTAINER_LABEL: container,
        }
        found = await self.steps.engine.list(labels)
        return tuple(sorted(found, key=lambda c: Run.of(c).number))

    async def _converge(self, instance: str, want: state.Assignment | None, view: View) -> Done:
        again_in: float | None = 0.0
        for _ in range(_ROUNDS):
            await self._look(instance, view)
            images = self._images(want)
            if view.empty and (want is None or want.stopping):
                # Before it is told that the instance is gone: what comes after it needs them.
                await self.steps.volumes.release(instance)
            decided = plan(want, view, images, self.policy, self.steps.clock.now())
            again_in = decided.again_in
            self._tell(instance, want, view, images)
            if not decided.actions:
                break
            await self._take(decided.actions, instance, want, view)
        if view.empty and (want is None or want.stopping):
            self._forget(instance)
        return Done(again_in)

    async def _look(self, instance: str, view: View) -> None:
        if not view.stale:
            return
        labels = self.steps.ground.labels | {INSTANCE_LABEL: instance}
        # Cleared first: what ends while the engine answers makes it stale again.
        view.stale = False
        view.replace(await self.steps.engine.list(labels))

    def _images(self, want: state.Assignment | None) -> dict[str, ImageState]:
        if want is None:
            return {}
        return {
            spec.name: self.steps.images.state(
                recipe.image_reference(self.steps.ground, spec.resolved)
            )
            for spec in want.spec.containers
        }

    async def _take(
        self,
        actions: tuple[Action, ...],
        instance: str,
        want: state.Assignment | None,
        view: View,
    ) -> None:
        """All at once; each is heard out before the first failure counts."""
        results = await asyncio.gather(
            *(self.steps.take(action, instance, want, view) for action in actions),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _tell(
        self,
        instance: str,
        want: state.Assignment | None,
        view: View,
        images: Mapping[str, ImageState],
    ) -> None:
        """Set probes and logs upon what runs, then report it."""
        for container in view.containers.values():
            if want is not None:
                self.steps.logs.follow(want, container)
        self.probes.watch(instance, self._targets(want, view), self._known_ready(instance))
        if want is None:
            return
        probed = {name: self.probes.result(c.id) for name, c in view.containers.items()}
        if self.reports.told(instance) is None and status.is_unknown(want, view, probed):
            return  # the probe's first answer asks for another look
        self.reports.put(status.report(want, view, images, probed))

    def _targets(self, want: state.Assignment | None, view: View) -> Iterable[Target]:
        if want is None or want.stopping:
            return
        for spec in want.spec.containers:
            found = view.containers.get(spec.name)
            if spec.HasField("readiness_probe") and _runs(found):
                probe = spec.readiness_probe
                yield Target(want.instance, found.id, want.address, probe.port, probe.path)

    def _known_ready(self, instance: str) -> set[ContainerId]:
        """As the agent before this one saw it: its successor must not make a ready instance flap."""
        before = self.reports.before.get(instance)
        told = before.containers if before is not None else ()
        return {ContainerId(c.container_id) for c in told if c.status == status.READY}

    def _forget(self, instance: str) -> None:
        self.views.pop(instance, None)
        self.steps.images.release(instance)
        self.steps.sessions.drop(instance)
        self.steps.secrets.drop(instance)
        self.reports.before.pop(instance, None)
        if self.assigned.get(self.node, instance) is None:
            self.reports.drop(instance)

    async def _heard(self, event: EngineEvent) -> None:
        if event.labels:
            instance = event.labels.get(INSTANCE_LABEL, "")
            if (view := self.views.get(instance)) is not None:
                view.stale = True
            self.changed(instance)
            return
        log.info("engine_heard", node=self.node)
        for instance in await self.list_instances():
            self.changed(instance)

    def _look_again(self) -> None:
        for view in self.views.values():
            view.stale = True


def _runs(container: Container | None) -> TypeGuard[Container]:
    return container is not None and container.phase is Phase.RUNNING
