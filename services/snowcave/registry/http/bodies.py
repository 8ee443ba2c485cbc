"""Request bodies in pieces, with an end to every wait and a count of every byte."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from snowcave.registry import metrics
from snowcave.registry.errors import RequestInvalid, SizeInvalid, TooLarge, TooSlow


async def pieces(
    request: web.BaseRequest, *, idle: float, exactly: int | None = None
) -> AsyncIterator[bytes]:
    """As they arrive. `exactly`: what Content-Range announced; more or less is SIZE_INVALID."""
    await _ask_for(request)
    received = 0
    while True:
        try:
            async with asyncio.timeout(idle):
                piece = await request.content.readany()
        except TimeoutError as error:
            raise TooSlow(f"nothing came for {idle:g} s") from error
        except (HttpProcessingError, web.RequestPayloadError) as error:
            raise RequestInvalid(f"the body is malformed: {error}") from error
        if not piece:
            break
        received += len(piece)
        metrics.RECEIVED.inc(len(piece))
        if exactly is not None and received > exactly:
            raise SizeInvalid(f"more than the {exactly} bytes of Content-Range")
        yield piece
    if exactly is not None and received != exactly:
        raise SizeInvalid(f"{received} bytes, where Content-Range says {exactly}")


async def _ask_for(request: web.BaseRequest) -> None:
    """A client that waits for our word before it sends a body gets it once the request is accepted."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Not a part of the answer that follows.
        request.writer.output_size = 0


async def whole(request: web.BaseRequest, *, idle: float, most: int) -> bytes:
    """A small body. Raises TooLarge."""
    if (request.content_length or 0) > most:
        raise TooLarge(f"at most {most} bytes are accepted")
    held = bytearray()
    async for piece in pieces(request, idle=idle):
        held += piece
        if len(held) > most:
            raise TooLarge(f"at most {most} bytes are accepted")
    return bytes(held)
