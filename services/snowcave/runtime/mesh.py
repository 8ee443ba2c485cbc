"""Where one Snowcave instance lives: its home, its ports, its addresses, its names.

Everything that two instances on a machine must not share is derived here from the home and the
port base.
"""

import hashlib
import ipaddress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from snowcave.model.keys import Role

DEFAULT_HOME = Path("/var/lib/snowcave")
DEFAULT_PORT_BASE = 8400

# Offsets from the port base. docs/ports.md is generated from these tables.
_PUBLIC = {
    "api": 0,
    "registry": 1,
    "ingress": 2,
    "grpc": 3,
    "api-tls": 43,
    "grpc-tls": 44,
    "dns": 53,
}
_GRPC = {
    Role.WAREHOUSE: 10,
    Role.REGISTRY: 11,
    Role.SCHEDULER: 12,
    Role.HYPERVISOR: 13,
    Role.DNS: 14,
    Role.INGRESS: 15,
    Role.FUNCTIONS: 16,
    Role.EVENTS: 17,
    Role.API: 18,
    Role.AGENT: 19,
    Role.STATESTORE: 79,
}
_ADMIN_OFFSET = 20  # admin port = gRPC port + 20, but for the statestore


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """Three /16 networks (CIDR texts) and what is derived from them."""

    underlay: str = "10.246.0.0/16"
    instances: str = "10.244.0.0/16"
    services: str = "10.245.0.0/16"

    def underlay_address(self, number: int) -> str:
        """Host `number` of the underlay: 1 is this machine, 2 its engine, VMs from 11 on."""
        return str(ipaddress.ip_network(self.underlay)[number])

    @property
    def machine(self) -> str:
        """The root namespace's end of the fabric link: the platform's address."""
        return self.underlay_address(1)

    @property
    def engine(self) -> str:
        """The engine of our own, in its namespace."""
        return self.underlay_address(2)

    @property
    def most_nodes(self) -> int:
        """How many /24 networks there are for nodes, without the first and the last."""
        return max(1, (ipaddress.ip_network(self.instances).num_addresses >> 8) - 2)

    def node_network(self, index: int) -> str:
        """The /24 of the node with this index (1…most_nodes)."""
        base = ipaddress.ip_network(self.instances)
        return f"{base[index << 8]}/24"

    def node_index(self, network: str) -> int:
        """Which index a node's network belongs to."""
        first = ipaddress.ip_network(self.instances).network_address
        return (int(ipaddress.ip_network(network).network_address) - int(first)) >> 8

    def node_underlay(self, index: int) -> str:
        return self.underlay_address(10 + index)

    def service_address(self, number: int) -> str:
        return str(ipaddress.ip_network(self.services)[number])

    @property
    def dns_address(self) -> str:
        """What containers have in resolv.conf."""
        return self.service_address(53)

    @property
    def api_address(self) -> str:
        """SNOWFLAKE_HOST inside containers, TLS 443."""
        return self.service_address(2)

    @property
    def first_service(self) -> int:
        """Service addresses are given out from this number on."""
        return 256


@dataclass(frozen=True)
class Mesh:
    """What every daemon of one instance knows. Read from `<home>/mesh.toml` and the environment."""

    home: Path = DEFAULT_HOME
    port_base: int = DEFAULT_PORT_BASE
    # Address that the public ports listen on.
    listen: str = "127.0.0.1"
    # Name of this machine in the mesh.
    host: str = "local"
    organization: str = "LOCAL"
    account: str = "SNOWCAVE"
    ingress_domain: str = "localhost"
    # host:port of a real etcd; empty: the embedded statestore.
    store: str = ""
    # Socket of the container engine; empty: the machine's if it answers, else one of our own.
    engine_socket: str = ""
    # Refuse nodes that are larger than what a machine has left; else they share what there is.
    strict_capacity: bool = False
    log_format: str = "console"
    log_level: str = "info"
    plan: AddressPlan = field(default_factory=AddressPlan)

    @cached_property
    def id(self) -> str:
        """Four hex digits of the home: in every name and mark we leave on the machine."""
        return hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:4]

    def port(self, name: str) -> int:
        """A public port: api, api-tls, registry, ingress, grpc, grpc-tls, dns."""
        return self.port_base + _PUBLIC[name]

    def grpc_port(self, role: Role) -> int:
        return self.port_base + _GRPC[role]

    def admin_port(self, role: Role) -> int:
        return self.port_base + _GRPC[role] + (1 if role is Role.STATESTORE else _ADMIN_OFFSET)

    def grpc_address(self, role: Role) -> str:
        """Where this machine's daemon of that role answers, seen from the root namespace."""
        return f"127.0.0.1:{self.grpc_port(role)}"

    def grpc_address_from_node(self, role: Role) -> str:
        """The same, seen from inside a VM."""
        return f"{self.plan.machine}:{self.grpc_port(role)}"

    @property
    def store_address(self) -> str:
        return self.store or self.grpc_address(Role.STATESTORE)

    @property
    def registry_host(self) -> str:
        """As in repository_url and image names that docker uses."""
        return f"localhost:{self.port('registry')}"

    def folder(self, name: str) -> Path:
        """A folder of the home: state, registry, stages, events, warehouse, tls, run, log."""
        return self.home / name

    @property
    def session_folder(self) -> Path:
        """In memory: the tokens of this machine's containers, a folder a node."""
        return Path("/dev/shm") / f"snowcave-{self.id}"

    @property
    def own_engine_socket(self) -> Path:
        return self.folder("run") / "docker.sock"

    @property
    def fabric_namespace(self) -> str:
        return f"sc-{self.id}-fabric"

    @property
    def engine_namespace(self) -> str:
        return f"sc-{self.id}-engine"

    def vm_namespace(self, node: str) -> str:
        return f"sc-{self.id}-{node}"

    @property
    def root_link(self) -> str:
        """Name of the fabric link's end in the root namespace."""
        return f"sc{self.id}"

    @property
    def cgroup(self) -> str:
        return f"/snowcave-{self.id}"

    @property
    def container_label(self) -> str:
        return f"io.snowcave.home={self.id}"
