"""Stage files over HTTP, in the manner of an object store: PUT, GET and HEAD below /stages.

A ticket opens them, made by a PUT or GET statement for the files that it named: in the address, or as a
bearer token. Content streams both ways, no faster than the other side takes it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC
from email.utils import format_datetime

import structlog
from aiohttp import web

from snowcave.api.sessions.book import SessionBook
from snowcave.api.settings import HttpSettings
from snowcave.api.stages import Stages
from snowcave.model import stage_path
from snowcave.model.errors import (
    DeadlinePassed,
    Exhausted,
    NotAuthorized,
    ObjectNotFound,
    SessionExpired,
    SessionGone,
    SnowcaveError,
)
from snowcave.store.mirror import Mirror
from snowcave.v1 import stages_pb2 as v1
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_PIECE = 256 << 10
_DIGEST = "x-goog-meta-sfc-digest"
_ONLY_NEW = "x-goog-if-generation-match"
_LONGEST_DIGEST = 256


class Transfers:
    def __init__(
        self,
        settings: HttpSettings,
        book: SessionBook,
        objects: Mirror[state.Object],
        stages: Stages,
    ) -> None:
        self._settings = settings
        self._book = book
        self._objects = objects
        self._stages = stages

    def routes(self) -> list[web.AbstractRouteDef]:
        where = r"/stages/{stage:\d{1,18}}/{path:.+}"
        return [
            web.put(where, self._put),
            web.get(where, self._get, allow_head=False),
            web.head(where, self._head),
        ]

    async def _put(self, request: web.Request) -> web.StreamResponse:
        opened = await self._opened(request)
        if not opened.upload:
            raise NotAuthorized("stage: this ticket is for downloads")
        limit = self._settings.largest_file
        if (request.content_length or 0) > limit:
            raise Exhausted(f"The file is larger than {limit} bytes.")
        head = v1.PutFileRequest.Head(
            stage=opened.stage,
            path=self._path(request),
            overwrite=opened.overwrite and _ONLY_NEW not in request.headers,
            client_digest=request.headers.get(_DIGEST, "")[:_LONGEST_DIGEST],
            limit=limit,
        )
        reply = await self._stages.put(head, self._content(request))
        if reply.kept and _ONLY_NEW in request.headers:
            # Clients that ask for this take it as: it was there already.
            return web.Response(status=412)
        return web.Response(headers={"ETag": f'"{reply.file.md5}"'})

    async def _content(self, request: web.Request) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._settings.receive):
                    piece = await request.content.read(_PIECE)
            except TimeoutError:
                raise DeadlinePassed("The file did not arrive in time.") from None
            if not piece:
                return
            yield piece

    async def _get(self, request: web.Request) -> web.StreamResponse:
        opened = await self._opened(request)
        if opened.upload:
            raise NotAuthorized("stage: this ticket is for uploads")
        async with aclosing(self._stages.get(opened.stage, self._path(request))) as pieces:
            first = await anext(pieces)
            answer = web.StreamResponse(headers=_headers(first.file))
            await answer.prepare(request)
            try:
                async for piece in pieces:
                    async with asyncio.timeout(self._settings.send):
                        await answer.write(piece.content)
                await answer.write_eof()
            except (ConnectionError, TimeoutError, SnowcaveError) as error:
                # The head has gone: a connection that ends early is all that can still tell.
                log.info("download_broken_off", stage=opened.stage, error=str(error))
                if request.transport is not None:
                    request.transport.abort()
        return answer

    async def _head(self, request: web.Request) -> web.StreamResponse:
        opened = await self._opened(request)
        try:
            file = await self._stages.describe(opened.stage, self._path(request))
        except ObjectNotFound:
            return web.Response(status=404)
        return web.Response(headers=_headers(file))

    async def _opened(self, request: web.Request) -> state.Transfer:
        """What the request's ticket opens, if this file is among it. Raises what makes clients ask anew."""
        ticket = request.query.get("ticket", "")
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        try:
            opened = await self._book.transfer(
                ticket or (bearer.strip() if scheme.lower() == "bearer" else "")
            )
        except SessionExpired:
            # An address that has expired is a bad request, a token is unauthorized.
            if ticket:
                raise web.HTTPBadRequest(reason="The address has expired") from None
            raise
        stage = int(request.match_info["stage"])
        gone = self._objects.get("stage", str(stage)) is None
        if stage != opened.stage or not self._path(request).startswith(opened.prefix) or gone:
            raise SessionGone
        return opened

    @staticmethod
    def _path(request: web.Request) -> str:
        return stage_path.checked(request.match_info["path"])


def _headers(file: v1.StageFile) -> dict[str, str]:
    modified = file.modified_on.ToDatetime(UTC)
    return {
        "Content-Length": str(file.size),
        "Content-Type": "application/octet-stream",
        "ETag": f'"{file.md5}"',
        "Last-Modified": format_datetime(modified, usegmt=True),
        _DIGEST: file.client_digest,
    }
