"""From log records to rows of the event table. Pure.

Sources: Snowflake's documentation of the event table (LOG rows, structured lines, log levels).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.agent.engine.api import Container
from snowcave.agent.instances.recipe import CONTAINER_LABEL
from snowcave.agent.logs.jsonfile import Place, Record
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

_WARNING = {"severity_text": "WARN", "severity_number": 13}
_PLATFORM = {"name": "snow.spcs.platform"}
_POINT = len("2026-01-01T00:00:00")
_NANOS = _POINT + len(".123456Z")
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


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the event table, but for who said it. Texts are JSON; the timestamp is in microseconds."""

    timestamp: int
    generation: int
    offset: int
    value: str
    record: str
    record_attributes: str
    scope: str = ""


def rows(records: Iterable[Record], log_level: str, broken: set[str]) -> list[Line]:
    """`broken`: streams whose last record was no whole line; kept up to date for the next call.

    A line of more than 16 KiB makes several rows, cut where the engine cut it.
    """
    made: list[Line] = []
    for record in records:
        goes_on = record.stream in broken
        if record.whole:
            broken.discard(record.stream)
        else:
            broken.add(record.stream)
        if goes_on and not record.text:
            continue  # the bare newline after a record of exactly the full size
        if is_wanted(record.stream, log_level):
            made.append(_line(record, structured=record.whole and not goes_on))
    return made


@dataclass(slots=True)
class Lost:
    """What of a source is not collected in one batch, and the row that says so."""

    lines: int = 0
    size: int = 0
    files: int = 0

    def add(self, lines: int, size: int, ends: Mapping[str, bool], broken: set[str]) -> None:
        """`ends`: of each stream whether its last record was no whole line."""
        self.lines += lines
        self.size += size
        for stream, is_broken in ends.items():
            (broken.add if is_broken else broken.discard)(stream)

    def told(self, reached: Place, last: Record, log_level: str) -> list[Line]:
        """Its key is past all that it tells of, and before what is read next."""
        if log_level == "NONE" or not (self.lines or self.files):
            return []
        parts: list[str] = []
        counts: dict[str, int] = {}
        if self.lines:
            parts.append(f"{self.lines} log lines ({self.size} bytes) above the limit of the node")
            counts |= {"snow.dropped.lines": self.lines, "snow.dropped.bytes": self.size}
        if self.files:
            parts.append(f"{self.files} log files that were rotated away unread")
            counts["snow.dropped.files"] = self.files
        said = (f"Not collected: {' and '.join(parts)}.", _WARNING, counts, _PLATFORM)
        texts = [_json(one) for one in said]
        return [Line(micros(last.time), reached.generation, reached.offset - 1, *texts)]


class Columns:
    """Lines of several sources, gathered into one request."""

    def __init__(self, sequence: int) -> None:
        self._request = events.AppendRequest(sequence=sequence)
        self._values: list[bytes] = []
        self._kinds: dict[tuple[int, int, str, str, str], int] = {}

    def __len__(self) -> int:
        return len(self._values)

    def request(self) -> events.AppendRequest:
        """All that was added; nothing may be added after it."""
        self._request.lines.value = b"".join(self._values)
        return self._request

    def add(self, said_by: events.Resource, lines: list[Line]) -> None:
        if not lines:
            return
        resource = len(self._request.resources)
        self._request.resources.append(said_by)
        into, values = self._request.lines, [line.value.encode() for line in lines]
        into.kind.extend(self._kind(resource, line) for line in lines)
        into.timestamp.extend(line.timestamp for line in lines)
        into.offset.extend(line.offset for line in lines)
        into.value_length.extend(map(len, values))
        self._values += values

    def _kind(self, resource: int, line: Line) -> int:
        key = (resource, line.generation, line.record, line.record_attributes, line.scope)
        if (known := self._kinds.get(key)) is None:
            known = self._kinds[key] = len(self._kinds)
            self._request.lines.kinds.add(
                resource=resource,
                file_generation=line.generation,
                record_type="LOG",
                record=line.record,
                record_attributes=line.record_attributes,
                scope=line.scope,
            )
        return known


def is_wanted(stream: str, log_level: str) -> bool:
    if log_level == "NONE":
        return False
    return log_level != "ERROR" or stream == "stderr"


def _line(record: Record, *, structured: bool) -> Line:
    at, place = micros(record.time), record.place
    if structured and (fields := _fields(record.text)) is not None:
        return _told(fields, record, at)
    return Line(
        at, place.generation, place.offset, _json(record.text), "{}", _stream(record.stream)
    )


@cache
def _stream(name: str) -> str:
    return _json({"log.iostream": name})


def _fields(text: str) -> dict[str, Any] | None:
    """A line that is a JSON object with a body speaks for itself."""
    if not text.startswith("{"):
        return None
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "body" in found else None


def _told(fields: dict[str, Any], record: Record, at: int) -> Line:
    told: dict[str, object] = {}
    if isinstance(severity := fields.get("severity_text"), str):
        told = {"severity_text": severity}
        if number := _SEVERITIES.get(severity.upper()):
            told["severity_number"] = number
    attributes, scope = fields.get("attributes"), fields.get("scope")
    own = attributes if isinstance(attributes, dict) else {}
    if isinstance(told_at := fields.get("timestamp"), str) and _is_instant(told_at):
        at = micros(told_at)
    return Line(
        at,
        record.place.generation,
        record.place.offset,
        _json(fields["body"]),
        _json(told),
        _json({**own, "log.iostream": record.stream}),
        _json(scope) if isinstance(scope, dict) else "",
    )


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Half of a pair of surrogates, which no text may hold, or a number beyond 64 bits.
        return json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()


def micros(text: str) -> int:
    """Of an RFC 3339 time; 0 where it is none. The engine's own form is read without much ado."""
    if len(text) >= _NANOS and text[-1] == "Z" and text[_POINT] == ".":
        second, fraction = _second(text[:_POINT]), text[_POINT + 1 : _POINT + 7]
        if second and fraction.isdigit() and len(fraction) == 6:
            return second + int(fraction)
    made = instant(text)
    return made.seconds * 1_000_000 + made.nanos // 1000


@lru_cache(64)
def _second(text: str) -> int:
    return instant(text + "Z").seconds * 1_000_000


def instant(text: str) -> Timestamp:
    """RFC 3339 with up to nine digits; the epoch where it is none."""
    made = Timestamp()
    try:
        made.FromJsonString(text)
    except ValueError:
        return Timestamp()
    return made


def _is_instant(text: str) -> bool:
    """One that the event table takes: where it refuses a line, those of the whole node wait behind it."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None and instant(text).seconds > 0
    except ValueError:
        return False
