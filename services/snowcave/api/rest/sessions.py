"""Who calls: a session's own token, or a key pair's, a client's or an access token.

Who comes with another token than a session's gets a session of this replica's, one for each user and role, so
a client that shows a new token with every request does not leave a session behind each time.
"""

from collections import OrderedDict

from aiohttp import web

from snowcave.api.contract import SessionContext
from snowcave.api.http import requests
from snowcave.api.queries.statement import Seen
from snowcave.api.sessions.book import Found, SessionBook
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.login import Login, Wish
from snowcave.model.errors import SessionExpired, SessionGone

_TYPE = "X-Snowflake-Authorization-Token-Type"
_ROLE, _WAREHOUSE = "X-Snowflake-Role", "X-Snowflake-Warehouse"
_LONGEST = 16384
_CLIENT = "RestApi"
# What the header says of the token, and what a login calls it.
_METHODS = {
    "KEYPAIR_JWT": "SNOWFLAKE_JWT",
    "OAUTH": "OAUTH",
    "PROGRAMMATIC_ACCESS_TOKEN": "PROGRAMMATIC_ACCESS_TOKEN",
}
_JWT_PARTS = 3


class Sessions:
    def __init__(self, book: SessionBook, directory: Directory, login: Login, most: int) -> None:
        self._book = book
        self._directory = directory
        self._login = login
        self._most = most
        # Tokens of the sessions that were opened here, by who and as whom.
        self._opened: OrderedDict[tuple[object, ...], str] = OrderedDict()

    async def of(self, request: web.Request) -> tuple[SessionContext, Seen]:
        """Raises SessionGone, SessionExpired, LoginFailed and its kin."""
        found = await self._found(request)
        context = await self._directory.context(found.state)
        return context, Seen(found.state, found.mod_revision)

    async def _found(self, request: web.Request) -> Found:
        header = request.headers.get("Authorization", "")
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            return await self._book.find(requests.token(request))
        if len(token) > _LONGEST:
            raise SessionGone
        method = _method(request.headers.get(_TYPE, ""), token.strip())
        wish = Wish(
            user="",
            method=method,
            token=token.strip(),
            role=request.headers.get(_ROLE, "")[:256],
            warehouse=request.headers.get(_WAREHOUSE, "")[:256],
            client_app=_CLIENT,
            peer=request.remote or "",
        )
        return await self._by_token(wish)

    async def _by_token(self, wish: Wish) -> Found:
        """The token is looked at each time, whatever session there is."""
        known = await self._login.who(wish)
        who = known.principal
        key = (who.user, who.role_restriction, known.called, wish.role, wish.warehouse)
        if (token := self._opened.get(key)) is not None:
            try:
                return await self._book.find(token)
            except (SessionGone, SessionExpired):
                self._opened.pop(key, None)
        tokens, _ = await self._login.begin(wish, known)
        self._opened[key] = tokens.session
        if len(self._opened) > self._most:
            self._opened.popitem(last=False)
        return await self._book.find(tokens.session)


def _method(said: str, token: str) -> str:
    """As the header says; without it, what the token looks like."""
    if said:
        found = _METHODS.get(said.strip().upper())
        if found is None:
            raise requests.RequestInvalid(f"{_TYPE} must be one of {', '.join(_METHODS)}.")
        return found
    if token.count(".") == _JWT_PARTS - 1:
        return "SNOWFLAKE_JWT"
    return "PROGRAMMATIC_ACCESS_TOKEN"
