"""What may be seen of a mesh from outside: pid files, /readyz, store dumps, `docker inspect`, logs.

Nothing here asks a daemon about its inside, so no daemon can talk a run into passing.
"""

import json
import subprocess
from pathlib import Path
from typing import cast

from google.protobuf.message import Message

from snowcave.cli.supervisor import readiness
from snowcave.cli.supervisor.engine import MACHINE_SOCKET
from snowcave.cli.supervisor.processes import ProcessId, read_pid
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.client import open_store
from snowcave.v1 import state_pb2 as state
from tests.kit.accidents import accidents

_SECONDS = 30.0


class MeshView:
    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @property
    def fabric_namespace(self) -> str:
        return self.mesh.fabric_namespace

    def vm_cgroup(self, node: str) -> str:
        return f"{self.mesh.cgroup}/{node}"

    def process(self, target: str) -> ProcessId | None:
        """A daemon by its name, `agent-<node>`, `engine` (our own) or `up`; None where it does not run."""
        return read_pid(self.mesh.folder("run") / f"{target}.pid")

    def nodes(self) -> list[str]:
        """Nodes whose agent runs on this machine."""
        names = (path.stem.removeprefix("agent-") for path in self._pid_files("agent-*"))
        return sorted(name for name in names if self.process(f"agent-{name}") is not None)

    def _pid_files(self, pattern: str) -> list[Path]:
        return list(self.mesh.folder("run").glob(f"{pattern}.pid"))

    async def waiting(self) -> list[str]:
        """Daemons, agents included, that are not ready, with what they wait for."""
        answers = await readiness.ask_all(self.mesh)
        waiting = [f"{a.role}: {', '.join(a.waiting_for)}" for a in answers if not a.ready]
        return waiting or await self._waiting_agents()

    async def _waiting_agents(self) -> list[str]:
        waiting: list[str] = []
        try:
            vms = await self.vms()
        except SnowcaveError as error:
            return [f"store: {error.message}"]
        for vm in vms:
            where = (vm.underlay_address, self.mesh.admin_port(Role.AGENT))
            answer = await readiness.ask_at(Role.AGENT, *where)
            if not answer.ready:
                waiting.append(f"agent of {vm.node}: {', '.join(answer.waiting_for)}")
        return waiting

    async def vms(self) -> list[state.Vm]:
        """The nodes that there should be."""
        found = (await self.dump(keys.VMS.prefix)).values()
        return [vm for one in found if not (vm := cast(state.Vm, one)).stopping]

    def containers(self) -> dict[str, str]:
        """Running containers of this mesh: id → start time."""
        label = f"label={self.mesh.container_label}"
        ids = self._docker("ps", "--quiet", "--no-trunc", "--filter", label).split()
        if not ids:
            return {}
        return {one["Id"]: one["State"]["StartedAt"] for one in json.loads(self._inspect(ids))}

    def _inspect(self, ids: list[str]) -> str:
        """Without those that have gone since they were listed."""
        try:
            return self._docker("inspect", *ids)
        except subprocess.CalledProcessError as error:
            told = cast(str, error.stderr).splitlines()
            if not told or not all("No such object" in line for line in told):
                raise
            return cast(str, error.stdout)

    def _docker(self, *arguments: str) -> str:
        own = self.mesh.own_engine_socket
        socket = own if (self.mesh.home / "engine").exists() else MACHINE_SOCKET
        command = ["docker", "--host", f"unix://{socket}", *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_SECONDS
        ).stdout

    async def dump(self, prefix: str = "") -> dict[str, Message]:
        """The shared state as it is, read by a role that may write nothing."""
        folder = self.mesh.folder("tls")
        async with open_store(
            self.mesh.store_address,
            Role.ADMIN,
            credentials=None if self.mesh.store else tls.channel_credentials(folder, Role.ADMIN),
            target_name="" if self.mesh.store else tls.server_name(Role.STATESTORE),
        ) as store:
            listing = await store.list(prefix)
        found: dict[str, Message] = {}
        for item in listing.items:
            space = keys.space_of(item.key)
            assert space is not None, f"{item.key} is in no row of the key table"
            found[item.key] = space.message.FromString(item.value)
        return found

    def accidents(self) -> list[str]:
        """What the daemons' logs tell of exceptions which nobody dealt with."""
        logs = sorted(self.mesh.folder("log").glob("*.log"))
        return [one for log in logs if log.stem != "engine" for one in accidents(log)]
