"""Why a service's instances stand where they do, in sentences."""

from collections.abc import Iterator

from snowcave.model.errors import ObjectNotFound
from snowcave.scheduler.pools import PoolVm
from snowcave.scheduler.views import Views
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import nodes_pb2_grpc as rpc
from snowcave.v1 import state_pb2 as state


class Explaining(rpc.SchedulerServiceServicer):
    """Any replica may be asked: mirrors are enough."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def Explain(  # noqa: N802  # gRPC's name
        self, request: v1.ExplainRequest, context: object
    ) -> v1.ExplainReply:
        mirrors = self._views.world.mirrors
        service = mirrors.services.get(request.service)
        if service is None:
            raise ObjectNotFound("Service", str(request.service))
        told = mirrors.statuses.get(request.service) or state.ServiceStatus()
        pool = self._views.pool(service.service.compute_pool)
        return v1.ExplainReply(
            sentences=[
                f"Service {service.name} is {told.status or 'new'}: {told.ready_instances} of "
                f"{told.target_instances} instances are ready.",
                *_instances(told),
                f"Its compute pool is {pool.before.state or 'new'} with {len(pool.vms)} nodes.",
                *(
                    f"Node {vm.node} is {_how(vm)}, has {vm.instances} instances, "
                    f"and {vm.free.cpu_milli} thousandths of a core and {vm.free.memory_bytes} bytes free."
                    for vm in pool.seen
                ),
            ]
        )


def _how(vm: PoolVm) -> str:
    if not vm.up:
        return "away"
    return "being emptied" if vm.draining or vm.stopping else "up"


def _instances(told: state.ServiceStatus) -> Iterator[str]:
    for row in told.instances:
        where = f"stands on node {row.node} at {row.address}" if row.node else "has no node"
        why = f": {row.message}" if row.message else ""
        yield f"Instance {row.instance_id} {where} and is {row.status}{why}."
