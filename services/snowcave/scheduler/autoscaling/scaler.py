"""The leader's autoscaling: every half minute it measures, evaluates, and says what is to change.

It writes nothing itself. How many instances there should be goes into `views.scales`, from where the next
step of the service takes it; a suspension goes to api. Histories are this replica's own: a new leader first
watches for as long as the policies want.
"""

from dataclasses import dataclass, field

import structlog

from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError
from snowcave.scheduler import status
from snowcave.scheduler.autoscaling.evaluate import (
    History,
    Pace,
    Scale,
    Situation,
    decide,
    observe,
)
from snowcave.scheduler.autoscaling.measures import Collector
from snowcave.scheduler.autoscaling.policy import Point, Policies, policies_of
from snowcave.scheduler.placing import Placing
from snowcave.scheduler.views import Views
from snowcave.store.election import Reign
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


@dataclass
class Autoscaler:
    views: Views
    placing: Placing
    reign: Reign
    collector: Collector
    clock: Clock
    pace: Pace
    _histories: dict[int, History] = field(default_factory=dict[int, History])

    async def run(self) -> None:
        """Endless, from beginning to beginning: what measuring takes must not stretch the windows."""
        due = self.clock.monotonic()
        while True:
            due = max(due + self.pace.period, self.clock.monotonic())
            await self.clock.sleep(due - self.clock.monotonic())
            if self.reign.leading:
                await self.evaluate()
            else:
                self._histories.clear()
                self.views.scales.clear()

    async def evaluate(self) -> None:
        """All services once."""
        scaled = dict(self._services())
        points = await self.collector.collect(
            (node, one)
            for uid in scaled
            for one in self.views.world.assignments_of(uid)
            if not one.stopping
            and (node := self.views.world.mirrors.nodes.get(one.node)) is not None
        )
        self.views.scales.clear()
        self._histories = {uid: self._histories.get(uid, History()) for uid in scaled}
        for uid, policies in scaled.items():
            await self._settle(uid, policies, points.get(uid, []))

    def _services(self) -> list[tuple[int, Policies]]:
        """Those that run and have policies, their own or ours."""
        mirrors = self.views.world.mirrors
        found: list[tuple[int, Policies]] = []
        for key, service in mirrors.services.items():
            told = mirrors.statuses.get(*key)
            runs = told is not None and told.status in (status.RUNNING, status.PENDING)
            rests = service.service.suspended or service.HasField("dropped_on")
            if runs and not rests and (policies := policies_of(service.service)):
                found.append((int(key[0]), policies))
        return found

    async def _settle(self, uid: int, policies: Policies, points: list[Point]) -> None:
        mirrors = self.views.world.mirrors
        service, told = mirrors.services.get(uid), mirrors.statuses.get(uid)
        if service is None or told is None:
            return  # it went while we measured
        now = self.clock.monotonic()
        history = observe(
            self._histories[uid], policies, points, told.current_instances, now, self.pace
        )
        self._histories[uid] = history
        scale = decide(history, policies, self._situation(service.service, told), self.pace)
        if scale is not None:
            log.info(
                "service_scaled",
                service=service.name,
                before=told.current_instances,
                after=scale.instances,
                because=scale.because,
            )
            await self._apply(uid, scale)

    def _situation(self, service: state.Service, told: state.ServiceStatus) -> Situation:
        since = None
        if told.HasField("scaled_on"):
            now = self.clock.now()
            since = (now - told.scaled_on.ToDatetime(now.tzinfo)).total_seconds()
        return Situation(
            current=told.current_instances,
            target=told.target_instances,
            least=max(1, service.min_instances),
            most=max(1, service.max_instances),
            since_scaled=since,
        )

    async def _apply(self, uid: int, scale: Scale) -> None:
        if scale.instances:
            self.views.scales[uid] = scale.instances
            self.placing.wake_service(uid)
            return
        try:
            await self.placing.catalog.suspend(uid, by_policy=True)
        except SnowcaveError as error:
            # The next evaluation says so again.
            log.warning("service_not_suspended", service=uid, error=error.message)
