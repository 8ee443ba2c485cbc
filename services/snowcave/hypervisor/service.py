"""HypervisorService: which VMs run on this machine, for operators and tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

from snowcave.hypervisor.vms import Vms
from snowcave.model.keys import Role
from snowcave.runtime.grpc import serve
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import nodes_pb2, nodes_pb2_grpc


class Servicer(nodes_pb2_grpc.HypervisorServiceServicer):
    def __init__(self, mesh: Mesh, vms: Vms) -> None:
        self._mesh = mesh
        self._vms = vms

    async def ListVms(  # noqa: N802  # the name is gRPC's
        self,
        request: nodes_pb2.ListVmsRequest,
        context: grpc.aio.ServicerContext[nodes_pb2.ListVmsRequest, nodes_pb2.ListVmsReply],
    ) -> nodes_pb2.ListVmsReply:
        """What is on the machine, not what is wanted; pid 0 says that the agent is down."""
        reply = nodes_pb2.ListVmsReply()
        for node in sorted(await self._vms.nodes()):
            found = self._vms.find(node)
            if found.namespace:
                reply.vms.add(
                    node=node,
                    agent_pid=found.agent.pid if found.agent else 0,
                    namespace=self._mesh.vm_namespace(node),
                    cgroup=f"{self._mesh.cgroup}/{node}",
                )
        return reply


@asynccontextmanager
async def open_service(mesh: Mesh, vms: Vms) -> AsyncGenerator[None]:
    def add(server: grpc.aio.Server) -> None:
        nodes_pb2_grpc.add_HypervisorServiceServicer_to_server(Servicer(mesh, vms), server)

    async with serve(
        Role.HYPERVISOR,
        [mesh.grpc_address(Role.HYPERVISOR)],
        mesh.folder("tls"),
        [("snowcave.v1.HypervisorService", add)],
        callers=(Role.ADMIN, Role.API, Role.SCHEDULER),
    ):
        yield
