"""Asks the daemons' admin ports whether they are ready, and says whom everyone waits for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh

ROLES = (
    Role.STATESTORE,
    Role.EVENTS,
    Role.REGISTRY,
    Role.WAREHOUSE,
    Role.HYPERVISOR,
    Role.SCHEDULER,
    Role.FUNCTIONS,
    Role.API,
    Role.DNS,
    Role.INGRESS,
)
Say = Callable[[str], None]

# Nothing listens, or it does not answer in time.
SILENT = ("no answer",)

_DEADLINE = 2.0
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Readiness:
    """`waiting_for` is empty when ready, `no answer` when nothing listens."""

    role: Role
    waiting_for: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.waiting_for


def roles(mesh: Mesh) -> tuple[Role, ...]:
    """The daemons of this machine: a mesh on a real etcd runs no statestore."""
    return tuple(role for role in ROLES if role is not Role.STATESTORE or not mesh.store)


async def ask(mesh: Mesh, role: Role) -> Readiness:
    return await ask_at(role, "127.0.0.1", mesh.admin_port(role))


async def ask_at(role: Role, host: str, port: int) -> Readiness:
    """Of a daemon whose admin port is there."""
    try:
        async with asyncio.timeout(_DEADLINE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /readyz HTTP/1.0\r\nHost: admin\r\n\r\n")
                answer = await reader.read(65536)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return Readiness(role, SILENT)
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " in head.split(b"\r\n")[0]:
        return Readiness(role, ())
    return Readiness(role, tuple(body.decode(errors="replace").split("\n")[:-1]) or ("not ready",))


async def ask_all(mesh: Mesh) -> list[Readiness]:
    return list(await asyncio.gather(*(ask(mesh, role) for role in roles(mesh))))


async def wait_ready(mesh: Mesh, seconds: float, say: Say) -> list[Readiness]:
    """Until all are ready or the time is over; returns those that are not."""
    told: set[Role] = set()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        answers = await ask_all(mesh)
        for answer in answers:
            if answer.ready and answer.role not in told:
                told.add(answer.role)
                say(f"  {answer.role} is ready")
        waiting = [answer for answer in answers if not answer.ready]
        if not waiting or loop.time() > deadline:
            return waiting
        await asyncio.sleep(_POLL)
