"""Ordinary SQL through Snowflake's connector: a front door, a store and the warehouse, each a real daemon."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import snowflake.connector

from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from tests.kit.daemons import a_mesh, running
from tests.kit.mesh import clean_environment
from tests.kit.ordinary_statements import PEOPLE, SPEC, STATEMENTS, Case, Rows
from tests.kit.tutorial_statements import TUTORIAL

pytestmark = [pytest.mark.documented, pytest.mark.slow, pytest.mark.timeout(300)]
ALL = [*STATEMENTS, *TUTORIAL]
Answers = dict[int, Rows | snowflake.connector.Error]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Answers]:
    """What each statement answered, by its place: they build on each other, so one session runs all."""
    home = tmp_path_factory.mktemp("home")
    tls.ensure(home / "tls")
    mesh = a_mesh(home)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        for name, value in clean_environment().items():
            patch.setenv(name, value)
        async with AsyncExitStack() as stack:
            for name in ("statestore", "warehouse", "api"):
                await stack.enter_async_context(running(mesh, name))
            folder = home / "files"
            (folder / "out").mkdir(parents=True)
            (folder / "spec.yaml").write_text(SPEC)
            (folder / "in.csv").write_text(PEOPLE)
            yield await asyncio.to_thread(_run_all, mesh, home / "admin.password", folder)


def _run_all(mesh: Mesh, password: Path, folder: Path) -> Answers:
    connection: Any = snowflake.connector.connect(
        account=f"{mesh.organization}-{mesh.account}",
        user="ADMIN",
        password=password.read_text().strip(),
        host="127.0.0.1",
        port=mesh.port("api"),
        protocol="http",
    )
    with connection:
        return {place: _run(connection, case, folder) for place, case in enumerate(ALL)}


def _run(connection: Any, case: Case, folder: Path) -> Rows | snowflake.connector.Error:
    cursor = connection.cursor()
    try:
        cursor.execute(case.sql.replace("{folder}", str(folder)), case.binds or None)
        return list(cursor.fetchall())
    except snowflake.connector.Error as error:
        return error


@pytest.mark.parametrize("place", range(len(ALL)), ids=[c.sql[:60] for c in ALL])
def test_a_statement_is_answered_as_snowflake_would(answers: Answers, place: int) -> None:
    case, answer = ALL[place], answers[place]
    if isinstance(answer, snowflake.connector.Error):
        assert answer.errno == case.error, answer
        return
    assert case.error is None, f"no error, but {answer}"
    assert case.is_answered_by(answer), answer
