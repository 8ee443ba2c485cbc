"""Queries that begin before anybody has looked whether their session is still as this replica left it.

Such a query changes nothing, so it may run on what this replica remembers of the session. Whether that still
held is found out where its end is written: then the session must be the one remembered, and no other replica
may have run the same request. If not, nothing was told to anybody, and the query runs once more with the
session looked up. That spares nearly every query a question to the store.
"""

import re
from collections import OrderedDict

from snowcave.api.queries.statement import Seen
from snowcave.v1 import state_pb2 as state

_QUERY = re.compile(r"\s*SELECT\b", re.IGNORECASE)
# What may do something, or means something else after the session's next statement; calls of SYSTEM$…,
# stages, values of the session, chains and whatever comes after a first statement.
_MORE = re.compile(
    r"[$@!?;]|->>|\bINTO\b|NEXTVAL|LAST_QUERY_ID|RESULT_SCAN|IDENTIFIER", re.IGNORECASE
)
_LONGEST = 16_384
_SESSIONS = 4096


class Outdated(Exception):
    """What a query took for granted does not hold, or nobody knows."""


def is_plain(sql: str) -> bool:
    """Whether the text is a query that may run twice. Those that call services are told apart later."""
    return len(sql) <= _LONGEST and _QUERY.match(sql) is not None and _MORE.search(sql) is None


def is_alike(one: state.Session, other: state.Session) -> bool:
    """Whether a plain query means the same in both."""
    return _meaning(one) == _meaning(other)


def _meaning(session: state.Session) -> state.Session:
    copied = state.Session()
    copied.CopyFrom(session)
    copied.ClearField("last_query_id")
    copied.ClearField("expires_on")
    return copied


class Remembered:
    """Sessions as this replica wrote them last."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, Seen] = OrderedDict()

    def get(self, session: int) -> Seen | None:
        return self._sessions.get(session)

    def put(self, seen: Seen) -> None:
        session = seen.session.id
        known = self._sessions.get(session)
        if known is None or known.mod_revision < seen.mod_revision:
            self._sessions[session] = seen
            self._sessions.move_to_end(session)
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def forget(self, session: int) -> None:
        self._sessions.pop(session, None)
