"""The front door's pure decisions."""

import asyncio
import os
import random
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from snowcave.api.bootstrap import PASSWORD_FILE, SYSTEM_ROLES, bootstrap
from snowcave.api.contract import SessionContext
from snowcave.api.grpc.catalog import resume
from snowcave.api.http import wire
from snowcave.api.logs import latest
from snowcave.api.queries import dml
from snowcave.api.queries.masking import without_secrets
from snowcave.api.queries.records import apply_changes, query_id
from snowcave.api.sessions.sweep import Sweep
from snowcave.api.settings import LoginSettings
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound, SyntaxInvalid
from snowcave.model.keys import Role
from snowcave.runtime.lockout import Lockout
from snowcave.store.api import Put
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore


def stamp(seconds: float) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return made


def test_a_user_is_locked_after_so_many_failures_in_a_row_and_then_free_again() -> None:
    lockout = Lockout(LoginSettings(attempts=3, lock=60.0))
    for _ in range(2):
        lockout.failed("joe", 0.0)
    lockout.succeeded("JOE")
    for _ in range(2):
        lockout.failed("Joe", 1.0)
    assert lockout.locked("joe", 1.0) == 0
    lockout.failed("joe", 1.0)
    assert lockout.locked("JOE", 2.0) == 59.0
    assert lockout.locked('"JOE"', 2.0) == 59.0
    assert lockout.locked("ann", 2.0) == 0
    assert lockout.locked("joe", 61.0) == 0


def test_the_lockout_forgets_the_oldest_users() -> None:
    lockout = Lockout(LoginSettings(attempts=1, lock=60.0, remembered=2))
    for user in ("a", "b", "c"):
        lockout.failed(user, 0.0)
    assert [lockout.locked(user, 1.0) > 0 for user in ("a", "b", "c")] == [False, True, True]


def test_a_request_s_query_id_is_the_same_everywhere_and_a_uuid() -> None:
    assert query_id(1, "r") == query_id(1, "r")
    assert query_id(1, "r") != query_id(2, "r")
    assert query_id(1, "r")[14] == "4"


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("select ?, '?', \"?\" -- ?", 1),
        ("select /* ? */ ? + ?", 2),
        ("select $$?$$", 0),
        ("", 0),
    ],
)
def test_placeholders_are_counted_outside_of_texts_and_comments(sql: str, count: int) -> None:
    assert dml.placeholders(sql) == count


@pytest.mark.parametrize(
    ("sql", "kind"), [(" Insert into t", 12544), ("delete from t", 13056), ("select 1", 0)]
)
def test_dml_is_known_by_its_first_word(sql: str, kind: int) -> None:
    assert dml.statement_type(sql) == kind


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (
            "create user u password = 'a''b' comment='c'",
            "create user u password = '****' comment='c'",
        ),
        ("alter user u set PASSWORD='x\\'y'", "alter user u set PASSWORD='****'"),
        ("create secret s secret_string=$$a'b$$", "create secret s secret_string='****'"),
        ("select password from t", "select password from t"),
    ],
)
def test_a_statement_is_kept_without_its_secrets(sql: str, kept: str) -> None:
    assert without_secrets(sql) == kept


def context(**more: object) -> SessionContext:
    made = SessionContext(1, 2, "U", role="R", database="D", parameters={"A": "1", "B": "2"})
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_only_what_a_statement_changed_is_written_to_its_session() -> None:
    session = state.Session(role="OTHER", database="D", parameters={"A": "1", "B": "2", "C": "3"})
    after = context(database="D2", parameters={"A": "9"})
    apply_changes(session, context(), after)
    assert session.role == "OTHER"
    assert session.database == "D2"
    assert dict(session.parameters) == {"A": "9", "C": "3"}


@given(st.sampled_from(["database", "schema", "warehouse", "role"]), st.text(max_size=5))
def test_a_change_to_nothing_is_a_change_too(name: str, value: str) -> None:
    session = state.Session(database="D", schema="S", warehouse="W", role="R")
    before = context(schema="S", warehouse="W")
    apply_changes(session, before, context(**{"schema": "S", "warehouse": "W", name: value}))
    assert getattr(session, name) == value


def test_an_error_has_six_digits_and_its_place() -> None:
    shown = wire.failure(SyntaxInvalid(2, 7, "X"), "q")
    assert shown["code"] == "001003"
    assert shown["data"]["sqlState"] == "42000"
    assert (shown["data"]["line"], shown["data"]["pos"]) == (2, 7)
    assert wire.failure(ObjectNotFound("Table", "T"))["data"]["errorCode"] == "002003"


def test_parameters_keep_the_types_that_clients_expect() -> None:
    own = {"AUTOCOMMIT": "false", "CLIENT_PREFETCH_THREADS": "8", "TIMEZONE": "UTC", "MINE": "1"}
    shown = {one["name"]: one["value"] for one in wire.parameters(own)}
    assert shown["AUTOCOMMIT"] is False
    assert shown["CLIENT_PREFETCH_THREADS"] == 8
    assert shown["MINE"] == "1"


