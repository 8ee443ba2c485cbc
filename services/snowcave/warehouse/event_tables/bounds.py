"""Which rows of the event table a statement can need, for a table that stands in no files. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from snowcave.v1 import events_pb2 as v1

# The moments are taken before the statement runs, and its own once more as it does.
_MARGIN = timedelta(seconds=60)


class Asked(Protocol):
    """See `rewrite.asking`."""

    since: list[Any]
    until: list[Any]
    record_type: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class EventBounds:
    """Others are not needed; the statement itself looks at each that comes. Times are UTC."""

    since: datetime | None = None
    until: datetime | None = None
    record_type: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])

    def request(self) -> v1.ScanRequest:
        """A store with files answers with what is in none of them, whatever the bounds."""
        made = v1.ScanRequest(
            tail_only=True, record_type=self.record_type, attributes=self.attributes
        )
        if self.since:
            made.since.FromDatetime(self.since)
        if self.until:
            made.until.FromDatetime(self.until)
        return made


def evaluated(asked: Asked, moment: Callable[[Any], datetime | None]) -> EventBounds:
    since = [at for at in map(moment, asked.since) if at is not None]
    until = [at for at in map(moment, asked.until) if at is not None]
    return EventBounds(
        _widened(since, max, -_MARGIN),
        _widened(until, min, _MARGIN),
        asked.record_type,
        asked.attributes,
    )


def _widened(
    found: list[datetime], choose: Callable[[Iterable[datetime]], datetime], by: timedelta
) -> datetime | None:
    try:
        return (choose(found) + by).replace(tzinfo=UTC) if found else None
    except OverflowError:  # at an end of the calendar
        return None
