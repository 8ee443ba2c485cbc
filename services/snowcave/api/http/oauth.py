"""POST /oauth/token: the answer's body is the access token itself, as Snowflake's is.

A client that asks for JSON gets the form of RFC 6749.
"""

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

from snowcave.api.http import reply
from snowcave.api.sessions.oauth import Exchanged, ExchangeRefused, TokenExchange
from snowcave.api.settings import HttpSettings

_LARGEST = 64 << 10
_FIELDS = 32
_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuth:
    def __init__(self, exchange: TokenExchange, settings: HttpSettings) -> None:
        self._exchange = exchange
        self._settings = settings

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.post("/oauth/token", self._token)]

    async def _token(self, request: web.Request) -> web.Response:
        try:
            form = await self._form(request)
            found = await self._exchange.exchange(form, request.remote or "")
        except ExchangeRefused as refused:
            shown = {"error": refused.reason, "error_description": refused.message}
            said = reply.json({**shown, "message": refused.message, "success": False}, status=400)
            said.headers.update(_HEADERS)
            return said
        if "application/json" in request.headers.get("Accept", ""):
            said = reply.json(_shown(found))
            said.headers.update(_HEADERS)
            return said
        return web.Response(text=found.token, headers=_HEADERS)

    async def _form(self, request: web.Request) -> dict[str, str]:
        """Raises ExchangeRefused."""
        body = b""
        try:
            async with asyncio.timeout(self._settings.receive):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > _LARGEST:
                        raise ExchangeRefused("invalid_request", "The form is too large.")
        except TimeoutError:
            raise ExchangeRefused("invalid_request", "The form did not come in time.") from None
        try:
            return dict(parse_qsl(body.decode(), max_num_fields=_FIELDS))
        except ValueError:
            raise ExchangeRefused("invalid_request", "The body is no form.") from None


def _shown(found: Exchanged) -> dict[str, str | int]:
    role = f"session:role:{found.scope.role} " if found.scope.role else ""
    return {
        "access_token": found.token,
        "token_type": "Bearer",
        "expires_in": int(found.life),
        "scope": role + found.scope.host,
    }
