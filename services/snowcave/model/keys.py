"""The key table of the shared state: every prefix, its one writing role, its message.

docs/keyspace.md is generated from here. The store client and the embedded statestore both refuse
a write by any other role.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar
from urllib.parse import quote, unquote

from google.protobuf.message import Message

from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

M = TypeVar("M", bound=Message)


class Role(StrEnum):
    """Who a process is: the common name of its certificate."""

    API = "api"
    WAREHOUSE = "warehouse"
    REGISTRY = "registry"
    SCHEDULER = "scheduler"
    HYPERVISOR = "hypervisor"
    AGENT = "agent"
    DNS = "dns"
    INGRESS = "ingress"
    FUNCTIONS = "functions"
    EVENTS = "events"
    STATESTORE = "statestore"
    # `snowcave state` and the tests: reads everything, writes nothing.
    ADMIN = "admin"


class Lease(StrEnum):
    """What a key's life hangs on."""

    NONE = ""
    SESSION = "session"
    HEARTBEAT = "heartbeat"
    REIGN = "reign"


@dataclass(frozen=True)
class KeySpace(Generic[M]):
    """One prefix. `parts` names what stands between the slashes after it."""

    prefix: str
    parts: tuple[str, ...]
    writer: Role
    message: type[M]
    about: str
    lease: Lease = Lease.NONE
    # Only the leader among the writer's replicas; its writes compare the reign.
    fenced: bool = False

    def key(self, *parts: object) -> str:
        """The key with these parts; a part may hold any character."""
        if len(parts) != len(self.parts):
            raise ValueError(f"{self.prefix}: want {self.parts}, got {parts}")
        return self.prefix + "/".join(quote(str(part), safe="") for part in parts)

    def under(self, *parts: object) -> str:
        """The prefix of all keys that begin with these parts; ends with a slash."""
        return self.prefix + "".join(quote(str(part), safe="") + "/" for part in parts)

    def split(self, key: str) -> tuple[str, ...]:
        """The parts of a key. Raises ValueError on a key of another prefix."""
        if not key.startswith(self.prefix):
            raise ValueError(f"{key} is not under {self.prefix}")
        return tuple(unquote(part) for part in key[len(self.prefix) :].split("/"))


DOMAINS = (
    "database",
    "schema",
    "role",
    "user",
    "warehouse",
    "compute_pool",
    "image_repository",
    "service",
    "function",
    "stage",
    "snapshot",
    "secret",
    "network_rule",
    "integration",
    "tag",
    "event_table",
    # One object of uid 0: what is set on the account itself.
    "account",
)

# Those whose parent is a schema; the others but schemas belong to the account.
IN_SCHEMA = (
    "service",
    "function",
    "image_repository",
    "stage",
    "secret",
    "snapshot",
    "network_rule",
    "tag",
    "event_table",
)


def catalog(domain: str) -> KeySpace[state.Object]:
    """The catalog of one domain (one of DOMAINS)."""
    if domain not in DOMAINS:
        raise ValueError(f"no such domain: {domain}")
    return KeySpace(f"catalog/{domain}/", ("uid",), Role.API, state.Object, CATALOG.about)


