"""What an agent stands on: its VM as the scheduler asked for it, and what all its instances share."""

from snowcave.agent import node as node_part
from snowcave.agent.engine.api import EngineInfo
from snowcave.agent.instances.recipe import Ground
from snowcave.agent.instances.status import stamp
from snowcave.agent.session_files import write_bundle
from snowcave.agent.settings import AgentSettings
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.store.api import Store
from snowcave.v1 import state_pb2 as state

# The API as containers see it; its address is the address plan's.
API_HOST = "snowflake.snowflakecomputing.internal"


async def find_vm(store: Store, settings: AgentSettings) -> state.Vm:
    """What the scheduler asked for; an agent on a real machine has none."""
    found = await store.get(keys.VMS.key(settings.mesh.host, settings.node))
    return state.Vm.FromString(found.value) if found else state.Vm()


def announcement(
    settings: AgentSettings, vm: state.Vm, info: EngineInfo, clock: LoopClock
) -> state.Node:
    return state.Node(
        name=settings.node,
        host=settings.mesh.host,
        compute_pool=vm.compute_pool,
        agent_address=f"{settings.address}:{settings.mesh.grpc_port(Role.AGENT)}",
        engine_version=info.version,
        started_on=stamp(clock.now()),
    )


def ground(settings: AgentSettings, info: EngineInfo) -> Ground:
    """Limits above what the engine's machine has would be refused."""
    mesh, machine = settings.mesh, info.cpus * 1000
    certificates = write_bundle(settings.folder / "certificates", mesh.folder("tls") / "ca.pem")
    return Ground(
        home=mesh.id,
        node=settings.node,
        registry=mesh.registry_host,
        sandbox_image=node_part.SANDBOX_IMAGE,
        account=mesh.account,
        api_host=API_HOST,
        api_address=mesh.plan.api_address,
        dns_address=mesh.plan.dns_address,
        sessions=str(settings.sessions),
        certificates=str(certificates),
        volumes=str(settings.folder / "volumes"),
        secrets=str(settings.secret_folder),
        otlp_grpc=_url(settings.address, settings.telemetry.otlp.grpc_port),
        otlp_http=_url(settings.address, settings.telemetry.otlp.http_port),
        cgroup_parent=settings.cgroup_parent,
        cpu_milli=min(settings.cpu_milli or machine, machine),
        memory_bytes=min(settings.memory_bytes or info.memory_bytes, info.memory_bytes),
    )


def _url(host: str, port: int) -> str:
    return f"http://{host}:{port}" if port else ""
