"""Settings of the hypervisor."""

from dataclasses import dataclass, field

from snowcave.hypervisor.storage import StorageSettings
from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class HypervisorSettings:
    """Section `hypervisor` of snowcave.toml. Durations in seconds."""

    mesh: Mesh = field(default_factory=Mesh)
    # How long the store remembers this machine after it has fallen silent.
    heartbeat: float = 10.0
    # How often every VM is looked at even if nothing changed.
    resync: float = 60.0
    # What an agent gets to say goodbye when its VM is stopped.
    agent_grace: float = 10.0
    # An agent that lived this long has started well: its next restart is not delayed.
    agent_steady: float = 20.0
    # The longest pause before an agent that keeps dying is started again.
    agent_backoff: float = 10.0
    # VMs that are made or removed at once.
    workers: int = 4
    storage: StorageSettings = field(default_factory=StorageSettings)
    # The container engine's socket; empty: the mesh's, else our own engine's if there, else the machine's.
    engine_socket: str = ""
    # The program of an agent; empty: this one.
    agent_command: tuple[str, ...] = ()
