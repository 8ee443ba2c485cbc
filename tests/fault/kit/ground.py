"""A mesh with everything that fault tests need in it: a function, tables, an endpoint, numbered lines.

The echo service has an instance on each of two nodes, so that calls are balanced; there may be a third.
"""

import asyncio
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import aiohttp
from dnslib import DNSRecord

from snowcave.cli.supervisor import engine
from snowcave.model import keys
from snowcave.v1 import state_pb2 as state
from tests.fault.kit import checks, traffic
from tests.fault.kit.history import History
from tests.fault.kit.view import MeshView
from tests.kit.mesh import ECHO_COMMAND, Snowcave, build_echo, running_mesh

SCHEMA = "fault_db.data"
IMAGE = "fault_db/data/images/echo:1"
INSTANCES = 2
CLIENTS = ("function", "ingress", "insert", "ddl")

SETUP = """
CREATE DATABASE fault_db
CREATE SCHEMA fault_db.data
CREATE WAREHOUSE fault_wh
CREATE IMAGE REPOSITORY fault_db.data.images
CREATE COMPUTE POOL fault_pool MIN_NODES = 2 MAX_NODES = 3 INSTANCE_FAMILY = CPU_X64_XS
CREATE TABLE fault_db.data.words (id INT, word VARCHAR)
INSERT INTO fault_db.data.words VALUES (1, 'one'), (2, 'two'), (3, 'three')
CREATE TABLE fault_db.data.written (n INT)
"""

ECHO = f"""CREATE SERVICE fault_db.data.echo IN COMPUTE POOL fault_pool
MIN_INSTANCES = {INSTANCES} MAX_INSTANCES = {INSTANCES} MIN_READY_INSTANCES = 1 FROM SPECIFICATION $$
spec:
  containers:
  - name: echo
    image: /{IMAGE}
    env: {{SERVER_PORT: 8000}}
    readinessProbe: {{port: 8000, path: /healthcheck}}
    resources: {{requests: {{cpu: 0.6}}}}
  endpoints:
  - {{name: main, port: 8000, public: true}}
$$"""

LINES = f"""CREATE SERVICE fault_db.data.lines IN COMPUTE POOL fault_pool FROM SPECIFICATION $$
spec:
  containers:
  - name: numbers
    image: /{IMAGE}
    command: [/usr/bin/python3, -u, -c]
    args:
    - |
      import itertools, signal, sys, time
      signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
      for number in itertools.count(1):
          print("line", number)
          time.sleep(0.05)
    resources: {{requests: {{cpu: 0.1}}}}
$$"""

FUNCTION = """CREATE FUNCTION fault_db.data.say (word VARCHAR) RETURNS VARCHAR
SERVICE = fault_db.data.echo ENDPOINT = main AS '/echo'"""

LOGGED = """SELECT value::string FROM snowflake.telemetry.events
WHERE resource_attributes:"snow.service.name" = 'LINES' AND record_type = 'LOG'
ORDER BY timestamp"""


