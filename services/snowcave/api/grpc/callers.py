"""In whose session a call over gRPC is answered.

Its message has a session's token; where it has none, its metadata say who calls, as headers do over REST.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from snowcave.api.contract import SessionContext
from snowcave.api.sessions.book import SessionBook
from snowcave.api.sessions.callers import ROLE, TYPE, WAREHOUSE, Caller, Callers, Shown
from snowcave.api.sessions.directory import Directory

CLIENT = "SnowcaveGrpc"


@dataclass(frozen=True)
class GrpcCallers:
    book: SessionBook
    directory: Directory
    callers: Callers

    async def of(self, token: str, context: Any) -> Caller:
        """Raises SessionGone, SessionExpired, LoginFailed and its kin, ValueInvalid."""
        if token:
            return Caller(await self.book.find(token))
        return await self.callers.of(_shown(context))

    async def context(self, token: str, context: Any) -> SessionContext:
        """As `of`."""
        return await self.directory.context((await self.of(token, context)).session.state)


def _shown(context: Any) -> Shown:
    given = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
    return Shown(
        authorization=given.get("authorization", ""),
        type=given.get(TYPE.lower(), ""),
        role=given.get(ROLE.lower(), ""),
        warehouse=given.get(WAREHOUSE.lower(), ""),
        client_app=CLIENT,
        peer=peer_host(context.peer()),
    )


def peer_host(peer: str) -> str:
    """Of what gRPC calls its peer: `ipv4:10.0.0.1:4711`, `ipv6:[::1]:4711`."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
