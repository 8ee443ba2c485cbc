"""Bad input on every port of the running mesh: answered or closed, and nothing else happens."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.kit.accidents import accidents
from tests.kit.clients import Fleet, call
from tests.kit.mesh import Snowcave, run
from tests.kit.strange_input import COMPLETE, Outcome, ports, send_everywhere

pytestmark = [pytest.mark.docker, pytest.mark.ours]

PATIENCE = 20.0
ROUNDS = 3
# Bytes that a daemon may keep of what it was sent in all rounds (some 90 MB each).
GROWTH = 64 << 20


def resident(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) << 10


def told(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    """Those that were left waiting."""
    return [(o.port, o.sent) for o in outcomes if not o.closed and not o.answer]


async def test_bad_input_is_answered_or_cut_and_changes_nothing(fleet: Fleet):
    mesh = fleet.cave.mesh
    pids = fleet.cave.pids()
    # What the first round loads and caches is no growth.
    waiting = told(await send_everywhere(mesh, COMPLETE, PATIENCE))
    before = {name: resident(pid) for name, pid in pids.items()}
    for _ in range(ROUNDS):
        waiting += told(await send_everywhere(mesh, COMPLETE, PATIENCE))
    assert waiting == []
    grown = {name: resident(pid) - before[name] for name, pid in pids.items()}
    assert {name: size for name, size in grown.items() if size > GROWTH} == {}
    assert fleet.cave.pids() == pids
    assert unforeseen(fleet.cave) == []


def unforeseen(cave: Snowcave) -> list[str]:
    return [one for log in cave.mesh.folder("log").glob("*.log") for one in accidents(log)]


def test_the_mesh_still_works(fleet: Fleet, session: Any):
    test = "SELECT COUNT(*) FROM snowflake.telemetry.events"
    assert session.cursor().execute(test).fetchone()[0] > 0
    assert call(fleet.probe, token=fleet.token).status == 200
    for name, port in ports(fleet.cave.mesh).items():
        if name.endswith("admin"):
            assert run("curl", "-sS", "-m", "10", f"http://127.0.0.1:{port}/readyz") == "ok\n"


def test_half_a_request_is_cut(half_requests: Future[list[Outcome]]):
    """Sent when the mesh had come up: nobody waits for the rest for ever."""
    outcomes = half_requests.result()
    assert [(o.port, o.sent) for o in outcomes if not o.closed] == []


def test_no_daemon_ran_into_something_unforeseen(fleet: Fleet):
    assert unforeseen(fleet.cave) == []
