"""Clients that go on calling while things break, and keep what they saw in a history.

Each uses an unmodified client as people do. The Python connector blocks, so each of its connections has
a thread of its own; it repeats requests by itself, which is part of what is tested.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import aiohttp

from snowcave.kit.tasks import background
from tests.fault.kit.history import History

# A call's end for its client; the connector gives up before that.
DEADLINE = 20.0
GIVE_UP = 15


class Sql:
    """A connection of the connector and its thread."""

    def __init__(self, connect: Callable[..., Any], *setup: str, give_up: int = GIVE_UP) -> None:
        self._connect = partial(
            connect, network_timeout=give_up, login_timeout=give_up, socket_timeout=give_up
        )
        self._setup = setup
        self._thread = ThreadPoolExecutor(1)
        self._connection: Any = None

    async def run(self, statement: str) -> list[Any]:
        """All rows. The connection is opened by the first call and then kept, come what may."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run, statement)

    async def token(self) -> str:
        """The session's token, as ingress takes it."""
        opened = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        return opened.rest.token

    def _run(self, statement: str) -> list[Any]:
        return [list(row) for row in self._open().cursor().execute(statement).fetchall()]

    def _open(self) -> Any:
        if self._connection is None:
            connection = self._connect()
            for line in self._setup:
                connection.cursor().execute(line)
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Ends the thread; the connection's session is left to run out, as a crashed client leaves it."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class Client(Protocol):
    """`name` in the history; one `call` is one request, kept there."""

    @property
    def name(self) -> str: ...

    async def call(self, history: History) -> None: ...


@dataclass
class FunctionCaller:
    """One value, then three rows of a table, in turns. The answer is the rows."""

    sql: Sql
    numbers: Iterator[int]
    function: str
    table: str
    name: str = "function"

    async def call(self, history: History) -> None:
        number = next(self.numbers)
        if number % 2:
            statement = f"SELECT {self.function}('v{number}')"
        else:
            statement = (
                f"SELECT id, {self.function}(word || '{number}') FROM {self.table} ORDER BY id"
            )
        await history.record(self.name, number, partial(self.sql.run, statement), within=DEADLINE)

    @staticmethod
    def expected(number: int) -> list[list[Any]]:
        if number % 2:
            return [[f"I said v{number}"]]
        return [
            [1, f"I said one{number}"],
            [2, f"I said two{number}"],
            [3, f"I said three{number}"],
        ]


@dataclass
class IngressCaller:
    """A batch of one row posted to the public endpoint, with a session's token."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str]
    numbers: Iterator[int]
    name: str = "ingress"

    async def call(self, history: History) -> None:
        number = next(self.numbers)
        await history.record(self.name, number, partial(self._post, number), within=DEADLINE)

    async def _post(self, number: int) -> Any:
        body = json.dumps({"data": [[0, f"v{number}"]]})
        async with self.session.post(self.url, data=body, headers=self.headers) as answer:
            if answer.status != 200:
                raise ConnectionError(f"{answer.status}: {(await answer.text())[:200]}")
            return json.loads(await answer.read())["data"]

    @staticmethod
    def expected(number: int) -> list[list[Any]]:
        return [[0, f"I said v{number}"]]


@dataclass
class Inserter:
    """One row a statement."""

    sql: Sql
    numbers: Iterator[int]
    table: str
    name: str = "insert"

    async def call(self, history: History) -> None:
        number = next(self.numbers)
        statement = f"INSERT INTO {self.table} VALUES ({number})"
        await history.record(self.name, number, partial(self.sql.run, statement), within=DEADLINE)


@dataclass
class Changer:
    """Creates roles and drops every other one again; a name whose fate is unknown is left alone."""

    sql: Sql
    numbers: Iterator[int]
    prefix: str
    name: str = "ddl"

    async def call(self, history: History) -> None:
        number = next(self.numbers)
        name = f"{self.prefix}{number}"
        created = await self._change(history, "create", name)
        if created and number % 2:
            await self._change(history, "drop", name)

    async def _change(self, history: History, verb: str, name: str) -> bool:
        run = partial(self.sql.run, f"{verb.upper()} ROLE {name}")
        call = await history.record(self.name, [verb, name], run, within=DEADLINE)
        return call.outcome == "ok"


@asynccontextmanager
async def calling(history: History, *paced: tuple[Client, float]) -> AsyncGenerator[None]:
    """Each client calls so often a second at most, one call after the other, beside the body."""

    async def pace(client: Client, rate: float) -> None:
        while True:
            await asyncio.gather(client.call(history), asyncio.sleep(1 / rate))

    async with background(*(pace(client, rate) for client, rate in paced)):
        yield


async def answered(history: History, client: str, *, since: int = 0) -> None:
    """Returns once this client has an answer to a call later than the first `since` of the history."""
    while not any(c.client == client and c.outcome == "ok" for c in history.calls[since:]):
        await asyncio.sleep(0.05)
