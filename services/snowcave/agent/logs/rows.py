"""From log records to rows of the event table. Pure.

Sources: Snowflake's documentation of the event table (LOG rows, structured lines, log levels).
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.agent.engine.api import Container
from snowcave.agent.instances.recipe import CONTAINER_LABEL
from snowcave.agent.logs.jsonfile import Record
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

_SEVERITIES = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "WARN": 13,
    "WARNING": 13,
    "ERROR": 17,
    "FATAL": 21,
}


def resource(
    account: str, node: str, family: str, want: state.Assignment, container: Container
) -> events.Resource:
    """Who speaks: one run of one container."""
    identity = want.identity
    return events.Resource(
        account_name=account,
        compute_pool=identity.compute_pool,
        compute_pool_name=identity.compute_pool_name,
        node=node,
        instance_family=family,
        database=identity.database,
        database_name=identity.database_name,
        schema=identity.schema,
        schema_name=identity.schema_name,
        service=want.service,
        service_name=identity.service_name,
        service_type="Job" if want.is_job else "Service",
        instance_id=want.instance_id,
        container_name=container.labels[CONTAINER_LABEL],
        container_run_id=container.id,
    )


def rows(records: Iterable[Record], log_level: str, broken: set[str]) -> list[events.EventRow]:
    """`broken`: streams whose last record was no whole line; kept up to date for the next call.

    A line of more than 16 KiB makes several rows, cut where the engine cut it.
    """
    made: list[events.EventRow] = []
    for record in records:
        goes_on = record.stream in broken
        (broken.discard if record.whole else broken.add)(record.stream)
        if goes_on and not record.text:
            continue  # the bare newline after a record of exactly the full size
        if _is_wanted(record, log_level):
            made.append(_row(record, structured=record.whole and not goes_on))
    return made


def _is_wanted(record: Record, log_level: str) -> bool:
    if log_level == "NONE":
        return False
    return log_level != "ERROR" or record.stream == "stderr"


def _row(record: Record, *, structured: bool) -> events.EventRow:
    row = events.EventRow(
        record_type="LOG",
        value=json.dumps(record.text, ensure_ascii=False),
        record="{}",
        record_attributes=json.dumps({"log.iostream": record.stream}),
        file_generation=record.place.generation,
        offset=record.place.offset,
    )
    row.timestamp.CopyFrom(instant(record.time))
    if structured and (fields := _fields(record.text)) is not None:
        _fill(row, record, fields)
    return row


def _fields(text: str) -> dict[str, Any] | None:
    """A line that is a JSON object with a body speaks for itself."""
    if not text.startswith("{"):
        return None
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "body" in found else None


def _fill(row: events.EventRow, record: Record, fields: dict[str, Any]) -> None:
    row.value = json.dumps(fields["body"], ensure_ascii=False)
    if isinstance(severity := fields.get("severity_text"), str):
        told = {"severity_text": severity}
        number = _SEVERITIES.get(severity.upper())
        row.record = json.dumps(told | ({"severity_number": number} if number else {}))
    if isinstance(attributes := fields.get("attributes"), dict):
        row.record_attributes = json.dumps(
            {**attributes, "log.iostream": record.stream}, ensure_ascii=False
        )
    if isinstance(scope := fields.get("scope"), dict):
        row.scope = json.dumps(scope, ensure_ascii=False)
    if isinstance(told_at := fields.get("timestamp"), str) and _is_instant(told_at):
        row.timestamp.CopyFrom(instant(told_at))


def instant(text: str) -> Timestamp:
    """RFC 3339 with up to nine digits; the epoch where it is none."""
    made = Timestamp()
    try:
        made.FromJsonString(text)
    except ValueError:
        return Timestamp()
    return made


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and instant(text).seconds != 0
    except ValueError:
        return False
