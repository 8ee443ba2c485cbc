"""The daemon itself, inside a namespace, against the embedded store and a real engine."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import AddressPlan, Mesh
from snowcave.store.api import Store
from snowcave.store.client import open_store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import nodes_pb2 as nodes
from snowcave.v1 import state_pb2 as state
from snowcave.v1.nodes_pb2_grpc import AgentServiceStub
from tests.kit.agent_node import NODE, assignment, spec
from tests.kit.docker_engine import PrivateDocker, private_docker
from tests.kit.ports import free_port_base

pytestmark = [pytest.mark.docker, pytest.mark.slow]

# Below what meshes and other tests choose from, which may be running beside this one.
_SECOND = os.getpid() % 100
PLAN = AddressPlan(
    underlay=f"10.{20 + _SECOND}.0.0/16",
    instances="10.244.0.0/16",
    services="10.245.0.0/16",
)
ADDRESS = PLAN.node_underlay(1)
# Seconds for one thing to happen, with all the processes that have to start for it.
_PATIENCE = 60.0
_SERVES = (
    "/bin/sh",
    "-c",
    "mkdir -p /tmp/www; echo started; sleep 0.3; echo ok >/tmp/www/healthz;"
    " exec /bin/httpd -f -p 8000 -h /tmp/www",
)


@dataclass
class Place:
    """A namespace with an engine in it, linked to the root namespace, and the daemons of the test."""

    docker: PrivateDocker
    mesh: Mesh
    digest: str
    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, "subprocess.Popen[bytes]"]
    )

    def start(self, name: str, *prefix: str) -> None:
        environment = {
            **os.environ,
            "SNOWCAVE_MESH__PORT_BASE": str(self.mesh.port_base),
            "SNOWCAVE_MESH__PLAN__UNDERLAY": PLAN.underlay,
            "SNOWCAVE_AGENT__NODE": NODE,
            "SNOWCAVE_AGENT__ADDRESS": ADDRESS,
            "SNOWCAVE_AGENT__NETWORK": PLAN.node_network(1),
            "SNOWCAVE_AGENT__ENGINE_SOCKET": self.docker.socket,
            # The server is pid 1 and has no handler for SIGTERM.
            "SNOWCAVE_AGENT__STOP_GRACE": "1.0",
            "SNOWCAVE_AGENT__STATE_FOLDER": str(self.folder / "node"),
            "SNOWCAVE_AGENT__SESSION__FOLDER": str(self.folder / "sessions"),
        }
        home = ("--home", str(self.mesh.home))
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                [*prefix, sys.executable, "-m", "snowcave", "daemon", name, *home],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def start_agent(self) -> None:
        self.start("agent", "nsenter", f"--net={self.docker.namespace_path}")

    def end(self, name: str, number: int) -> int:
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        return daemon.wait(30)


def _link(namespace: str) -> str:
    name = f"sct{os.getpid()}"
    for command in (
        f"link add {name} type veth peer name fab0 netns {namespace}",
        f"addr add {PLAN.machine}/16 dev {name}",
        f"link set {name} up",
        f"-n {namespace} addr add {ADDRESS}/16 dev fab0",
        f"-n {namespace} link set fab0 up",
        f"-n {namespace} addr add 169.254.1.1/32 dev lo",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    return name


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    with private_docker("agent") as docker:
        link = _link(docker.namespace)
        mesh = Mesh(home=tmp_path / "home", port_base=free_port_base(), plan=PLAN)
        tls.ensure(mesh.folder("tls"))
        registry = docker.start_registry(mesh.port("registry"))
        digest = docker.push_busybox("shop/web", registry)
        # The registry's daemon is not part of this test: the node has the image.
        docker.docker("pull", f"{registry}/shop/web@{digest}")
        place = Place(docker, mesh, digest, tmp_path)
        try:
            yield place
        finally:
            for daemon in place.daemons.values():
                daemon.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    daemon.wait(30)
                daemon.kill()
                daemon.wait()
            subprocess.run(["ip", "link", "delete", link], check=True)


@asynccontextmanager
async def _scheduler(mesh: Mesh) -> AsyncGenerator[tuple[Store, Mirror[state.InstanceReport]]]:
    async with (
        open_store(
            mesh.store_address,
            Role.SCHEDULER,
            credentials=tls.channel_credentials(mesh.folder("tls"), Role.SCHEDULER),
            target_name=tls.server_name(Role.STATESTORE),
        ) as store,
        follow(store, keys.REPORTS, NODE) as reports,
    ):
        yield store, reports


def _status(reports: Mirror[state.InstanceReport], instance: str) -> str:
    found = reports.get(NODE, instance)
    return found.status if found else ""


def _change(reports: Mirror[state.InstanceReport], instance: str) -> int:
    found = reports.entry(NODE, instance)
    return found.mod_revision if found else 0


@pytest.mark.timeout(300)
async def test_an_instance_gets_ready_by_its_probe_and_outlives_a_killed_agent(place: Place):
    main = spec("main", "web", place.digest, *_SERVES)
    main.readiness_probe.port, main.readiness_probe.path = 8000, "/healthz"
    want = assignment("7-0-1", main)
    place.start("statestore")
    place.start_agent()
    async with _scheduler(place.mesh) as (store, reports):
        await store.put(keys.ASSIGNMENTS.key(NODE, "7-0-1"), want.SerializeToString())
        async with asyncio.timeout(_PATIENCE):
            await reports.wait(lambda m: _status(m, "7-0-1") == "READY")
            assert await _logs(place.mesh) == b"started\n"

        before, change = reports.get(NODE, "7-0-1"), _change(reports, "7-0-1")
        seen: list[str] = []
        unsubscribe = reports.subscribe(lambda _, m: seen.append(m.status if m else "gone"))
        await asyncio.to_thread(place.end, "agent", signal.SIGKILL)
        place.start_agent()
        async with asyncio.timeout(_PATIENCE):
            await reports.wait(lambda m: _change(m, "7-0-1") > change)
        unsubscribe()
        # Where the next agent is slow to come, the report goes with the lease of the one before.
        assert set(seen) <= {"READY", "gone"}
        assert reports.get(NODE, "7-0-1") == before

        want.stopping = True
        await store.put(keys.ASSIGNMENTS.key(NODE, "7-0-1"), want.SerializeToString())
        async with asyncio.timeout(_PATIENCE):
            await reports.wait(lambda m: _status(m, "7-0-1") == "GONE")
        assert place.docker.docker("ps", "-aq") == ""
    assert place.end("agent", signal.SIGTERM) == 0


async def _logs(mesh: Mesh) -> bytes:
    address = f"{ADDRESS}:{mesh.grpc_port(Role.AGENT)}"
    async with connect(address, mesh.folder("tls"), me=Role.API, to=Role.AGENT) as channel:
        # An instance may be ready before its agent serves.
        call = AgentServiceStub(channel).ReadLogs(
            nodes.ReadLogsRequest(instance="7-0-1", container="main", tail_lines=10),
            wait_for_ready=True,
        )
        return b"".join([chunk.text async for chunk in call])
