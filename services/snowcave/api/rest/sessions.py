"""In whose session a request over REST is answered."""

from aiohttp import web

from snowcave.api.contract import SessionContext
from snowcave.api.queries.statement import Seen
from snowcave.api.sessions.callers import ROLE, TYPE, WAREHOUSE, Callers, Shown
from snowcave.api.sessions.directory import Directory

_CLIENT = "RestApi"


class Sessions:
    def __init__(self, callers: Callers, directory: Directory) -> None:
        self._callers = callers
        self._directory = directory

    async def of(self, request: web.Request) -> tuple[SessionContext, Seen]:
        """Raises SessionGone, SessionExpired, LoginFailed and its kin, ValueInvalid."""
        given = request.headers
        shown = Shown(
            authorization=given.get("Authorization", ""),
            type=given.get(TYPE, ""),
            role=given.get(ROLE, ""),
            warehouse=given.get(WAREHOUSE, ""),
            client_app=_CLIENT,
            peer=request.remote or "",
        )
        found = (await self._callers.of(shown)).session
        context = await self._directory.context(found.state)
        return context, Seen(found.state, found.mod_revision)
