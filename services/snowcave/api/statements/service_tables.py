"""What `service!SPCS_GET_LOGS()` and its kin read: one service's rows, whichever event table they are in."""

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.service_tables import FUNCTIONS, ServiceTable, service_tables
from snowcave.api.statements.work import Work
from snowcave.model.telemetry import ALL_EVENTS
from snowcave.v1 import state_pb2 as state

_RECORD_TYPES = {"SPCS_GET_LOGS": "LOG", "SPCS_GET_EVENTS": "EVENT", "SPCS_GET_METRICS": "METRIC"}
_PLACE = (
    'RESOURCE_ATTRIBUTES:"snow.service.instance"::VARCHAR::NUMBER AS INSTANCE_ID',
    'RESOURCE_ATTRIBUTES:"snow.service.container.name"::VARCHAR AS CONTAINER_NAME',
)
_COLUMNS = {
    "SPCS_GET_LOGS": ("TIMESTAMP", *_PLACE, "VALUE::VARCHAR AS LOG", "RECORD_ATTRIBUTES"),
    "SPCS_GET_EVENTS": (
        "TIMESTAMP",
        'RECORD:"severity_text"::VARCHAR AS SEVERITY',
        'RECORD:"name"::VARCHAR AS EVENT_NAME',
        "VALUE AS EVENT_DETAILS",
        *_PLACE,
        "RECORD",
        "RECORD_ATTRIBUTES",
    ),
    "SPCS_GET_METRICS": (
        "TIMESTAMP",
        'RECORD:"metric":"name"::VARCHAR AS METRIC_NAME',
        "VALUE::VARCHAR AS VALUE",
        'RECORD:"metric":"unit"::VARCHAR AS UNIT',
        *_PLACE,
        # As documented: never filled.
        "NULL::VARCHAR AS RESOURCE",
        "RECORD",
        "RECORD_ATTRIBUTES",
    ),
}


def read_from_events(sql: str, work: Work) -> str:
    """The statement with each such table as a query of the event tables. Needs MONITOR on the service."""
    upper = sql.upper()
    if not any(name in upper for name in FUNCTIONS):
        return sql
    parts: list[str] = []
    at = 0
    for found in service_tables(Cursor(sql)):
        service = work.caller.find("service", found.service).message
        work.caller.need_any(service, "OWNERSHIP", "MONITOR")
        parts += [sql[at : found.start], _query(found, service)]
        at = found.stop
    return "".join([*parts, sql[at:]])


def _query(found: ServiceTable, service: state.Object) -> str:
    start = found.arguments.get("START_TIME")
    end = found.arguments.get("END_TIME")
    conditions = [
        f"RECORD_TYPE = '{_RECORD_TYPES[found.function]}'",
        f'RESOURCE_ATTRIBUTES:"snow.service.id"::NUMBER = {service.uid}',
        # Without a beginning: the last day.
        f"TIMESTAMP >= {_utc(start)}" if start else "TIMESTAMP >= DATEADD('day', -1, SYSDATE())",
    ]
    if end:
        conditions.append(f"TIMESTAMP <= {_utc(end)}")
    return (
        f"(SELECT {', '.join(_COLUMNS[found.function])} FROM SNOWFLAKE.TELEMETRY.{ALL_EVENTS} "
        f"WHERE {' AND '.join(conditions)} ORDER BY TIMESTAMP DESC)"
    )


def _utc(expression: str) -> str:
    """The event table's times are in UTC, without a zone."""
    return f"CONVERT_TIMEZONE('UTC', ({expression})::TIMESTAMP_TZ)::TIMESTAMP_NTZ"
