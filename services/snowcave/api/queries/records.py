"""`query/<id>`: what is known of a statement by every replica.

The record of a running statement hangs on its replica's lease, so it vanishes with the replica;
that of a finished one stays until the sweep.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.contract import SessionContext
from snowcave.api.queries.masking import without_secrets
from snowcave.api.queries.statement import Seen
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError
from snowcave.store.api import Compare, LeaseId, Put, Store, Write
from snowcave.v1 import state_pb2 as state

State = state.Query.State

_TRIES = 5
# Statement texts are kept in records up to here; a record must fit a store value with ease.
_TEXT = 16384


def query_id(session: int, request_id: str) -> str:
    """The same for the same request, whichever replica its repetition reaches."""
    digest = hashlib.sha256(f"{session}/{request_id}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def record_key(session: int, request_id: str) -> str:
    """Where the record of a session's request stands, if there is one."""
    return keys.QUERIES.key(query_id(session, request_id))


@dataclass(frozen=True)
class Ending:
    """How a statement ended."""

    state: State
    error: SnowcaveError | None = None
    rows: int = 0
    statement_type: int = 0
    has_result: bool = False
    chunk_secret: str = ""


class Records:
    """`lease` gives the lease of this replica, 0 where it has none."""

    def __init__(
        self, store: Store, clock: Clock, runner: str, lease: Callable[[], LeaseId]
    ) -> None:
        self._store = store
        self._clock = clock
        self._runner = runner
        self._lease = lease

    def new(self, query: str, context: SessionContext, sql: str, request_id: str) -> state.Query:
        return state.Query(
            id=query,
            session=context.session_id,
            user=context.user_uid,
            user_name=context.user_name,
            sql_text=without_secrets(sql[:_TEXT]),
            state=State.RUNNING,
            started_on=self._now(),
            request_id=request_id,
            runner=self._runner,
        )

    async def get(self, query: str) -> state.Query | None:
        kept = await self._store.get(keys.QUERIES.key(query))
        return state.Query.FromString(kept.value) if kept else None

    async def started(self, record: state.Query) -> None:
        key = keys.QUERIES.key(record.id)
        put = Put(key, record.SerializeToString(), self._lease())
        await self._store.txn([Compare(key, mod_revision=0)], [put])

    async def request_cancel(self, query: str) -> bool:
        """Tell the replica that runs it. Whether it was running."""
        key = keys.QUERIES.key(query)
        for _ in range(_TRIES):
            kept = await self._store.get(key)
            if kept is None:
                return False
            record = state.Query.FromString(kept.value)
            if record.state != State.RUNNING:
                return False
            record.cancel_requested = True
            put = Put(key, record.SerializeToString(), kept.lease)
            held = Compare(key, mod_revision=kept.mod_revision)
            if (await self._store.txn([held], [put])).succeeded:
                return True
        return False

    async def ended(
        self,
        record: state.Query,
        ending: Ending,
        before: SessionContext,
        after: SessionContext,
        seen: Seen | None = None,
    ) -> None:
        """Writes the end and what the statement changed of its session, in one transaction.

        `seen`: the session, where it is likely that nobody has changed it since. Raises Conflict where other
        statements of the session were faster every time.
        """
        record.state = ending.state
        record.ended_on.CopyFrom(self._now())
        record.rows = ending.rows
        record.statement_type = ending.statement_type
        record.has_result = ending.has_result
        record.chunk_secret = ending.chunk_secret
        if ending.error:
            record.error_code = ending.error.code
            record.sqlstate = ending.error.sqlstate
            record.error_message = ending.error.message[:_TEXT]
        put = Put(keys.QUERIES.key(record.id), record.SerializeToString())
        for _ in range(_TRIES):
            seen = seen or await self._session(record.session)
            compares, writes = _session_change(seen, record.id, before, after)
            if (await self._store.txn(compares, [put, *writes])).succeeded:
                return
            seen = None
        raise Conflict("The session changed too often while the statement ended.")

    async def _session(self, session: int) -> Seen | None:
        """None where it was closed meanwhile."""
        kept = await self._store.get(keys.SESSIONS.key(session))
        return Seen(state.Session.FromString(kept.value), kept.mod_revision) if kept else None

    def _now(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self._clock.now())
        return stamp


def _session_change(
    seen: Seen | None, query: str, before: SessionContext, after: SessionContext
) -> tuple[list[Compare], list[Write]]:
    if seen is None:
        return [], []
    session = state.Session()
    session.CopyFrom(seen.session)
    apply_changes(session, before, after)
    session.last_query_id = query
    key = keys.SESSIONS.key(session.id)
    put = Put(key, session.SerializeToString())
    return [Compare(key, mod_revision=seen.mod_revision)], [put]


def apply_changes(session: state.Session, before: SessionContext, after: SessionContext) -> None:
    """Only what the statement changed: another one of the same session may have changed the rest."""
    for name in ("role", "warehouse", "database", "schema", "secondary_roles"):
        value = getattr(after, name)
        if value != getattr(before, name):
            setattr(session, name, value)
    for name in before.parameters.keys() - after.parameters.keys():
        session.parameters.pop(name, None)
    for name, value in after.parameters.items():
        if before.parameters.get(name) != value:
            session.parameters[name] = value
