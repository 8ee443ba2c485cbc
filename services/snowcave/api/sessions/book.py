"""The book of sessions: opened at login, found by token, renewed, closed.

Everything stands in the store, so any replica serves any session. Tokens are opaque and only their
hashes are kept. A session dies with its master token; the sweep removes what has expired.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.settings import SessionSettings
from snowcave.kit import ids
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import MasterTokenExpired, SessionExpired, SessionGone, Unavailable
from snowcave.runtime.identity import token_key
from snowcave.store.api import Compare, Delete, KeyValue, Put, Store, Write
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

Kind = state.SessionToken.Kind


@dataclass(frozen=True)
class Opening:
    """What a login says about the session that it wants."""

    user: int
    user_name: str
    role: str = ""
    warehouse: str = ""
    database: str = ""
    schema: str = ""
    secondary_roles: str = ""
    role_restriction: int = 0
    # uid of the service whose container acts for its caller; 0: none.
    called_service: int = 0
    client_app: str = ""
    client_version: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Tokens:
    session: str
    master: str
    session_id: int


@dataclass(frozen=True)
class Found:
    """A live session as the store has it."""

    state: state.Session
    mod_revision: int
    token_digest: str = ""
    # What stands under the key that was asked for in the same breath.
    beside: KeyValue | None = None

    @property
    def id(self) -> int:
        return self.state.id


class SessionBook:
    def __init__(
        self,
        store: Store,
        mirror: Mirror[state.Session],
        clock: Clock,
        rng: random.Random,
        settings: SessionSettings,
    ) -> None:
        self._store = store
        self._mirror = mirror
        self._clock = clock
        self._rng = rng
        self._settings = settings
        # What a token says never changes, so it is read from the store once.
        self._known: OrderedDict[str, state.SessionToken] = OrderedDict()

    async def open(self, opening: Opening) -> tuple[Tokens, state.Session]:
        now = self._clock.now()
        session = state.Session(
            id=ids.uid(self._rng),
            user=opening.user,
            user_name=opening.user_name,
            role=opening.role,
            warehouse=opening.warehouse,
            database=opening.database,
            schema=opening.schema,
            secondary_roles=opening.secondary_roles,
            role_restriction=opening.role_restriction,
            called_service=opening.called_service,
            client_app=opening.client_app,
            client_version=opening.client_version,
            parameters=dict(opening.parameters),
            created_on=_stamp(now),
            expires_on=self._after(self._settings.master),
        )
        tokens, writes = self._mint(session)
        key = keys.SESSIONS.key(session.id)
        await self._store.txn([], [Put(key, session.SerializeToString()), *writes])
        return tokens, session

    async def find(self, token: str, beside: Callable[[int], str] | None = None) -> Found:
        """The session of a session token. Raises SessionExpired, SessionGone.

        `beside`: from the session's id to a key that is read along with it.
        """
        session = await self.claimed(token)
        return await self.by_id(session, token_key(token), beside(session) if beside else "")

    async def claimed(self, token: str) -> int:
        """The session that a token is for, which may have been closed. Raises SessionExpired, SessionGone."""
        entry = await self._entry(token_key(token))
        if entry.kind != Kind.SESSION:
            raise SessionGone
        if self._passed(entry.expires_on):
            raise SessionExpired
        return entry.session

    async def by_id(self, session: int, digest: str = "", beside: str = "") -> Found:
        """Read from the store, for another replica may have changed it a moment ago.

        While the store is away nobody changes it, so then the mirror will do.
        """
        key, other = keys.SESSIONS.key(session), None
        try:
            async with asyncio.timeout(self._settings.lookup):
                if beside:
                    kept, other = await self._store.get_many([key, beside])
                else:
                    kept = await self._store.get(key)
        except (Unavailable, TimeoutError) as error:
            known = self._mirror.entry(session)
            if known is None:
                raise Unavailable("The session cannot be looked up now.") from error
            copied = state.Session()
            copied.CopyFrom(known.message)
            return Found(copied, known.mod_revision, digest)
        if kept is None:
            raise SessionGone
        session_now = state.Session.FromString(kept.value)
        return Found(session_now, kept.mod_revision, digest, other)

    async def renew(self, master: str, old_token: str) -> Tokens:
        """New tokens for the session of a master token. Raises MasterTokenExpired, SessionGone."""
        found = await self._by_master(master)
        found.state.expires_on.CopyFrom(self._after(self._settings.master))
        tokens, writes = self._mint(found.state)
        old = token_key(old_token)
        key = keys.SESSIONS.key(found.id)
        # The old master token stays: the answer may get lost, and the client asks again with it.
        changes: list[Write] = [Put(key, found.state.SerializeToString()), *writes]
        if old_token and await self._belongs(old, found.id):
            changes.append(Delete(keys.SESSION_TOKENS.key(old)))
            self._known.pop(old, None)
        result = await self._store.txn([Compare(key, mod_revision=found.mod_revision)], changes)
        return tokens if result.succeeded else await self.renew(master, old_token)

    async def issue(self, master: str) -> str:
        """One more token of the session, for the registry; the others stay as they are."""
        found = await self._by_master(master)
        token, write = self._token(found.state, Kind.ISSUED, self._settings.token)
        await self._store.txn([], [write])
        return token

    async def ticket(self, session: int, transfer: state.Transfer) -> str:
        """Opens files of a stage, and nothing else; dies with the session at the latest."""
        found = await self.by_id(session)
        token, write = self._token(found.state, Kind.TRANSFER, self._settings.transfer, transfer)
        await self._store.txn([], [write])
        return token

    async def transfer(self, ticket: str) -> state.Transfer:
        """What a ticket opens. Raises SessionExpired, SessionGone."""
        entry = await self._entry(token_key(ticket))
        if entry.kind != Kind.TRANSFER:
            raise SessionGone
        if self._passed(entry.expires_on):
            raise SessionExpired
        await self.by_id(entry.session)
        return entry.transfer

    async def close(self, found: Found) -> None:
        """Its other tokens find no session any more, and the sweep removes them."""
        writes: list[Write] = [Delete(keys.SESSIONS.key(found.id))]
        if found.token_digest:
            writes.append(Delete(keys.SESSION_TOKENS.key(found.token_digest)))
            self._known.pop(found.token_digest, None)
        await self._store.txn([], writes)

    async def _belongs(self, digest: str, session: int) -> bool:
        try:
            return (await self._entry(digest)).session == session
        except SessionGone:
            return False

    async def _by_master(self, master: str) -> Found:
        digest = token_key(master)
        entry = await self._entry(digest)
        if entry.kind != Kind.MASTER:
            raise SessionGone
        if self._passed(entry.expires_on):
            raise MasterTokenExpired
        return await self.by_id(entry.session, digest)

    async def _entry(self, digest: str) -> state.SessionToken:
        known = self._known.get(digest)
        if known is None:
            kept = await self._store.get(keys.SESSION_TOKENS.key(digest))
            if kept is None:
                raise SessionGone
            known = state.SessionToken.FromString(kept.value)
            self._known[digest] = known
            if len(self._known) > self._settings.remembered:
                self._known.popitem(last=False)
        return known

    def _mint(self, session: state.Session) -> tuple[Tokens, list[Write]]:
        first, put_first = self._token(session, Kind.SESSION, self._settings.token)
        master, put_master = self._token(session, Kind.MASTER, self._settings.master)
        return Tokens(first, master, session.id), [put_first, put_master]

    def _token(
        self,
        session: state.Session,
        kind: state.SessionToken.Kind,
        life: float,
        transfer: state.Transfer | None = None,
    ) -> tuple[str, Put]:
        token = ids.token(self._rng)
        entry = state.SessionToken(
            kind=kind,
            session=session.id,
            user=session.user,
            expires_on=self._after(life),
            transfer=transfer,
        )
        return token, Put(keys.SESSION_TOKENS.key(token_key(token)), entry.SerializeToString())

    def _after(self, seconds: float) -> Timestamp:
        return _stamp(self._clock.now() + timedelta(seconds=seconds))

    def _passed(self, moment: Timestamp) -> bool:
        return moment.ToDatetime(UTC) <= self._clock.now()


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
