"""What the mirrors say of a function: where its batches go and by which rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from snowcave.functions import metrics, wire
from snowcave.functions.routing import Instance
from snowcave.functions.settings import BatchSettings
from snowcave.model.errors import ObjectNotFound, ServiceNotReady
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

# Functions whose ready instances are remembered.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """A function with every default filled in."""

    name: str
    signature: str
    returns: str
    path: str
    strict: bool
    service: int
    max_rows: int
    max_retries: int
    return_null: bool
    timeout: float
    context_headers: tuple[str, ...]
    # What operators see: with its place and the types of its arguments.
    shown: str
    counts: metrics.Counts


class Targets(Protocol):
    async def known(self, revision: int) -> None:
        """Once the functions are known as of this revision of the store; may be never."""
        ...

    def rules(self, function: int, full_name: str = "") -> Rules:
        """`full_name`: with database and schema, for operators. Raises ObjectNotFound."""
        ...

    def ready(self, function: int) -> Sequence[Instance]:
        """The instances that may be called now; empty where none is ready."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Called when instances may have come or gone; answers how to stop that."""
        ...

    def require_ready(self, function: int) -> None:
        """Raises ServiceNotReady, naming the service and its status."""
        ...


@dataclass(frozen=True)
class MirroredTargets:
    functions: Mirror[state.Object]
    services: Mirror[state.Object]
    endpoints: Mirror[state.Endpoint]
    statuses: Mirror[state.ServiceStatus]
    defaults: BatchSettings
    # By function: as of which revisions, and what was ready then.
    _known: dict[int, tuple[int, int, list[Instance]]] = field(
        default_factory=dict[int, tuple[int, int, list[Instance]]]
    )

    async def known(self, revision: int) -> None:
        await self.functions.wait(lambda functions: functions.revision >= revision)

    def rules(self, function: int, full_name: str = "") -> Rules:
        found = self.functions.get(function)
        if found is None or found.HasField("dropped_on"):
            raise ObjectNotFound("Function", str(function))
        body = found.function
        types = ", ".join(wire.base_type(argument.type) for argument in body.arguments)
        shown = f"{full_name or found.name}({types})"
        return Rules(
            name=found.name,
            signature=wire.signature([(a.name, a.type) for a in body.arguments]),
            returns=body.returns,
            path=body.path if body.path.startswith("/") else "/" + body.path,
            strict=body.strict,
            service=body.service,
            max_rows=body.max_batch_rows or self.defaults.rows,
            # api writes it with every function: 0 means none.
            max_retries=body.max_batch_retries,
            return_null=body.return_null_on_failure,
            timeout=body.batch_timeout_secs or self.defaults.timeout,
            context_headers=tuple(body.context_headers),
            shown=shown,
            counts=metrics.of(shown),
        )

    def ready(self, function: int) -> Sequence[Instance]:
        as_of = (self.functions.revision, self.endpoints.revision)
        known = self._known.get(function)
        if known is None or known[:2] != as_of:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[function] = (*as_of, self._ready(function))
        return known[2]

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return self.endpoints.subscribe(lambda *_: callback())

    def _ready(self, function: int) -> list[Instance]:
        found = self.functions.get(function)
        if found is None:
            return []
        body = found.function
        return [
            Instance(endpoint.instance, endpoint.address, port)
            for _, endpoint in self.endpoints.items(body.service)
            if endpoint.ready and endpoint.address
            for port in _ports(endpoint, body.endpoint)
        ]

    def require_ready(self, function: int) -> None:
        if self.ready(function):
            return
        found = self.functions.get(function)
        service = found.function.service if found else 0
        known, status = self.services.get(service), self.statuses.get(service)
        if known is None:
            raise ObjectNotFound("Service", str(service))
        raise ServiceNotReady(known.name, status.status if status and status.status else "PENDING")


def _ports(endpoint: state.Endpoint, name: str) -> list[int]:
    return [spec.port for spec in endpoint.ports if spec.name.lower() == name.lower()][:1]
