"""Nobody notices an upgrade, nor a scale-down: requests by every way in while instances come and go."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.kit.clients import (
    IMAGE,
    Fleet,
    call,
    endpoint,
    ingress_host,
    service_sql,
    tutorial_session,
    wait_ready,
)
from tests.kit.mesh import rows, until

# With the set-up of the mesh, on a machine that is busy otherwise.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

RATE = 50
LEAST = 5000
LONGEST = 240.0
# Requests that each turn of a way in makes.
_TURN = 10


def container(version: str) -> str:
    return (
        f"  - name: main\n    image: /{IMAGE}\n"
        '    command: ["/usr/bin/python3", "/app/polite.py"]\n    args: ["8000"]\n'
        f'    env: {{VERSION: "{version}"}}\n'
        "    resources: {requests: {cpu: 0.1, memory: 64Mi}}\n"
        "    readinessProbe: {port: 8000, path: /ready}\n"
    )


def specification(version: str) -> str:
    return (
        f"FROM SPECIFICATION $$\nspec:\n  containers:\n{container(version)}"
        f"  endpoints:\n{endpoint('web', 8000, public=True)}$$"
    )


@dataclass
class Traffic:
    """Requests by several ways at RATE each, until it is stopped. What went wrong is counted by its words."""

    made: Counter[str] = field(default_factory=Counter[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def by(self, **ways: Callable[[], list[str]]) -> Generator[None]:
        """Each way makes a few requests a call, and says what failed. Three threads a way."""
        threads = [
            threading.Thread(target=self._run, args=(name, way))
            for name, way in ways.items()
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)

    def _run(self, name: str, way: Callable[[], list[str]]) -> None:
        pause = 3 * _TURN / RATE
        due = time.monotonic()
        while not self._over.is_set():
            try:
                wrong = way()
            except Exception as error:  # whatever a client would see
                wrong = [f"{type(error).__name__}: {error}"]
            self.made[name] += _TURN
            self.failed.update(f"{name}: {one}" for one in wrong)
            due = max(due + pause, time.monotonic() - pause)
            self._over.wait(max(0.0, due - time.monotonic()))


@pytest.fixture
def polite(fleet: Fleet) -> Generator[str]:
    fleet.session.cursor().execute(
        service_sql(
            "polite", container("1"), endpoint("web", 8000, public=True), "MIN_INSTANCES=4"
        )
    )
    try:
        wait_ready(fleet.session, "polite")
        fleet.session.cursor().execute(
            "CREATE OR REPLACE FUNCTION ask_politely (x varchar) RETURNS varchar "
            "SERVICE=polite ENDPOINT=web MAX_BATCH_ROWS=1 AS '/echo'"
        )
        yield ingress_host(fleet.session, "polite")
    finally:
        fleet.session.cursor().execute("DROP SERVICE IF EXISTS polite FORCE")


@pytest.mark.documented
def test_no_request_fails_while_four_instances_are_upgraded_and_two_are_drained(
    fleet: Fleet, polite: str
):
    local, began = threading.local(), time.monotonic()

    def by_function() -> list[str]:
        if not hasattr(local, "session"):
            # Kept, or it would be closed at once.
            local.held = tutorial_session(fleet.cave)
            local.session = local.held.__enter__()
        sql = f"SELECT ask_politely(to_varchar(seq4())) FROM TABLE(GENERATOR(ROWCOUNT => {_TURN}))"
        answered = local.session.cursor().execute(sql).fetchall()
        return [] if len(answered) == _TURN else [f"{len(answered)} answers"]

    def by_ingress() -> list[str]:
        replies = [call(polite, token=fleet.token) for _ in range(_TURN)]
        return [f"{one.status} {one.body[:200]}" for one in replies if one.status != 200]

    def by_address() -> list[str]:
        replies = fleet.check(*[["http", "http://polite:8000/"]] * _TURN)
        return [str(one) for one in replies if one.get("status") != 200]

    traffic = Traffic()
    with traffic.by(function=by_function, ingress=by_ingress, address=by_address):
        until(lambda: min(traffic.made[way] for way in ("function", "ingress", "address")) > 50)
        fleet.session.cursor().execute(f"ALTER SERVICE polite {specification('2')}")
        until(lambda: is_settled(fleet.session, 4), 120)
        fleet.session.cursor().execute("ALTER SERVICE polite SET MIN_INSTANCES=2 MAX_INSTANCES=2")
        until(lambda: is_settled(fleet.session, 2), 60)
        left = LONGEST - (time.monotonic() - began)
        until(lambda: traffic.made.total() >= LEAST, max(1.0, left))
    assert not traffic.failed, (traffic.failed.most_common(10), traffic.made)
    assert min(traffic.made.values()) > LEAST / 10, traffic.made
    versions = {call(polite, token=fleet.token).json()["version"] for _ in range(10)}
    assert versions == {"2"}


def is_settled(session: Any, count: int) -> bool:
    """All instances are as the last statement wanted them, ready, and nothing goes on."""
    (service,) = rows(session, "DESC SERVICE polite")
    instances = rows(session, "SHOW SERVICE INSTANCES IN SERVICE polite")
    return (
        service["is_upgrading"] == "false"
        and [one["status"] for one in instances] == ["READY"] * count
        and {one["spec_digest"] for one in instances} == {service["spec_digest"]}
    )
