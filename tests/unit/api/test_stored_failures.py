"""What a failed statement has left behind, read by a replica that did not run it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from snowcave.api.contract import SessionContext
from snowcave.api.queries.answer import Failure
from snowcave.api.queries.records import Ending, Records, State
from snowcave.api.queries.results import StoredResults
from snowcave.api.settings import QuerySettings
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import (
    Exhausted,
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    SnowcaveError,
    StatementTimeout,
)
from snowcave.model.keys import Role
from tests.kit.memory_store import MemoryBackend, MemoryStore

CONTEXT = SessionContext(session_id=1, user_uid=7, user_name="U", account="A")


@pytest.mark.parametrize(
    "error",
    [
        ObjectNotFound("Service", "s"),
        ObjectExists("s"),
        NotAuthorized("service 's'"),
        StatementTimeout(1.0),
        Exhausted("full"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_another_replica_knows_of_which_kind_a_failure_was(error: SnowcaveError):
    records = Records(MemoryStore(Role.API, MemoryBackend()), LoopClock(), "one", lambda: 0)
    record = records.new("q", CONTEXT, "CALL something()", "r")
    await records.ended(record, Ending(State.FAILED_WITH_ERROR, error), CONTEXT, CONTEXT)
    nothing_here: Any = SimpleNamespace(get=lambda _query: None)
    results = StoredResults(nothing_here, records, cast("Any", None), QuerySettings(), LoopClock())
    found = await results.outcome("q", CONTEXT)
    assert isinstance(found, Failure)
    assert (found.error.kind, found.error.code) == (error.kind, error.code)
    assert found.error.message == error.message
