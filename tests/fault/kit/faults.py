"""What a fault is. The injectors stand in `processes`, `vms` and `proxy`."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from tests.fault.kit.view import MeshView

Undo = Callable[[], Awaitable[None]]


class FaultVoid(Exception):
    """The fault did not happen, so the run says nothing: it is neither passed nor failed by the mesh."""


class Fault(Protocol):
    """One use: `happened` tells of the injection that this object made."""

    @property
    def name(self) -> str: ...

    def available(self, mesh: MeshView) -> bool:
        """Whether this mesh has what is to be broken."""
        ...

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        """Returns when it is done. What it returns heals it; that may have nothing left to do."""
        ...

    def happened(self, mesh: MeshView) -> bool:
        """By what was seen of the victim, not because `inject` returned."""
        ...


async def nothing() -> None:
    """The undo of a fault that the mesh itself has to repair."""


@asynccontextmanager
async def injected(fault: Fault, mesh: MeshView, rng: random.Random) -> AsyncGenerator[None]:
    """The body runs beside the fault; healed afterwards. Raises FaultVoid where there was none."""
    if not fault.available(mesh):
        raise FaultVoid(f"{fault.name}: there is nothing to break")
    undo = await fault.inject(mesh, rng)
    try:
        yield
    finally:
        await undo()
    if not fault.happened(mesh):
        raise FaultVoid(f"{fault.name} did not happen")
