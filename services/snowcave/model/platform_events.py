"""The catalogue of platform events: names, severities, messages, and whose they are. Pure.

Source: Snowflake's documentation of platform events. Whoever writes a state tells of its changes: the
scheduler of services, instances and containers, api of properties.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

Severity = Literal["INFO", "WARN", "ERROR"]

SCOPE = json.dumps({"name": "snow.spcs.platform"})
SERVICE_STATUS = "SERVICE.STATUS_CHANGE"
SERVICE_PROPERTY = "SERVICE.PROPERTY_CHANGE"
INSTANCE_STATUS = "SERVICE_INSTANCE.STATUS_CHANGE"
CONTAINER_STATUS = "CONTAINER.STATUS_CHANGE"
# Ours: what takes the place of events that were not told.
DROPPED = "SERVICE.DROPPED_EVENTS"

# LOG_EVENT_LEVEL, and what LOG_LEVEL on a service means to those who still set that.
INFO, ERROR, OFF = "INFO", "ERROR", "OFF"
_OF_LOG_LEVEL = {
    "TRACE": INFO,
    "DEBUG": INFO,
    "INFO": INFO,
    "WARN": ERROR,
    "ERROR": ERROR,
    "FATAL": ERROR,
}

_SERVICE: dict[str, tuple[Severity, str, str]] = {
    "PENDING": ("INFO", "Service is pending", "Job is pending"),
    "RESUMING": ("INFO", "Service is resuming", "Job is resuming"),
    "RUNNING": ("INFO", "Service is ready", "Job is running"),
    "SUSPENDING": ("INFO", "Service is suspending", "Job is suspending"),
    "SUSPENDED": ("INFO", "Service has suspended", "Job has suspended"),
    "UPGRADING": ("INFO", "Service is upgrading", "Job is upgrading"),
    "UPGRADED": ("INFO", "Service has been upgraded", "Job has been upgraded"),
    "DELETING": ("INFO", "Service is deleting", "Job is deleting"),
    "DELETED": ("INFO", "Service has been deleted", "Job has been deleted"),
    "FAILED": ("ERROR", "Service has failed", "Job has failed"),
    "INTERNAL_ERROR": (
        "ERROR",
        "Service has encountered an error",
        "Job has encountered an error",
    ),
    "DONE": ("INFO", "Service is completed", "Job is completed"),
    "CANCELLING": ("INFO", "Service is being canceled", "Job is being canceled"),
    "CANCELLED": ("INFO", "Service has been canceled", "Job has been canceled"),
}
_INSTANCE: dict[str, tuple[Severity, str, str]] = {
    "PENDING": ("INFO", "Service instance is pending", "Job instance is pending"),
    "READY": ("INFO", "Service instance is running", "Job instance is running"),
    "TERMINATING": ("INFO", "Service instance is terminating", "Job instance is terminating"),
    "SUCCEEDED": ("INFO", "Service instance has completed", "Job instance has completed"),
    "FAILED": ("ERROR", "Service instance failed", "Job instance failed"),
}
# Of containers the message is the state's own; TERMINATING is the instance's to tell.
_CONTAINER: dict[str, Severity] = {
    "PENDING": "INFO",
    "READY": "INFO",
    "DONE": "INFO",
    "FAILED": "ERROR",
}
_BAD_NEWS = ("Failed to pull image",)


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    name: str
    severity: Severity
    message: str
    # Empty where no state has changed.
    status: str = ""
    # How many events it stands for.
    dropped: int = 0

    def is_wanted(self, level: str) -> bool:
        return level == INFO or (level == ERROR and self.severity != "INFO")


def of_service(status: str, *, is_job: bool) -> PlatformEvent | None:
    """None for what the catalogue does not know."""
    return _known(SERVICE_STATUS, _SERVICE, status, is_job=is_job)


def of_instance(status: str, *, is_job: bool) -> PlatformEvent | None:
    return _known(INSTANCE_STATUS, _INSTANCE, status, is_job=is_job)


def of_container(status: str, message: str) -> PlatformEvent | None:
    severity = _CONTAINER.get(status)
    if severity is None:
        return None
    severity = "ERROR" if message.startswith(_BAD_NEWS) else severity
    return PlatformEvent(CONTAINER_STATUS, severity, message, status)


def of_properties(verb: Literal["Set", "Unset"], names: Iterable[str]) -> PlatformEvent:
    return _property(f"{verb} Service Properties [{', '.join(names)}]")


def of_tags(verb: Literal["Set", "Unset"], names: Iterable[str]) -> PlatformEvent:
    return _property(f"{verb} Service tag(s) [{', '.join(names)}]")


def of_restore(snapshot: str, volume: str, instances: Iterable[int]) -> PlatformEvent:
    listed = ", ".join(map(str, instances))
    return PlatformEvent(
        SERVICE_STATUS,
        "INFO",
        f"Service is restoring snapshot {snapshot} on volume {volume} for instances [{listed}]",
        "RESTORING_SNAPSHOT",
    )


def of_dropped(count: int) -> PlatformEvent:
    message = f"Not told: {count} platform events, more than could wait for the event table."
    return PlatformEvent(DROPPED, "WARN", message, dropped=count)


def level(
    service: state.Object,
    schema: state.Object | None,
    database: state.Object | None,
    account: state.Object | None,
) -> str:
    """INFO, ERROR or OFF: of the nearest that says something."""
    if said := service.parameters.get("LOG_EVENT_LEVEL"):
        return said
    if of_logs := service.service.log_level:
        return _OF_LOG_LEVEL.get(of_logs, OFF)
    for holder in (schema, database, account):
        if holder is not None and (said := holder.parameters.get("LOG_EVENT_LEVEL")):
            return said
    return OFF


def resource(
    account: str, service: state.Object, identity: state.ServiceIdentity
) -> events.Resource:
    """Of the service itself."""
    return events.Resource(
        account_name=account,
        compute_pool=identity.compute_pool,
        compute_pool_name=identity.compute_pool_name,
        database=identity.database,
        database_name=identity.database_name,
        schema=identity.schema,
        schema_name=identity.schema_name,
        service=service.uid,
        service_name=identity.service_name,
        service_type="Job" if service.service.is_job else "Service",
    )


def row(event: PlatformEvent, resource: int, at: datetime) -> events.EventRow:
    """`resource`: index into those of the append."""
    value = {"message": event.message}
    if event.status:
        value["status"] = event.status
    made = events.EventRow(
        resource=resource,
        record_type="EVENT",
        record=json.dumps({"name": event.name, "severity_text": event.severity}),
        scope=SCOPE,
        value=json.dumps(value, ensure_ascii=False),
    )
    if event.dropped:
        made.record_attributes = json.dumps({"snow.dropped.events": event.dropped})
    made.timestamp.FromDatetime(at)
    return made


def _property(message: str) -> PlatformEvent:
    return PlatformEvent(SERVICE_PROPERTY, "INFO", message)


def _known(
    name: str, catalogue: dict[str, tuple[Severity, str, str]], status: str, *, is_job: bool
) -> PlatformEvent | None:
    found = catalogue.get(status)
    if found is None:
        return None
    severity, of_a_service, of_a_job = found
    return PlatformEvent(name, severity, of_a_job if is_job else of_a_service, status)
