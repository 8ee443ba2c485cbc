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
from snowcave.api.queries.tentative import Outdated, Remembered, is_alike
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError
from snowcave.store.api import Compare, LeaseId, Put, Revision, Store
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
        self.remembered = Remembered()

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

    async def all(self) -> list[state.Query]:
        """But for what has only just begun: that has no record yet."""
        kept = (await self._store.list(keys.QUERIES.prefix)).items
        return [state.Query.FromString(one.value) for one in kept]

    async def running(self, session: int) -> list[state.Query]:
        """What runs in a session, as far as it has a record."""
        records = await self.all()
        return [one for one in records if one.session == session and one.state == State.RUNNING]

    async def warehouse_of(self, record: state.Query) -> str:
        """Which one its session uses; empty where it uses none."""
        seen = await self._session(record.session)
        return seen.session.warehouse if seen else ""

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
        *,
        tentative: bool = False,
    ) -> None:
        """Writes the end and what the statement changed of its session, in one transaction.

        `seen`: the session, where it is likely that nobody has changed it since. Raises Conflict where other
        statements of the session were faster every time, and Outdated where a tentative one must run again.
        """
        record.state = ending.state
        record.ended_on.CopyFrom(self._now())
        record.rows = ending.rows
        record.statement_type = ending.statement_type
        record.has_result = ending.has_result
        record.chunk_secret = ending.chunk_secret
        if ending.error:
            record.error_kind = ending.error.kind.name
            record.error_code = ending.error.code
            record.sqlstate = ending.error.sqlstate
            record.error_message = ending.error.message[:_TEXT]
        key = keys.QUERIES.key(record.id)
        put = Put(key, record.SerializeToString())
        once = [Compare(key, mod_revision=0)] if tentative else []
        for _ in range(_TRIES):
            seen = seen or await self._session(record.session)
            if seen is None:
                await self._store.txn([], [put])
                return
            session = _session_after(seen, record.id, before, after)
            where = keys.SESSIONS.key(session.id)
            held = Compare(where, mod_revision=seen.mod_revision)
            writes = [put, Put(where, session.SerializeToString())]
            done = await self._store.txn([held, *once], writes)
            if done.succeeded:
                self.remembered.put(Seen(session, done.revision))
                return
            self.remembered.forget(record.session)
            if tentative:
                seen, revision = await self._confirmed(record, seen)
                once = [Compare(key, mod_revision=revision)]
            else:
                seen = None
        raise Conflict("The session changed too often while the statement ended.")

    def runs(self, record: state.Query) -> bool:
        """Whether a record is that of a statement which this replica runs, or ran and could not end."""
        return record.state == State.RUNNING and record.runner == self._runner

    async def _confirmed(self, record: state.Query, seen: Seen) -> tuple[Seen, Revision]:
        """The session and the record's revision as they are now. Raises Outdated."""
        wanted = [keys.SESSIONS.key(record.session), keys.QUERIES.key(record.id)]
        kept, beside = await self._store.get_many(wanted)
        session = state.Session.FromString(kept.value) if kept else None
        if kept is None or session is None or not is_alike(session, seen.session):
            raise Outdated
        if beside and not self.runs(state.Query.FromString(beside.value)):
            raise Outdated
        return Seen(session, kept.mod_revision), beside.mod_revision if beside else 0

    async def _session(self, session: int) -> Seen | None:
        """None where it was closed meanwhile."""
        kept = await self._store.get(keys.SESSIONS.key(session))
        return Seen(state.Session.FromString(kept.value), kept.mod_revision) if kept else None

    def _now(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self._clock.now())
        return stamp


def _session_after(
    seen: Seen, query: str, before: SessionContext, after: SessionContext
) -> state.Session:
    session = state.Session()
    session.CopyFrom(seen.session)
    apply_changes(session, before, after)
    session.last_query_id = query
    return session


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
