"""Service functions over services as people write them, by SQL and by the Python client."""

import asyncio
from collections.abc import Generator
from typing import Any

import pyarrow as pa
import pytest

from snowcave.client import Target
from snowcave.client.functions import Progress
from snowcave.client.target import open_session
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import sql_pb2
from tests.kit.clients import IMAGE, OTHER_USER, endpoint, service_sql, wait_ready
from tests.kit.mesh import Snowcave, rows, until

pytestmark = pytest.mark.docker
KINDS = {"flask": 8001, "fastapi": 8002, "plain": 8003}
ROWS = 500


def container(kind: str, port: int) -> str:
    return (
        f"  - name: {kind}\n    image: /{IMAGE}\n"
        '    command: ["/usr/bin/python3", "/app/external.py"]\n'
        f'    args: ["{kind}", "{port}"]\n'
    )


@pytest.fixture(scope="module")
def external(tutorial: Snowcave, session: Any, others: Any) -> Generator[Any]:
    """One service with a container of each kind, their functions, and a table of texts."""
    cursor = session.cursor()
    containers = "".join(container(kind, port) for kind, port in KINDS.items())
    endpoints = "".join(endpoint(kind, port) for kind, port in KINDS.items())
    cursor.execute(service_sql("external", containers, endpoints))
    for kind in KINDS:
        cursor.execute(
            f"CREATE FUNCTION upper_{kind}(t VARCHAR) RETURNS VARCHAR SERVICE=external "
            f"ENDPOINT={kind} MAX_BATCH_ROWS=50 AS '/upper'"
        )
    cursor.execute(
        "CREATE TABLE words AS SELECT SEQ4() AS n, IFF(n % 7 = 0, NULL, 'word ' || n) AS t "
        f"FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
    )
    wait_ready(session, "external")
    for kind in KINDS:  # a container is READY before its program listens
        until(lambda kind=kind: answers(session, kind))
    yield session
    cursor.execute("DROP SERVICE external")


def answers(session: Any, kind: str) -> bool:
    try:
        return rows(session, f"SELECT upper_{kind}('a') AS u") == [{"U": "A"}]
    except Exception:  # nobody listens yet
        return False


@pytest.mark.documented
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_goes_through_each_kind_of_service(external: Any, kind: str) -> None:
    sql = f"CREATE OR REPLACE TABLE loud AS SELECT n, t, upper_{kind}(t) AS u FROM words"
    external.cursor().execute(sql)
    wrong = "SELECT COUNT(*) AS wrong FROM loud WHERE u IS DISTINCT FROM UPPER(t)"
    assert rows(external, wrong) == [{"WRONG": 0}]
    assert rows(external, "SELECT COUNT(DISTINCT n) AS rows FROM loud") == [{"ROWS": ROWS}]


@pytest.mark.documented
def test_a_plan_shows_the_call_of_a_service(external: Any) -> None:
    plan = rows(external, "EXPLAIN SELECT n, upper_flask(t) AS u FROM words WHERE n > 3")
    called = "TUTORIAL_DB.DATA_SCHEMA.UPPER_FLASK("
    assert [called in (row["expressions"] or "") for row in plan].count(True) == 1
    assert [row["objects"] for row in plan if row["objects"]] == ["TUTORIAL_DB.DATA_SCHEMA.WORDS"]
    (told,) = rows(external, "EXPLAIN USING JSON SELECT upper_flask(t) FROM words")
    assert called in told["content"]


@pytest.mark.ours
def test_the_python_client_calls_a_function_without_sql(external: Any, tutorial: Snowcave) -> None:
    texts = [None if n % 5 == 0 else f"text {n}" for n in range(300)]
    loud = [None if text is None else text.upper() for text in texts]
    name = "tutorial_db.data_schema.upper_plain"

    async def call() -> None:
        login = sql_pb2.LoginRequest(user="ADMIN", password=tutorial.password, role="TEST_ROLE")
        async with open_session(Target.of_mesh(tutorial.mesh), login) as session:
            progress = Progress()
            found = await session.functions.call(name, pa.table({"t": texts}), progress)
            assert found.to_pylist() == loud
            assert (progress.rows, progress.batches) == (300, 6)
            assert progress.retries == 6
            mapped = session.functions.map(f"{name}(VARCHAR)", ([text] for text in texts))
            assert [value async for value in mapped] == loud
            with pytest.raises(SnowcaveError) as unknown:
                await session.functions.call(name + "s", pa.table({"t": texts}))
            assert unknown.value.code == 2003

    async def as_another() -> None:
        login = sql_pb2.LoginRequest(
            user=OTHER_USER["user"], password=OTHER_USER["password"], role="OTHER_ROLE"
        )
        async with open_session(Target.of_mesh(tutorial.mesh), login) as session:
            with pytest.raises(SnowcaveError) as refused:
                await session.functions.call(name, pa.table({"t": texts}))
            assert refused.value.code in (2003, 3001)

    asyncio.run(call())
    asyncio.run(as_another())
