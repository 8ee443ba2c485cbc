"""Everything that can be set about an agent: section [agent] of snowcave.toml, SNOWCAVE_AGENT__…"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from snowcave.agent.engine.docker import DockerDeadlines
from snowcave.agent.images import PullSettings
from snowcave.agent.instances.keeper import KeeperSettings
from snowcave.agent.instances.plan import Policy
from snowcave.agent.logs.shipper import LogSettings
from snowcave.agent.network.hosts import HostSettings
from snowcave.agent.probes import ProbeSettings
from snowcave.agent.reports import ReportSettings
from snowcave.agent.scraping import ScrapeSettings
from snowcave.agent.session_files import SessionSettings
from snowcave.agent.telemetry.open import TelemetrySettings
from snowcave.agent.volumes.open import VolumeSettings
from snowcave.agent.volumes.secret_files import SecretSettings
from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class AgentSettings:
    """The hypervisor that starts an agent gives it the first group."""

    mesh: Mesh
    # Name of the node, as in `assign/<node>/…`.
    node: str = ""
    # The node's underlay address: where the agent's gRPC server listens.
    address: str = "127.0.0.1"
    # CIDR of the node's instances.
    network: str = ""
    # The VM's cgroup, below which its containers live; empty: the engine's default.
    cgroup_parent: str = ""
    # What the VM has; 0: what the machine has.
    cpu_milli: int = 0
    memory_bytes: int = 0
    gpu: int = 0

    # Socket of the container engine; empty: the mesh's, or Snowcave's own.
    engine_socket: str = ""
    # `docker` or `simulated`.
    engine: str = "docker"
    # The node's own folder, which it shares with its hypervisor; empty: <home>/run/nodes/<node>.
    state_folder: str = ""
    # Where the admin port listens; empty: `address`.
    admin_host: str = ""
    # Where the store answers as seen from the node; empty: over the fabric.
    store_address: str = ""
    # Seconds between SIGTERM and SIGKILL.
    stop_grace: float = 30.0
    # Seconds between the order to stop, which withdraws an instance from ingress, functions, names and
    # service addresses, and SIGTERM; for instances with endpoints.
    stop_settle: float = 2.0
    # Seconds between two looks at every instance though nothing seems to have happened.
    resync: float = 60.0
    # Instances that are worked on at one time.
    workers: int = 8

    # `stop_grace` and `stop_settle` of this table give way to those above.
    restart: Policy = field(default_factory=Policy)
    keeper: KeeperSettings = field(default_factory=KeeperSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    secrets: SecretSettings = field(default_factory=SecretSettings)
    volumes: VolumeSettings = field(default_factory=VolumeSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    pull: PullSettings = field(default_factory=PullSettings)
    scrape: ScrapeSettings = field(default_factory=ScrapeSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    hosts: HostSettings = field(default_factory=HostSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    docker: DockerDeadlines = field(default_factory=DockerDeadlines)

    def __post_init__(self) -> None:
        if not self.admin_host:
            object.__setattr__(self, "admin_host", self.address)

    @property
    def policy(self) -> Policy:
        return replace(self.restart, stop_grace=self.stop_grace, stop_settle=self.stop_settle)

    @property
    def folder(self) -> Path:
        if self.state_folder:
            return Path(self.state_folder)
        return self.mesh.folder("run") / "nodes" / self.node

    @property
    def sessions(self) -> Path:
        return Path(self.session.folder or self.mesh.session_folder / self.node)

    @property
    def secret_folder(self) -> Path:
        beside = self.sessions.with_name(f"{self.sessions.name}.secrets")
        return Path(self.secrets.folder or beside)

    @property
    def socket(self) -> str:
        return self.engine_socket or self.mesh.engine_socket or str(self.mesh.own_engine_socket)