@dataclass
class Ground:
    """The mesh, its clients and what they have seen so far."""

    snowcave: Snowcave
    history: History
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    sqls: dict[str, traffic.Sql] = field(default_factory=dict[str, traffic.Sql])
    endpoint: str = ""
    dns_name: str = ""
    _told: set[str] = field(default_factory=set[str])

    @property
    def view(self) -> MeshView:
        return MeshView(self.snowcave.mesh)

    def sql(self, name: str, give_up: int = traffic.GIVE_UP) -> traffic.Sql:
        """The same connection for the whole life of the ground: sessions outlive daemons."""
        if name not in self.sqls:
            setup = ("USE WAREHOUSE fault_wh", f"USE SCHEMA {SCHEMA}")
            self.sqls[name] = traffic.Sql(self.snowcave.connect, *setup, give_up=give_up)
        return self.sqls[name]

    @asynccontextmanager
    async def clients(self) -> AsyncGenerator[None]:
        """Every client at work, each answered at least once when entered."""
        async with aiohttp.ClientSession() as session:
            clients = (
                (traffic.FunctionCaller(self.sql("function"), self.numbers, "say", "words"), 8),
                (await self.ingress(session), 8),
                (traffic.Inserter(self.sql("insert"), self.numbers, "written"), 4),
                (traffic.Changer(self.sql("ddl"), self.numbers, "fault_role_"), 2),
            )
            so_far = len(self.history.calls)
            async with traffic.calling(self.history, *clients):
                await self.clients_answered(since=so_far)
                yield

    async def clients_answered(self, *, since: int | None = None, within: float = 40.0) -> None:
        """Every client has got an answer, to a call that ended from now on (or from that place on)."""
        so_far = len(self.history.calls) if since is None else since
        async with asyncio.timeout(within):
            for client in CLIENTS:
                await traffic.answered(self.history, client, since=so_far)

    async def answered_since(self, client: str, moment: float, *, within: float = 20.0) -> None:
        """The client has got an answer to a call that it made after that moment."""
        async with asyncio.timeout(within):
            while not any(c.start >= moment for c in self.history.of(client, "ok")):
                await asyncio.sleep(0.05)

    async def ingress(self, session: aiohttp.ClientSession) -> traffic.IngressCaller:
        token = await self.sql("token").token()
        headers = {
            "Host": self.endpoint,
            "Authorization": f'Snowflake Token="{token}"',
            "Content-Type": "application/json",
        }
        url = f"http://127.0.0.1:{self.snowcave.mesh.port('ingress')}/echo"
        return traffic.IngressCaller(session, url, headers, self.numbers)

    async def ready_instances(self) -> int:
        """As the scheduler published them."""
        found = (await self.view.dump(keys.ENDPOINTS.prefix)).values()
        return sum(cast(state.Endpoint, endpoint).ready for endpoint in found)

    async def nodes_in_use(self) -> set[str]:
        """Where instances should run."""
        found = (await self.view.dump(keys.ASSIGNMENTS.prefix)).values()
        return {cast(state.Assignment, one).node for one in found}

    async def node_without_lines(self) -> str:
        """A node with an echo instance, away from the container that prints the lines."""
        found = (await self.view.dump(keys.ASSIGNMENTS.prefix)).values()
        assigned = [cast(state.Assignment, one) for one in found]
        lines = {one.node for one in assigned if one.identity.service_name == "LINES"}
        return next(one.node for one in assigned if one.node not in lines)

    async def tidy(self, *, containers: int, within: float = 20.0) -> None:
        """Exactly so many containers are left, each instance's only once."""
        async with asyncio.timeout(within):
            while len(await asyncio.to_thread(self.view.containers)) != containers:
                await asyncio.sleep(0.2)

    async def broken(self) -> list[str]:
        """What a user would find not working now; each looked at with a call of its own."""
        found = await asyncio.gather(
            self.view.waiting(),
            self._function(),
            self._ingress(),
            self.names_answered(),
            self._engine(),
        )
        return [one for some in found for one in some]

    async def _engine(self) -> list[str]:
        answers = await engine.answers(self.snowcave.engine_socket)
        return [] if answers else ["the container engine does not answer"]

    async def _function(self) -> list[str]:
        try:
            async with asyncio.timeout(8):
                rows = await self.sql("prober", give_up=4).run("SELECT say('well?')")
        except Exception as error:
            return [f"function: {error!r}"[:300]]
        return [] if rows == [["I said well?"]] else [f"function: {rows}"]

    async def _ingress(self) -> list[str]:
        try:
            async with asyncio.timeout(5), aiohttp.ClientSession() as session:
                caller = await self.ingress(session)
                url = caller.url.replace("/echo", "/ui")
                async with session.get(url, headers=caller.headers) as answer:
                    return [] if answer.status == 200 else [f"ingress: {answer.status}"]
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            return [f"ingress: {error!r}"]

    async def names_answered(self) -> list[str]:
        question = DNSRecord.question(self.dns_name)
        port = self.snowcave.mesh.port("dns")
        try:
            packet = await asyncio.to_thread(question.send, "127.0.0.1", port, timeout=2)
        except OSError as error:
            return [f"dns: {error!r}"]
        answers = DNSRecord.parse(packet).rr
        return [] if len(answers) == 1 else [f"dns: {answers}"]

    async def whole_again(
        self,
        since: float,
        *,
        within: float,
        healed: Callable[[], bool] = lambda: True,
        ready: bool = False,
    ) -> float:
        """Seconds from `since` until `healed` holds and nothing is broken any more.

        `ready`: and every instance is, though the others might do without it.
        """
        broken = ["not looked at"]
        while broken:
            if time.monotonic() - since > within:
                raise AssertionError(f"after {within:g} s there is still: {broken}")
            await asyncio.sleep(0.05)
            broken = await self.broken() if healed() else ["the fault itself"]
            if ready and not broken and (number := await self.ready_instances()) <= INSTANCES:
                broken = [f"only {number} instances are ready"]
        return time.monotonic() - since

    def note(self, fault: str, seconds: float) -> None:
        """One line for the table of recovery times."""
        with self.history.path.with_name("recovery.jsonl").open("a") as file:
            file.write(json.dumps({"fault": fault, "seconds": round(seconds, 2)}) + "\n")

    async def lines(self, upto: int) -> list[int]:
        """The numbered lines of the event table, once it has come to that number."""
        numbers: list[int] = []
        try:
            async with asyncio.timeout(30):
                while not numbers or max(numbers) < upto:
                    rows = await self.sql("reader").run(LOGGED)
                    numbers = [int(row[0].split()[1]) for row in rows]
        except TimeoutError:
            raise AssertionError(f"the event table has not come to line {upto}") from None
        return numbers

    async def last_line(self) -> int:
        """What the container has printed last, by the engine's own log of it."""
        label = f"label={self.snowcave.mesh.container_label}"
        told = await asyncio.to_thread(
            self.snowcave.docker, "ps", "--format", "{{.ID}} {{.Names}}", "--filter", label
        )
        (one,) = [line.split()[0] for line in told.splitlines() if line.endswith("-numbers")]
        text = await asyncio.to_thread(self.snowcave.docker, "logs", "--tail", "1", one)
        return int(text.split()[1])

    async def violations(self, *, missing_lines: int = 0) -> list[str]:
        """Final reads: nothing acknowledged is lost, nothing doubled, no answer wrong, no bug logged."""
        history = self.history
        reader = self.sql("reader")
        rows = [row[0] for row in await reader.run("SELECT n FROM written")]
        roles = [row[1].lower() for row in await reader.run("SHOW ROLES LIKE 'fault_role_%'")]
        upto = await self.last_line()
        return [
            *checks.wrong_answers(history.of("function"), traffic.FunctionCaller.expected),
            *checks.wrong_answers(history.of("ingress"), traffic.IngressCaller.expected),
            *checks.lost_or_doubled(history.of("insert"), rows),
            *checks.changed_objects(history.of("ddl"), roles),
            *checks.numbered_lines(await self.lines(upto), upto=upto, missing=missing_lines),
            *self._new_accidents(),
        ]

    def _new_accidents(self) -> list[str]:
        """Each is told once: the next test is not to blame."""
        fresh = [one for one in self.view.accidents() if one not in self._told]
        self._told.update(fresh)
        return fresh

    def close(self) -> None:
        for sql in self.sqls.values():
            sql.close()


