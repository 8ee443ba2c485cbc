"""Platform events, platform metrics, OTLP and followed logs of a service that runs."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from snowflake.connector import ProgrammingError

from tests.kit.clients import (
    Fleet,
    call,
    endpoint,
    ingress_host,
    probe_container,
    service_sql,
    status,
    wait_ready,
)
from tests.kit.mesh import clean_environment, rows, until

pytestmark = pytest.mark.docker

LINE = "probe listens on 0.0.0.0:8000\n"
GROUPS = "  platformMonitor:\n    metricConfig:\n      groups: [system, system_limits, status, network]\n"


@pytest.fixture(scope="module")
def watched(fleet: Fleet) -> Generator[str]:
    """A service that asks for all there is to know of it; its public host."""
    sql = service_sql("watched", probe_container(), endpoint("ui", 8000, public=True) + GROUPS)
    fleet.session.cursor().execute(f"{sql} LOG_EVENT_LEVEL = INFO")
    wait_ready(fleet.session, "watched")
    host = ingress_host(fleet.session, "watched")
    # It has no readiness probe, so it may be ready before it listens.
    until(lambda: call(host, token=fleet.token).status < 500)
    yield host
    fleet.session.cursor().execute("DROP SERVICE IF EXISTS watched")


def check(fleet: Fleet, host: str, *checks: list[Any]) -> list[Any]:
    reply = call(host, "/checks", token=fleet.token, method="POST", body=list(checks))
    assert reply.status == 200, reply
    return reply.json()


def events_of(fleet: Fleet) -> list[tuple[str, str, str]]:
    """Name, severity and message, oldest first."""
    found = rows(
        fleet.session, "SELECT * FROM TABLE(watched!SPCS_GET_EVENTS()) ORDER BY TIMESTAMP"
    )
    return [
        (row["EVENT_NAME"], row["SEVERITY"], json.loads(row["EVENT_DETAILS"])["message"])
        for row in found
    ]


@pytest.mark.documented
def test_a_service_s_beginning_is_told_in_events(fleet: Fleet, watched: str):
    want = [
        ("SERVICE.STATUS_CHANGE", "INFO", "Service is pending"),
        ("SERVICE_INSTANCE.STATUS_CHANGE", "INFO", "Service instance is running"),
        ("CONTAINER.STATUS_CHANGE", "INFO", "Running"),
        ("SERVICE.STATUS_CHANGE", "INFO", "Service is ready"),
    ]
    until(lambda: set(want) <= set(events_of(fleet)))
    found = events_of(fleet)
    assert [found.count(one) for one in want] == [1, 1, 1, 1]


@pytest.mark.documented
def test_a_changed_property_is_told(fleet: Fleet, watched: str):
    fleet.session.cursor().execute("ALTER SERVICE watched SET COMMENT = 'seen'")
    message = "Set Service Properties [COMMENT]"
    until(lambda: ("SERVICE.PROPERTY_CHANGE", "INFO", message) in events_of(fleet))


def metrics_of(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows(fleet.session, "SELECT * FROM TABLE(watched!SPCS_GET_METRICS())"):
        found.setdefault(row["METRIC_NAME"], []).append(row)
    return found


@pytest.mark.documented
def test_the_groups_that_a_specification_names_become_metrics(fleet: Fleet, watched: str):
    wanted = {
        "container.cpu.usage",
        "container.memory.usage",
        "container.cpu.limit",
        "container.state.running",
        "network.egress.denied.packets",
        "network.ingress.connections.active",
        "network.ingress.cps",
    }
    until(lambda: wanted <= set(metrics_of(fleet)))
    found = metrics_of(fleet)
    assert "volume.usage" not in found
    memory = found["container.memory.usage"][0]
    assert (memory["CONTAINER_NAME"], memory["UNIT"]) == ("probe", "bytes")
    assert 1 << 20 < float(memory["VALUE"]) < 1 << 30
    assert {row["INSTANCE_ID"] for row in found["container.cpu.limit"]} == {0}


SPAN = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]
            },
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "b7ad6b7169203331",
                            "name": "checkout",
                            "startTimeUnixNano": "1700000000000000000",
                        }
                    ]
                }
            ],
        }
    ]
}
SPANS = """
SELECT RECORD:"name"::VARCHAR AS NAME, TRACE:"trace_id"::VARCHAR AS ID,
       RESOURCE_ATTRIBUTES:"service.name"::VARCHAR AS SHOP,
       RESOURCE_ATTRIBUTES:"snow.service.container.name"::VARCHAR AS CONTAINER