CATALOG = KeySpace(
    "catalog/", ("domain", "uid"), Role.API, state.Object, "what the user asked for"
)
NAMES = KeySpace(
    "name/",
    ("domain", "parent", "name"),
    Role.API,
    state.NameEntry,
    "unique names, by the uid of what holds them (a rename of a database changes one key); "
    "domain dns_hash keeps the schemas' DNS labels unique",
)
GRANTS = KeySpace(
    "grant/",
    ("grantee_kind", "grantee", "domain", "securable", "privilege"),
    Role.API,
    state.Grant,
    "who may do what",
)
SESSIONS = KeySpace(
    "session/state/", ("id",), Role.API, state.Session, "open sessions", Lease.SESSION
)
SESSION_TOKENS = KeySpace(
    "session/token/",
    ("sha256",),
    Role.API,
    state.SessionToken,
    "hashes of the tokens that clients hold",
    Lease.SESSION,
)
QUERIES = KeySpace("query/", ("id",), Role.API, state.Query, "statements", Lease.SESSION)
POOL_STATUS = KeySpace(
    "status/pool/", ("uid",), Role.SCHEDULER, state.PoolStatus, "pools as they are", fenced=True
)
SERVICE_STATUS = KeySpace(
    "status/service/",
    ("uid",),
    Role.SCHEDULER,
    state.ServiceStatus,
    "services and jobs as they are, with their service address",
    fenced=True,
)
LEDGER = KeySpace(
    "status/scheduler/",
    ("name",),
    Role.SCHEDULER,
    state.SchedulerLedger,
    "the leader's last write, and the numbers that are never used twice",
    fenced=True,
)
SNAPSHOT_STATUS = KeySpace(
    "status/snapshot/",
    ("uid",),
    Role.HYPERVISOR,
    state.SnapshotStatus,
    "snapshots as they are, by the machine that has their content",
)
BLOCKS = KeySpace(
    "block/",
    ("service", "instance_id"),
    Role.AGENT,
    state.BlockSet,
    "on which machine an instance's block volumes lie, and which instance has them",
)
ATTACHED = KeySpace(
    "attached/",
    ("service", "instance_id"),
    Role.AGENT,
    state.BlockAttachment,
    "block volumes in use; an agent that cannot keep its key lets go of the volumes",
    Lease.HEARTBEAT,
)
VMS = KeySpace(
    "vm/",
    ("host", "node"),
    Role.SCHEDULER,
    state.Vm,
    "which VMs a machine should run",
    fenced=True,
)
ASSIGNMENTS = KeySpace(
    "assign/",
    ("node", "instance"),
    Role.SCHEDULER,
    state.Assignment,
    "which instances a node should run",
    fenced=True,
)
ENDPOINTS = KeySpace(
    "endpoint/",
    ("service", "instance_id"),
    Role.SCHEDULER,
    state.Endpoint,
    "address and readiness of every instance",
    fenced=True,
)
HOSTS = KeySpace(
    "host/", ("host",), Role.HYPERVISOR, state.Host, "machines and their capacity", Lease.HEARTBEAT
)
DNS_SERVERS = KeySpace(
    "dns/",
    ("address", "port"),
    Role.DNS,
    state.DnsServer,
    "replicas of dns that are alive, where nodes reach them",
    Lease.HEARTBEAT,
)
NODES = KeySpace(
    "node/", ("node",), Role.AGENT, state.Node, "nodes whose agent is alive", Lease.HEARTBEAT
)
REPORTS = KeySpace(
    "report/",
    ("node", "instance"),
    Role.AGENT,
    state.InstanceReport,
    "instances as their agent sees them",
    Lease.HEARTBEAT,
)
SERVICE_USE = KeySpace(
    "use/service/",
    ("uid",),
    Role.FUNCTIONS,
    state.ServiceUse,
    "when a service's functions were called last",
)
SCHEDULER_EVENTS = KeySpace(
    "event/scheduler/",
    ("number",),
    Role.SCHEDULER,
    events.AppendRequest,
    "platform events of the scheduler's, on their way to the event table",
)
API_EVENTS = KeySpace(
    "event/api/",
    ("id",),
    Role.API,
    events.AppendRequest,
    "platform events of api's, on their way to the event table",
)
IMAGES = KeySpace(
    "image/",
    ("repository", "image_name", "tag"),
    Role.REGISTRY,
    state.Image,
    "tag to digest",
)


def reign(role: Role) -> KeySpace[state.Reign]:
    """The leadership key of a role's replicas; each role writes its own."""
    return KeySpace(f"reign/{role}/", ("campaign",), role, state.Reign, "who leads", Lease.REIGN)


TABLE: tuple[KeySpace[Message], ...] = (  # type: ignore[assignment]
    CATALOG,
    NAMES,
    GRANTS,
    SESSIONS,
    SESSION_TOKENS,
    QUERIES,
    POOL_STATUS,
    SERVICE_STATUS,
    LEDGER,
    SNAPSHOT_STATUS,
    BLOCKS,
    ATTACHED,
    VMS,
    ASSIGNMENTS,
    ENDPOINTS,
    HOSTS,
    DNS_SERVERS,
    NODES,
    REPORTS,
    SERVICE_USE,
    SCHEDULER_EVENTS,
    API_EVENTS,
    IMAGES,
)


def writer_of(key: str) -> Role | None:
    """The one role that may write `key`; None where no row of the table covers it."""
    if key.startswith("reign/"):
        name = key.split("/")[1]
        return Role(name) if name in set(Role) else None
    space = space_of(key)
    return space.writer if space else None


def space_of(key: str) -> KeySpace[Message] | None:
    """The row of the table that covers `key`."""
    if key.startswith("reign/"):
        return reign(Role.SCHEDULER)  # type: ignore[return-value]
    return next((space for space in TABLE if key.startswith(space.prefix)), None)


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Prefix, writer, lease, message and meaning, for the documentation."""
    for space in TABLE:
        pattern = space.prefix + "/".join(f"<{part}>" for part in space.parts)
        writer = f"{space.writer} (leader)" if space.fenced else str(space.writer)
        yield pattern, writer, str(space.lease), space.message.DESCRIPTOR.name, space.about
    yield "reign/<role>/<campaign>", "the role's leader", str(Lease.REIGN), "Reign", "who leads"