def test_logs_are_read_from_the_newest_incarnation_that_is_not_stopping() -> None:
    old = state.Assignment(instance="8-0-1", service=8, created_on=stamp(-20))
    new = state.Assignment(instance="8-0-2", service=8, created_on=stamp(-10))
    stopping = state.Assignment(instance="8-0-3", service=8, created_on=stamp(-5), stopping=True)
    other = state.Assignment(instance="9-0-9", service=9, created_on=stamp(0))
    assert latest([old, stopping, new, other], 8, 0) == new
    assert latest([stopping, other], 8, 0) == stopping
    assert latest([other], 8, 0) is None


def test_only_what_sleeps_and_wants_to_be_woken_is_woken() -> None:
    now = stamp(0)
    sleeping = state.Object(service=state.Service(suspended=True, auto_resume=True))
    assert resume(sleeping, now)
    assert not resume(sleeping, now)
    assert not resume(state.Object(service=state.Service(suspended=True)), now)
    assert not resume(state.Object(role=state.Role()), now)


async def test_the_first_start_makes_one_administrator_and_a_password_file_of_its_own(
    tmp_path: Path,
) -> None:
    store, clock = MemoryStore(Role.API), LoopClock()
    assert await bootstrap(store, tmp_path, random.Random(1), clock)
    assert not await bootstrap(store, tmp_path, random.Random(2), clock)
    path = tmp_path / PASSWORD_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    users = (await store.list("catalog/user/")).items
    (admin,) = [state.Object.FromString(item.value) for item in users]
    PasswordHasher().verify(admin.user.password_hash, path.read_text().strip())
    roles = (await store.list("catalog/role/")).items
    assert {state.Object.FromString(r.value).name for r in roles} == SYSTEM_ROLES.keys()
    assert len((await store.list("name/schema/")).items) == 2


async def test_a_password_file_that_was_left_empty_is_no_empty_password(tmp_path: Path) -> None:
    (tmp_path / PASSWORD_FILE).touch()
    store = MemoryStore(Role.API)
    assert await bootstrap(store, tmp_path, random.Random(1), LoopClock())
    assert len((tmp_path / PASSWORD_FILE).read_text().strip()) > 16
    assert os.listdir(tmp_path) == [PASSWORD_FILE]


async def test_replicas_that_start_at_once_leave_the_password_that_counts(tmp_path: Path) -> None:
    store, clock = MemoryStore(Role.API), LoopClock()
    rivals = [bootstrap(store, tmp_path, random.Random(n), clock) for n in range(3)]
    assert sum(await asyncio.gather(*rivals)) == 1
    (item,) = (await store.list("catalog/user/")).items
    admin = state.Object.FromString(item.value)
    PasswordHasher().verify(
        admin.user.password_hash, (tmp_path / PASSWORD_FILE).read_text().strip()
    )


async def test_the_sweep_removes_what_has_expired_and_tells_of_sessions() -> None:
    store, closed = MemoryStore(Role.API), list[int]()

    async def told(session: int) -> None:
        closed.append(session)

    kept = {
        keys.SESSIONS.key(1): state.Session(id=1, expires_on=stamp(-1)),
        keys.SESSIONS.key(2): state.Session(id=2, expires_on=stamp(60)),
        keys.SESSION_TOKENS.key("a"): state.SessionToken(expires_on=stamp(-1)),
        keys.SESSION_TOKENS.key("b"): state.SessionToken(expires_on=stamp(60)),
        keys.QUERIES.key("old"): state.Query(ended_on=stamp(-100)),
        keys.QUERIES.key("new"): state.Query(ended_on=stamp(-1)),
        keys.QUERIES.key("runs"): state.Query(),
    }
    await store.txn([], [Put(key, one.SerializeToString()) for key, one in kept.items()])
    sweep = Sweep(store, LoopClock(), every=60.0, retention=50.0, most=9, closed=told)
    await sweep.once()
    left = {
        item.key for prefix in ("session/", "query/") for item in (await store.list(prefix)).items
    }
    assert left == kept.keys() - {
        keys.SESSIONS.key(1),
        keys.SESSION_TOKENS.key("a"),
        keys.QUERIES.key("old"),
    }
    assert closed == [1]


async def test_the_sweep_keeps_no_more_records_than_it_may_and_those_the_newest() -> None:
    store = MemoryStore(Role.API)

    async def nobody(_session: int) -> None:
        raise AssertionError("no session ended")

    for number in range(5):
        ended = state.Query(ended_on=stamp(-number))
        await store.put(keys.QUERIES.key(f"q{number}"), ended.SerializeToString())
    await store.put(keys.QUERIES.key("runs"), state.Query().SerializeToString())
    await Sweep(store, LoopClock(), every=60.0, retention=50.0, most=2, closed=nobody).once()
    left = {item.key.removeprefix("query/") for item in (await store.list("query/")).items}
    assert left == {"q0", "q1", "runs"}
