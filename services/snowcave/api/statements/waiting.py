"""CALL service!SPCS_WAIT_FOR and SYSTEM$WAIT_FOR_SERVICES: until services are as somebody needs them.

The texts of the answers are ours: no source was found.
"""

import asyncio
from collections.abc import Mapping

from snowcave.api.contract import Rows
from snowcave.api.sql.tree import Literal, ServiceCall
from snowcave.api.statements.filters import columns
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.work import Work
from snowcave.model.errors import ServiceNotReached, ValueInvalid
from snowcave.v1 import state_pb2 as state

_LONGEST = 86400
_STATUSES = (
    "PENDING",
    "RUNNING",
    "FAILED",
    "DONE",
    "SUSPENDING",
    "SUSPENDED",
    "CANCELLING",
    "CANCELLED",
    "DELETING",
    "DELETED",
    "INTERNAL_ERROR",
)
# What no waiting gets anything out of. A service may still recover from FAILED, a job may not.
_FINAL = ("DONE", "CANCELLED", "DELETED", "INTERNAL_ERROR")


async def call(statement: ServiceCall, work: Work) -> Rows:
    """`SPCS_WAIT_FOR(status, seconds)`: any privilege on the service will do."""
    found = work.caller.find("service", statement.service).message
    wanted, seconds = _arguments(statement.arguments)
    await wait_for(work, {found.uid: wanted}, seconds)
    return Rows(
        columns(statement.function), [(f"Service {found.name} has reached status {wanted}.",)]
    )


def _arguments(values: tuple[Literal, ...]) -> tuple[str, int]:
    if len(values) != 2:
        raise ValueInvalid("SPCS_WAIT_FOR takes a status and a number of seconds.")
    wanted, seconds = str(values[0]).upper(), values[1]
    if wanted not in _STATUSES:
        raise ValueInvalid(f"'{wanted[:64]}' is no status of a service.")
    return wanted, checked_seconds(seconds)


def checked_seconds(value: Literal) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST:
        raise ValueInvalid(f"A number of seconds between 0 and {_LONGEST} is needed.")
    return value


async def wait_for(
    work: Work, wanted: Mapping[int, str], seconds: float, *, upgraded: bool = False
) -> None:
    """Until each service (by uid) has its status, and its upgrade is over where that is asked for.

    Raises ServiceNotReached.
    """
    mirror = work.catalog.mirrors.services

    def is_reached(uid: int, status: str) -> bool:
        return _is_as(work, uid, status) and not (upgraded and _is_upgrading(work, uid))

    try:
        async with asyncio.timeout(seconds), work.query.aside():
            await mirror.wait(lambda _: all(is_reached(*one) for one in wanted.items()))
    except TimeoutError:
        for uid, status in wanted.items():
            if not is_reached(uid, status):
                name, now = work.catalog.name("service", uid), _now(work, uid)
                still = f"{now}, and it is upgrading" if now == status else now
                raise ServiceNotReached(name, status, still) from None


def _is_upgrading(work: Work, uid: int) -> bool:
    """What the scheduler says may be older than the specification that was set last."""
    found = work.catalog.get("service", uid) or state.Object()
    known = status_of(found, work)
    digest = found.service.spec_digest
    return known.is_upgrading or any(
        one.spec_digest not in ("", digest) for one in known.instances
    )


def _is_as(work: Work, uid: int, wanted: str) -> bool:
    """Raises ServiceNotReached where it cannot come to that any more."""
    now = _now(work, uid)
    if now == wanted:
        return True
    found = work.catalog.get("service", uid)
    is_over = now in _FINAL or (found is not None and found.service.is_job and now == "FAILED")
    if is_over or found is None:
        raise ServiceNotReached(work.catalog.name("service", uid), wanted, now)
    return False


def _now(work: Work, uid: int) -> str:
    found = work.catalog.get("service", uid) or state.Object()
    return status_of(found, work).status if found.uid else "DELETED"
