"""Tokens for services that execute as their caller, asked of api and kept for half their life."""

import asyncio
from collections import OrderedDict
from typing import Protocol


class Issues(Protocol):
    """The api, as far as these tokens go."""

    async def caller_token(self, credential: str, host: str, service: int) -> tuple[str, float]:
        """The token, and how many seconds it is good for. Raises SnowcaveError."""
        ...


class CallerTokens:
    def __init__(self, api: Issues, most: int) -> None:
        """`most` are remembered."""
        self._api = api
        self._most = most
        # With the moment from which on another one is wanted.
        self._kept: OrderedDict[tuple[str, str, int], tuple[float, str]] = OrderedDict()

    async def of(self, credential: str, host: str, service: int) -> str:
        """For the caller who showed `credential`. Raises SnowcaveError."""
        key, now = (credential, host, service), asyncio.get_running_loop().time()
        until, token = self._kept.get(key, (0.0, ""))
        if now < until:
            return token
        token, valid_for = await self._api.caller_token(credential, host, service)
        self._kept[key] = (now + valid_for / 2, token)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return token
