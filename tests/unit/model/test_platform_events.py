"""The catalogue of platform events: every documented name, severity and message."""

import json
from datetime import UTC, datetime

import pytest

from snowcave.model import platform_events
from snowcave.scheduler.service_events import changes
from snowcave.v1 import state_pb2 as state


@pytest.mark.parametrize(
    ("status", "is_job", "severity", "message"),
    [
        ("PENDING", False, "INFO", "Service is pending"),
        ("PENDING", True, "INFO", "Job is pending"),
        ("RESUMING", False, "INFO", "Service is resuming"),
        ("RUNNING", False, "INFO", "Service is ready"),
        ("RUNNING", True, "INFO", "Job is running"),
        ("SUSPENDING", False, "INFO", "Service is suspending"),
        ("SUSPENDED", False, "INFO", "Service has suspended"),
        ("UPGRADING", False, "INFO", "Service is upgrading"),
        ("UPGRADED", False, "INFO", "Service has been upgraded"),
        ("DELETING", False, "INFO", "Service is deleting"),
        ("DELETED", False, "INFO", "Service has been deleted"),
        ("FAILED", False, "ERROR", "Service has failed"),
        ("INTERNAL_ERROR", False, "ERROR", "Service has encountered an error"),
        ("DONE", True, "INFO", "Job is completed"),
        ("CANCELLING", True, "INFO", "Job is being canceled"),
        ("CANCELLED", True, "INFO", "Job has been canceled"),
    ],
)
def test_a_service_tells_its_states_as_documented(
    status: str, is_job: bool, severity: str, message: str
):
    event = platform_events.of_service(status, is_job=is_job)
    assert event is not None
    assert (event.name, event.severity, event.status, event.message) == (
        "SERVICE.STATUS_CHANGE",
        severity,
        status,
        message,
    )


@pytest.mark.parametrize(
    ("status", "message", "severity"),
    [
        ("READY", "Running", "INFO"),
        ("PENDING", "Readiness probe is failing at path: /healthcheck, port: 8080", "INFO"),
        ("PENDING", "Waiting to start", "INFO"),
        ("PENDING", "Compute pool node(s) are being provisioned", "INFO"),
        ("PENDING", "Failed to pull image", "ERROR"),
        ("FAILED", "Provided image name uses an invalid format", "ERROR"),
        ("FAILED", "Encountered fatal error, retrying", "ERROR"),
        ("FAILED", "Container was OOMKilled due to resource usage", "ERROR"),
        ("FAILED", "User application error, check container logs", "ERROR"),
        ("DONE", "Completed successfully", "INFO"),
    ],
)
def test_a_container_tells_its_states_as_documented(status: str, message: str, severity: str):
    event = platform_events.of_container(status, message)
    assert event == platform_events.PlatformEvent(
        "CONTAINER.STATUS_CHANGE", "ERROR" if severity == "ERROR" else "INFO", message, status
    )


@pytest.mark.parametrize("status", ["TERMINATING", "UNKNOWN", ""])
def test_what_the_catalogue_does_not_know_is_not_told(status: str):
    assert platform_events.of_container(status, "") is None
    assert platform_events.of_service("UNKNOWN", is_job=False) is None
    assert platform_events.of_instance("GONE", is_job=False) is None


def test_a_job_instance_has_messages_of_its_own():
    told = [platform_events.of_instance(one, is_job=True) for one in ("SUCCEEDED", "FAILED")]
    assert [(one.severity, one.message) for one in told if one] == [
        ("INFO", "Job instance has completed"),
        ("ERROR", "Job instance failed"),
    ]


def test_a_row_has_the_documented_columns():
    event = platform_events.of_properties("Set", ["MIN_INSTANCES", "COMMENT"])
    row = platform_events.row(event, 3, datetime(2026, 1, 2, tzinfo=UTC))
    assert (row.record_type, row.resource) == ("EVENT", 3)
    assert json.loads(row.scope) == {"name": "snow.spcs.platform"}
    assert json.loads(row.record) == {
        "name": "SERVICE.PROPERTY_CHANGE",
        "severity_text": "INFO",
    }
    assert json.loads(row.value) == {"message": "Set Service Properties [MIN_INSTANCES, COMMENT]"}


def test_a_restore_names_snapshot_volume_and_instances():
    event = platform_events.of_restore("SNAP", "data", [0, 2])
    assert event.status == "RESTORING_SNAPSHOT"
    assert event.message == (
        "Service is restoring snapshot SNAP on volume data for instances [0, 2]"
    )


@pytest.mark.parametrize(
    ("service", "log_level", "schema", "account", "expected"),
    [
        ("", "", "", "", "OFF"),
        ("", "", "", "ERROR", "ERROR"),
        ("", "", "INFO", "ERROR", "INFO"),
        ("OFF", "", "INFO", "ERROR", "OFF"),
        ("", "WARN", "INFO", "", "ERROR"),
        ("", "OFF", "INFO", "", "OFF"),
        ("ERROR", "INFO", "", "", "ERROR"),
    ],
)
def test_the_nearest_level_counts(
    service: str, log_level: str, schema: str, account: str, expected: str
):
    def holder(value: str) -> state.Object:
        return state.Object(parameters={"LOG_EVENT_LEVEL": value} if value else {})

    of_service = holder(service)
    of_service.service.log_level = log_level
    found = platform_events.level(of_service, holder(schema), None, holder(account))
    assert found == expected


def test_level_error_leaves_out_good_news():
    good = platform_events.of_service("RUNNING", is_job=False)
    bad = platform_events.of_service("FAILED", is_job=False)
    assert good is not None
    assert bad is not None
    assert [one.is_wanted("ERROR") for one in (good, bad)] == [False, True]
    assert [one.is_wanted("INFO") for one in (good, bad)] == [True, True]
    assert not bad.is_wanted("OFF")


# ---- out of a service's status


def status(container: str, message: str, since: int = 1) -> state.ServiceStatus:
    row = state.InstanceStatus(instance_id=0, node="n1", status="PENDING")
    row.created_on.seconds = since
    row.containers.add(name="main", status=container, message=message)
    return state.ServiceStatus(status="PENDING", instances=[row])


def told(before: state.ServiceStatus, after: state.ServiceStatus) -> list[str]:
    return [one.event.message for one in changes(before, after, is_job=False)]


def test_only_what_changed_is_told():
    before = status("PENDING", "Waiting to start")
    assert told(before, before) == []
    assert told(before, status("FAILED", "Encountered fatal error, retrying")) == [
        "Encountered fatal error, retrying"
    ]


def test_another_instance_under_the_same_number_tells_everything_anew():
    before = status("READY", "Running")
    assert told(before, status("READY", "Running", since=2)) == [
        "Service instance is pending",
        "Running",
    ]


def test_an_instance_that_gets_its_node_is_no_other():
    before = status("PENDING", "Waiting to start")
    before.instances[0].ClearField("created_on")
    assert told(before, status("PENDING", "Waiting to start")) == []


def test_an_upgrade_begins_and_ends():
    steady = state.ServiceStatus(status="RUNNING")
    upgrading = state.ServiceStatus(status="RUNNING", is_upgrading=True)
    assert told(steady, upgrading) == ["Service is upgrading"]
    assert told(upgrading, steady) == ["Service has been upgraded"]
    assert told(upgrading, state.ServiceStatus(status="SUSPENDING")) == ["Service is suspending"]
