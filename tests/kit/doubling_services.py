"""A SQL engine whose statements may call functions that multiply, without daemons around it.

`<<2 x>>` in a statement is a call of the function that doubles; `as_calls` and `as_products` spell it out.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from snowcave.runtime.mesh import Mesh
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1.functions_pb2 import InvokeProgress
from snowcave.warehouse.engine import failures
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.results.keeping import Keeper, Rows
from snowcave.warehouse.service_functions.dispatch import Dispatch
from snowcave.warehouse.sessions import Sessions
from snowcave.warehouse.settings import CallSettings, EngineSettings, WarehouseSettings

HERE = Context(session=1, user="U", role="R", database="DB", schema="S")
FACTORS = {"DBL": 2, "TRP": 3}
_ANSWERS = pa.schema([pa.field("answer", pa.string())])
_NAMES = {factor: name for name, factor in FACTORS.items()}


@contextmanager
def an_engine(home: Path) -> Generator[tuple[DuckEngine, Path]]:
    """With the schema DB.S, and the folder that it lives in."""
    events = home / "events" / "parquet"
    events.mkdir(parents=True)
    opened = DuckEngine(home / "warehouse", home / "stages", EngineSettings(), folders=[events])
    opened.create_database("DB", replace=False)
    opened.create_schema("DB", "S", replace=False)
    try:
        yield opened, home
    finally:
        opened.close()


def as_calls(sql: str) -> str:
    return re.sub(r"<<(\d) ", lambda m: f"{_NAMES[int(m[1])].lower()}(", sql).replace(">>", ")")


def as_products(sql: str) -> str:
    return re.sub(r"<<(\d) ", r"(\1 * (", sql).replace(">>", "))")


def binding(name: str) -> pb.FunctionBinding:
    return pb.FunctionBinding(
        function=FACTORS[name],
        database="DB",
        schema="S",
        name=name,
        argument_types=["NUMBER(18,0)"],
        returns="NUMBER(18,0)",
        spellings=[name],
    )


class Multiplying:
    """Stands in for Invoker; keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[str | None] = []
        self.calls = 0

    def open(self, function: pb.FunctionBinding, *_: object) -> "_Product":
        self.calls += 1
        return _Product(self, FACTORS[function.name])


class _Product:
    def __init__(self, owner: Multiplying, factor: int) -> None:
        self._owner = owner
        self._factor = factor
        self.answers = Rows(_ANSWERS)
        self.progress = InvokeProgress()

    async def __aenter__(self) -> "_Product":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, arguments: Sequence[pa.Array], rows: int) -> None:
        texts = arguments[0].cast(pa.string()).to_pylist()
        assert len(texts) == rows
        self._owner.sent += texts
        answers = [None if t is None else str(int(t) * self._factor) for t in texts]
        self.answers.add(
            pa.RecordBatch.from_arrays([pa.array(answers, pa.string())], schema=_ANSWERS)
        )

    async def nearly_finished(self, seconds: float) -> None:
        pass

    async def finish(self) -> Rows:
        self.answers.end()
        return self.answers

    def give_up(self, error: Exception) -> None:
        self.answers.end(error)


class Desk:
    """Runs statements one after another in one session."""

    def __init__(self, sessions: Sessions, keeper: Keeper) -> None:
        self._sessions = sessions
        self.service = Multiplying()
        self._dispatch = Dispatch(sessions, cast(Any, self.service), keeper, CallSettings())

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        session = await self._sessions.get(1)
        try:
            statement = session.engine.parse(sql, HERE)
            async with self._dispatch.prepared(
                session, statement, [binding(name) for name in FACTORS], "q", HERE, []
            ) as prepared:
                outcome = await asyncio.to_thread(
                    session.engine.execute,
                    prepared.statement,
                    HERE,
                    relations=prepared.relations,
                    functions=prepared.functions,
                )
        except Exception as error:
            raise failures.translated(error) from error
        columns = [outcome.table.column(n).to_pylist() for n in range(outcome.table.num_columns)]
        return list(zip(*columns, strict=True))


@asynccontextmanager
async def a_desk(engine: Any, home: Path) -> AsyncGenerator[Desk]:
    mesh = Mesh(home=home, port_base=1)
    async with Sessions(engine, WarehouseSettings(mesh=mesh)) as sessions:
        yield Desk(sessions, Keeper(home, most=1))