FROM snowflake.telemetry.events
WHERE RECORD_TYPE = 'SPAN' AND RESOURCE_ATTRIBUTES:"snow.service.name" = 'WATCHED'
"""


@pytest.mark.documented
def test_a_container_s_spans_reach_the_event_table(fleet: Fleet, watched: str):
    (environment,) = check(fleet, watched, ["environment"])
    by_grpc = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
    assert environment["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] == by_grpc
    node = re.fullmatch(r"http://([\d.]+):4317", by_grpc)
    assert node, by_grpc
    port, answer = check(
        fleet,
        watched,
        ["connect", node[1], 4317],
        ["post", f"http://{node[1]}:4318/v1/traces", SPAN],
    )
    assert "failed" not in port
    assert answer == 200
    (row,) = until(lambda: rows(fleet.session, SPANS))
    assert row == {
        "NAME": "checkout",
        "ID": "0af7651916cd43dd8448eb211c80319c",
        "SHOP": "shop",
        "CONTAINER": "probe",
    }


@pytest.mark.documented
def test_a_pool_s_nodes_publish_their_metrics_to_its_monitors(
    fleet: Fleet, others: Any, watched: str
):
    """To their own instances and to those of other nodes; not to roles without a privilege on the pool."""
    names = [
        f"discover.monitor.{pool}.cp.spcs.internal"
        for pool in ("wide-pool", "tutorial-compute-pool")
    ]
    (wide, narrow) = fleet.check(*(["resolve", name] for name in names))
    assert (len(wide), len(narrow)) == (2, 1)
    pages = fleet.check(*(["http", f"http://{node}:9001/metrics"] for node in (*wide, *narrow)))
    for page in pages:
        assert page["status"] == 200, page
        assert 'node_memory_capacity{snow_compute_pool_name="' in page["body"]
    assert any('snow_service_name="WATCHED"' in page["body"] for page in pages)
    reply = call(
        fleet.stranger,
        "/checks",
        token=others.rest.token,
        method="POST",
        body=[["http", f"http://{node}:9001/metrics"] for node in (wide[0], narrow[0])],
    )
    allowed, refused = reply.json()
    assert allowed["status"] == 200
    assert refused["message"] == "Forbidden"


SAID = """
SELECT VALUE::VARCHAR AS LINE FROM {} WHERE RECORD_TYPE = 'LOG'
AND RESOURCE_ATTRIBUTES:"snow.service.name" = 'WATCHED' AND VALUE::VARCHAR LIKE 'told %'
"""
MINE, DEFAULT = "tutorial_db.data_schema.my_events", "snowflake.telemetry.events"


@dataclass
class Teller:
    """Has the container write numbered lines to its standard output."""

    fleet: Fleet
    host: str
    told: list[str] = field(default_factory=list[str])

    def said(self, table: str) -> set[str]:
        """What of them is in an event table."""
        return {row["LINE"] for row in rows(self.fleet.session, SAID.format(table))}

    def tell_until_in(self, table: str) -> None:
        """Until one of the lines that are told from now on is there: `events` hears of a change soon."""
        first = len(self.told)

        def tell() -> set[str]:
            line = f"told {len(self.told)}"
            check(self.fleet, self.host, ["append", "/proc/1/fd/1", line + "\n"])
            self.told.append(line)
            return set(self.told[first:]) & self.said(table)

        until(tell)


@pytest.fixture
def my_events(fleet: Fleet, watched: str) -> Generator[Any]:
    """An event table; a cursor of the administrator, who may set it."""
    fleet.session.cursor().execute(f"CREATE EVENT TABLE {MINE}")
    with fleet.cave.connect() as administrator:
        yield administrator.cursor()
        administrator.cursor().execute("ALTER ACCOUNT UNSET EVENT_TABLE")
        fleet.session.cursor().execute(f"DROP TABLE {MINE}")


@pytest.mark.documented
def test_what_is_said_comes_into_the_event_table_that_is_set(
    fleet: Fleet, watched: str, my_events: Any
):
    teller = Teller(fleet, watched)
    teller.tell_until_in(DEFAULT)
    before = set(teller.told)
    until(lambda: before <= teller.said(DEFAULT))  # none of them is still on its way
    with pytest.raises(ProgrammingError, match="Insufficient privileges"):
        fleet.session.cursor().execute(f"ALTER ACCOUNT SET EVENT_TABLE = {MINE}")
    my_events.execute(f"ALTER ACCOUNT SET EVENT_TABLE = {MINE}")
    (shown,) = rows(fleet.session, "SHOW PARAMETERS LIKE 'event_table' IN ACCOUNT")
    assert shown["value"] == MINE.upper()
    teller.tell_until_in(MINE)
    my_events.execute("ALTER ACCOUNT UNSET EVENT_TABLE")
    teller.tell_until_in(DEFAULT)
    told = set(teller.told)
    until(lambda: told == teller.said(MINE) | teller.said(DEFAULT))
    # What came in before stays where it was, and nothing is in both.
    assert teller.said(MINE) & (before | teller.said(DEFAULT)) == set()
    logs = rows(fleet.session, "SELECT LOG FROM TABLE(watched!SPCS_GET_LOGS())")
    assert told <= {row["LOG"] for row in logs}
    asked = "SELECT SYSTEM$GET_SERVICE_LOGS('watched', 0, 'probe', 1000) AS LINES"
    assert told <= set(rows(fleet.session, asked)[0]["LINES"].splitlines())


@pytest.mark.ours
def test_snowcave_logs_follows_a_container_over_its_restart(fleet: Fleet, watched: str):
    command = [sys.executable, "-m", "snowcave", "logs", "--home", str(fleet.cave.mesh.home)]
    following = subprocess.Popen(
        [*command, "-f", "tutorial_db.data_schema.watched"],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    said: list[str] = []
    assert following.stdout is not None
    reader = threading.Thread(target=lambda: said.extend(following.stdout or ()))
    reader.start()
    try:
        until(lambda: said.count(LINE) == 1)
        label = fleet.cave.mesh.container_label
        shown = fleet.cave.docker("ps", "--filter", f"label={label}", "--format", "{{.Names}}")
        probes = [one for one in shown.split() if one.endswith("-probe")]
        (container,) = [one for one in probes if _is_of(fleet, one, "WATCHED")]
        fleet.cave.docker("kill", container)
        until(lambda: said.count(LINE) == 2)
        assert following.poll() is None
    finally:
        following.terminate()
        following.wait(30)
        reader.join(30)


def _is_of(fleet: Fleet, container: str, service: str) -> bool:
    shown = fleet.cave.docker("inspect", "--format", "{{.Config.Env}}", container)
    return f"SNOWFLAKE_SERVICE_NAME={service}" in shown


@pytest.mark.documented
def test_a_failure_is_told_as_an_error_and_an_end_to_the_end(fleet: Fleet, watched: str):
    """After the test before, in which the container was killed."""
    killed = ("CONTAINER.STATUS_CHANGE", "ERROR", "User application error, check container logs")
    until(lambda: killed in events_of(fleet))
    fleet.session.cursor().execute("ALTER SERVICE watched SUSPEND")
    until(lambda: status(fleet.session, "watched") == "SUSPENDED")
    last = ("SERVICE.STATUS_CHANGE", "INFO", "Service has suspended")
    until(lambda: last in events_of(fleet))
