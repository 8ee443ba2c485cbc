"""What the mirrors say of a function: where its batches go and by which rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from snowcave.functions import metrics, wire
from snowcave.functions.routing import Instance
from snowcave.functions.settings import BatchSettings
from snowcave.model.errors import ObjectNotFound, ServiceNotReady
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

# Aims whose ready instances are remembered.
_REMEMBERED = 1024


class Aim(NamedTuple):
    """Where a call sends its batches, from first to last, whatever becomes of the function meanwhile."""

    function: int
    service: int
    endpoint: str


@dataclass(frozen=True, slots=True)
class Rules:
    """A function with every default filled in."""

    name: str
    signature: str
    returns: str
    path: str
    strict: bool
    aim: Aim
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

    def ready(self, aim: Aim) -> Sequence[Instance]:
        """The instances that may be called now; empty where none is ready."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Called when instances may have come or gone; answers how to stop that."""
        ...

    def require_ready(self, aim: Aim) -> None:
        """Raises ServiceNotReady, naming the service and its status, or ObjectNotFound."""
        ...


@dataclass(frozen=True)
class MirroredTargets:
    functions: Mirror[state.Object]
    services: Mirror[state.Object]
    endpoints: Mirror[state.Endpoint]
    statuses: Mirror[state.ServiceStatus]
    defaults: BatchSettings
    # As of which revision, and what was ready then.
    _known: dict[Aim, tuple[int, list[Instance]]] = field(
        default_factory=dict[Aim, tuple[int, list[Instance]]]
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
            aim=Aim(function, body.service, body.endpoint.lower()),
            max_rows=body.max_batch_rows or self.defaults.rows,
            # api writes it with every function: 0 means none.
            max_retries=body.max_batch_retries,
            return_null=body.return_null_on_failure,
            timeout=body.batch_timeout_secs or self.defaults.timeout,
            context_headers=tuple(body.context_headers),
            shown=shown,
            counts=metrics.of(shown),
        )

    def ready(self, aim: Aim) -> Sequence[Instance]:
        as_of = self.endpoints.revision
        known = self._known.get(aim)
        if known is None or known[0] != as_of:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[aim] = (as_of, self._ready(aim))
        return known[1]

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return self.endpoints.subscribe(lambda *_: callback())

    def _ready(self, aim: Aim) -> list[Instance]:
        return [
            Instance(endpoint.instance, endpoint.address, port)
            for _, endpoint in self.endpoints.items(aim.service)
            if endpoint.ready and endpoint.address
            for port in _ports(endpoint, aim.endpoint)
        ]

    def require_ready(self, aim: Aim) -> None:
        if self.ready(aim):
            return
        known, status = self.services.get(aim.service), self.statuses.get(aim.service)
        if known is None:
            raise ObjectNotFound("Service", str(aim.service))
        status = status or state.ServiceStatus()
        # What is ready may have no such endpoint, and the mirrors may be of two moments.
        needed = known.service.min_ready_instances
        raise ServiceNotReady(
            known.name, status.status or "PENDING", status.ready_instances, needed
        )


def _ports(endpoint: state.Endpoint, name: str) -> list[int]:
    return [spec.port for spec in endpoint.ports if spec.name.lower() == name][:1]