@contextmanager
def grounded(kept: Path) -> Generator[Ground]:
    """A mesh on an engine of its own, whatever the machine has. History and logs stay in `kept`."""
    with tempfile.TemporaryDirectory(prefix="snowcave-fault-") as folder:
        home = Path(folder) / "home"
        # A home with this folder has an engine of its own, which may be killed.
        (home / "engine").mkdir(parents=True)
        history = History(kept / "history.jsonl", time.monotonic)
        with running_mesh(home) as snowcave:
            ground = Ground(snowcave, history)
            try:
                asyncio.run(_furnish(ground, Path(folder)))
                yield ground
            finally:
                ground.close()
                shutil.copytree(home / "log", kept / "log")


async def _furnish(ground: Ground, folder: Path) -> None:
    sql = traffic.Sql(ground.snowcave.connect)
    try:
        for line in filter(None, SETUP.splitlines()):
            await sql.run(line)
        tar = await asyncio.to_thread(build_echo, folder)
        await asyncio.to_thread(ground.snowcave.push, tar, IMAGE, ECHO_COMMAND)
        await sql.run(ECHO)
        await sql.run(LINES)
        async with asyncio.timeout(60):
            while await ground.ready_instances() != INSTANCES + 1:
                await asyncio.sleep(0.1)
        await sql.run(FUNCTION)
        (endpoint,) = await sql.run("SHOW ENDPOINTS IN SERVICE fault_db.data.echo")
        ground.endpoint = endpoint[5]
        (service,) = await sql.run("SHOW SERVICES LIKE 'ECHO' IN SCHEMA fault_db.data")
        ground.dns_name = service[6]
    finally:
        sql.close()
