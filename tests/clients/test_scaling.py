"""Services that scale by what their containers really use, and by who calls them; with short settings."""

import io
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.clients import call, ingress_host, status
from tests.kit.mesh import Snowcave, leftovers, rows, running_mesh, until

pytestmark = pytest.mark.docker

SETTINGS = """
[scheduler.autoscaling]
period = 3.0
cooldown = 3.0
"""
IMAGE = "d/public/r/busybox:latest"
# Works until it is told to rest; ends when it is told to.
WORKER = "trap 'exit 0' TERM; while [ ! -e /tmp/rest ]; do :; done; sleep 9999 & wait"
SERVER = "trap 'exit 0' TERM; echo hello > /tmp/index.html; httpd -f -p 8000 -h /tmp & wait"


def service(name: str, script: str, policies: str, endpoints: str = "[]") -> str:
    return f"""CREATE SERVICE {name} IN COMPUTE POOL p FROM SPECIFICATION $$
spec:
  containers:
  - name: main
    image: /d/public/r/busybox
    command: ["/bin/sh", "-c", "{script}"]
    resources: {{requests: {{cpu: 0.2, memory: 64M}}, limits: {{cpu: 0.3, memory: 64M}}}}
  endpoints: {endpoints}
  resourceManagement:
    autoScalingPolicies:
      {policies}
$$ MIN_INSTANCES = 1 MAX_INSTANCES = 2"""


def condition(metric: str, target: float, seconds: int) -> str:
    return (
        f"{{metricCondition: {{metricName: {metric}, aggregationType: avg, "
        f"stabilizationPeriodSecs: {seconds}, targetScaling: {{targetValue: {target}}}}}}}"
    )


def instances(session: Any, name: str) -> int:
    return rows(session, f"SHOW SERVICES LIKE '{name}'")[0]["current_instances"]


def busybox_root(folder: Path) -> Path:
    tar = folder / "busybox.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(str(shutil.which("busybox")), "bin/busybox")
        for name in ("sh", "sleep", "httpd"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        made = tarfile.TarInfo("tmp/.keep")
        archive.addfile(made, io.BytesIO())
    return tar


@pytest.fixture(scope="module")
def small(no_proxy: None) -> Generator[Snowcave]:
    home = Path(tempfile.mkdtemp(prefix="snowcave-scaling-"))
    (home / "snowcave.toml").write_text(SETTINGS)
    with running_mesh(home) as cave:
        with cave.connect() as admin:
            for sql in (
                "CREATE DATABASE d",
                "CREATE IMAGE REPOSITORY d.public.r",
                "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
            ):
                admin.cursor().execute(sql)
        cave.push(busybox_root(home), IMAGE)
        yield cave
    assert leftovers(cave.mesh) == []
    shutil.rmtree(home)


@pytest.fixture
def session(small: Snowcave) -> Generator[Any]:
    with small.connect(database="D", schema="PUBLIC") as connection:
        yield connection


@pytest.mark.documented
def test_a_busy_service_gets_an_instance_more_and_gives_it_back_when_it_rests(
    small: Snowcave, session: Any
):
    # Far from what a loop gets even where the machine is busy, and from what sleeping takes.
    busy = condition("container.cpu.usage", 0.06, 6)
    quiet = condition("container.cpu.usage", 0.02, 6)
    policies = f"{{scaleUp: {{anyConditions: [{busy}]}}, scaleDown: {{allConditions: [{quiet}]}}}}"
    session.cursor().execute(service("worker", WORKER, policies))
    until(lambda: instances(session, "WORKER") == 2, 90)
    resting: set[str] = set()

    def all_rest() -> bool:
        label = "label=io.snowcave.container=main"
        for one in set(small.docker("ps", "-q", "--filter", label).split()) - resting:
            small.docker("exec", one, "/bin/busybox", "touch", "/tmp/rest")
            resting.add(one)
        return len(resting) == 2

    until(all_rest, 60)
    until(lambda: instances(session, "WORKER") == 1, 90)
    # The one with the highest id goes.
    show = "SHOW SERVICE INSTANCES IN SERVICE worker"
    until(lambda: [str(row["instance_id"]) for row in rows(session, show)] == ["0"], 60)
    session.cursor().execute("DROP SERVICE worker")


@pytest.mark.documented
def test_a_service_that_nobody_calls_is_suspended_by_its_policy_and_one_that_is_called_is_not(
    small: Snowcave, session: Any
):
    silent = condition("network.ingress.cps", 0, 12)
    policies = f"{{suspend: {{allConditions: [{silent}]}}}}"
    endpoints = "[{name: web, port: 8000, public: true}]"
    session.cursor().execute(service("server", SERVER, policies, endpoints))
    done = threading.Event()
    answers: list[int] = []

    def keep_calling() -> None:
        host = ingress_host(session, "server")
        with small.connect() as mine:
            while not done.wait(0.2):
                answers.append(call(host, "/index.html", token=mine.rest.token).status)

    until(lambda: status(session, "server") == "RUNNING", 60)
    caller = threading.Thread(target=keep_calling)
    caller.start()
    try:
        until(lambda: answers.count(200) > 75, 90)
        assert status(session, "server") == "RUNNING"
    finally:
        done.set()
        caller.join()
    until(lambda: status(session, "server") == "SUSPENDED", 90)
    session.cursor().execute("DROP SERVICE server")
