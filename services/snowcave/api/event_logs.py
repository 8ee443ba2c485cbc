"""Logs of what no node has any more: from the event table, where every line of a container ends up."""

import io
from datetime import UTC, datetime
from typing import Any, cast

import grpc.aio
import orjson
import pyarrow as pa
import structlog

from snowcave.api.contract import LogReader, LogRequest
from snowcave.api.settings import CallSettings
from snowcave.model.errors import Kind, SnowcaveError
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc as stubs

log = structlog.get_logger()

_CONTAINER = "snow.service.container.name"
_ABSENT = (Kind.NOT_FOUND, Kind.UNAVAILABLE)


class EventLogs:
    """A service's newest lines, as they were stored."""

    def __init__(self, channel: grpc.aio.Channel, calls: CallSettings) -> None:
        self._stub = stubs.EventServiceStub(channel)
        self._calls = calls

    async def read(self, request: LogRequest) -> str:
        """Empty where the table has nothing of the container. Raises Unavailable."""
        wanted = v1.ScanRequest(
            service=request.service,
            record_type="LOG",
            newest_first=True,
            limit=self._calls.log_rows,
        )
        if (since := _since(request)) is not None:
            wanted.since.FromDatetime(since)
        rows: list[dict[str, Any]] = []
        with translated("events"):
            async for reply in self._stub.Scan(wanted, timeout=self._calls.agent):
                with pa.ipc.open_stream(io.BytesIO(reply.arrow_stream)) as stream:
                    rows += stream.read_all().to_pylist()
        return lines(rows, request)


def lines(newest_first: list[dict[str, Any]], request: LogRequest) -> str:
    """The container's part of the rows, as its node would have answered. Pure."""
    since = _since(request)
    found: list[str] = []
    for row in newest_first:
        at = cast(datetime, row["timestamp"]).replace(tzinfo=UTC)
        if not _is_of(row, request) or (since is not None and at < since):
            continue
        stamp = f"{at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')} " if request.timestamps else ""
        found.append(f"{stamp}{orjson.loads(row['value'])}\n")
        if len(found) == request.tail_lines:
            break
    return "".join(reversed(found))


def _since(request: LogRequest) -> datetime | None:
    since = datetime.fromisoformat(request.since) if request.since else None
    return since.replace(tzinfo=since.tzinfo or UTC) if since else None


def _is_of(row: dict[str, Any], request: LogRequest) -> bool:
    if row["instance_id"] != request.instance_id:
        return False
    return orjson.loads(row["resource_attributes"]).get(_CONTAINER) == request.container


class Logs:
    """From the instance's node while it has the container, else from the event table."""

    def __init__(self, nodes: LogReader, events: LogReader) -> None:
        self._nodes = nodes
        self._events = events

    async def read(self, request: LogRequest) -> str:
        """Raises what the node said where the table has nothing either."""
        try:
            return await self._nodes.read(request)
        except SnowcaveError as error:
            if error.kind not in _ABSENT or request.previous:
                raise
            kept = await self._kept(request)
            if kept or (kept is not None and request.ended):
                return kept
            raise

    async def _kept(self, request: LogRequest) -> str | None:
        """None where the table does not answer."""
        try:
            return await self._events.read(request)
        except SnowcaveError as error:
            log.warning("events_not_read", error=error.message)
            return None
