"""The reconciler of pools and services: which change wakes which key, and one step at a time."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple, Protocol

import prometheus_client
import structlog

from snowcave.runtime.reconciler import Done, Reconciler
from snowcave.scheduler import pool_step, service_step
from snowcave.scheduler.ledger import Ledger
from snowcave.scheduler.step import Step
from snowcave.scheduler.views import Views
from snowcave.scheduler.world import Key, service_of
from snowcave.store.election import Reign
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

STEPS = prometheus_client.Histogram(
    "snowcave_scheduler_step_seconds",
    "One decision with its write",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 5.0),
)
UNTOLD_EVENTS = prometheus_client.Counter(
    "snowcave_scheduler_untold_events", "Platform events for which there was no room."
)


class Catalog(Protocol):
    """What we ask of api, which alone writes the catalog. Raises what api raised, or Unavailable."""

    async def forget(self, uid: int) -> None:
        """Nothing is left of a dropped object."""
        ...

    async def suspend(self, uid: int, *, by_policy: bool = False) -> None:
        """It has been idle for as long as it wants, which api looks at once more; or a policy says so."""
        ...


# A little later than the moment itself, so that the moment has passed.
_MARGIN = 0.05
# Seconds in which changes of a pool's instances are gathered.
_GATHER = 0.1


class Target(NamedTuple):
    kind: Literal["pool", "service"]
    uid: int


class Placing:
    """Nothing is written without the reign; a standby only keeps its mirrors warm."""

    def __init__(self, views: Views, ledger: Ledger, catalog: Catalog, resync: float) -> None:
        self._views = views
        self._ledger = ledger
        self.catalog = catalog
        self.reconciler: Reconciler[Target] = Reconciler(
            self.reconcile, list_keys=self._all, resync=resync
        )

    async def reconcile(self, target: Target) -> Done:
        if not self._ledger.leading:
            return Done()  # everything is looked at when a reign begins
        async with self._ledger.turn() as book:
            with STEPS.time():
                step = self._decide(target, book)
                if step.writes:
                    await self._ledger.commit(step.writes, book)
                    UNTOLD_EVENTS.inc(step.untold)
            if step.writes:
                log.debug(
                    "step_written", target=f"{target.kind}/{target.uid}", writes=len(step.writes)
                )
        if step.forget:
            await self.catalog.forget(target.uid)
        if step.suspend:
            await self.catalog.suspend(target.uid)
        if step.more:
            return Done(again_in=0.0)
        waits = [step.again_in, self._next_loss(target)]
        return Done(
            again_in=min((one + _MARGIN for one in waits if one is not None), default=None)
        )

    def _decide(self, target: Target, book: state.SchedulerLedger) -> Step:
        if target.kind == "pool":
            return pool_step.next_step(self._views.pool(target.uid), book)
        return service_step.next_step(self._views.service(target.uid), book)

    def _next_loss(self, target: Target) -> float | None:
        return self._views.next_loss(target.uid) if target.kind == "service" else None

    async def _all(self) -> Iterable[Target]:
        return self._targets()

    def _targets(self) -> list[Target]:
        """Whatever is asked for, and whatever is left of what is asked for no longer."""
        world, mirrors = self._views.world, self._views.world.mirrors
        pools = {int(key[0]) for key, _ in mirrors.pools.items()}
        pools |= {int(key[0]) for key, _ in mirrors.pool_statuses.items()}
        pools |= {vm.compute_pool for vm in mirrors.vms.values()}
        services = {int(key[0]) for key, _ in mirrors.services.items()}
        services |= {int(key[0]) for key, _ in mirrors.statuses.items()}
        services |= world.services_with_assignments()
        return [Target("pool", uid) for uid in sorted(pools)] + [
            Target("service", uid) for uid in sorted(services)
        ]

    # ---- what wakes whom

    @asynccontextmanager
    async def listening(self, reign: Reign) -> AsyncGenerator[None]:
        mirrors = self._views.world.mirrors
        unsubscribe = [
            reign.subscribe(self._on_reign),
            mirrors.services.subscribe(self._on_service),
            mirrors.pools.subscribe(self._on_pool),
            mirrors.hosts.subscribe(self._on_host),
            mirrors.nodes.subscribe(self._on_node),
            mirrors.vms.subscribe(self._on_vm),
            mirrors.reports.subscribe(self._on_report),
            mirrors.assignments.subscribe(self._on_assignment),
            mirrors.statuses.subscribe(self._on_status),
            mirrors.uses.subscribe(lambda key, _: self._wake("service", int(key[0]))),
            mirrors.blocks.subscribe(lambda key, _: self._wake("service", int(key[0]))),
        ]
        try:
            yield
        finally:
            for stop in unsubscribe:
                stop()

    def wake_service(self, uid: int) -> None:
        self._wake("service", uid)

    def _wake(self, kind: Literal["pool", "service"], uid: int) -> None:
        if uid:
            self.reconciler.queue.add(Target(kind, uid))

    def _on_reign(self, leading: bool) -> None:
        if leading:
            for target in self._targets():
                self.reconciler.queue.add(target)

    def _on_service(self, key: Key, service: state.Object | None) -> None:
        self._wake("service", int(key[0]))
        if service is not None:
            self._wake("pool", service.service.compute_pool)

    def _on_status(self, key: Key, _status: state.ServiceStatus | None) -> None:
        """Instances may wait for a node, or wait no longer."""
        service = self._views.world.mirrors.services.get(*key)
        self._wake("service", int(key[0]))
        if service is not None:
            self._wake_pool(service.service.compute_pool)

    def _on_pool(self, key: Key, _pool: state.Object | None) -> None:
        self._wake_pool_and_services(int(key[0]))

    def _on_host(self, _key: Key, _host: state.Host | None) -> None:
        for target in self._targets():
            if target.kind == "pool":
                self.reconciler.queue.add(target)

    def _on_vm(self, key: Key, vm: state.Vm | None) -> None:
        if vm is None:
            self._views.world.forget_node(key[1])
        else:
            self._wake("pool", vm.compute_pool)
        self._on_node(key[1:], None)

    def _on_node(self, key: Key, _node: state.Node | None) -> None:
        """It came, went, or has more room."""
        vm = self._views.world.vm(key[0])
        if vm is not None:
            self._wake_pool(vm.compute_pool)
            for uid in self._views.world.waiting_in(vm.compute_pool):
                self._wake("service", uid)
        for one in self._views.world.assignments_on(key[0]):
            self._wake("service", one.service)

    def _on_report(self, key: Key, _report: state.InstanceReport | None) -> None:
        self._wake("service", service_of(key[1]))

    def _on_assignment(self, key: Key, assignment: state.Assignment | None) -> None:
        self._wake("service", service_of(key[1]))
        if assignment is None:
            self._on_node(key[:1], None)
        else:
            self._wake_pool(assignment.identity.compute_pool)

    def _wake_pool(self, pool: int) -> None:
        """Soon: a look at a pool is a look at all its nodes, and much may change at a time."""
        if pool:
            self.reconciler.queue.add_after(Target("pool", pool), _GATHER)

    def _wake_pool_and_services(self, pool: int) -> None:
        self._wake("pool", pool)
        for uid, _ in self._views.world.services_in(pool):
            self._wake("service", uid)
