"""What passes through the proxy: bodies piece by piece, and lists of the upstream, which may say anything."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import cast

import aiohttp
import orjson

from snowcave.registry.backend.api import Body
from snowcave.registry.errors import PartUnavailable, TooLarge

_PIECE = 256 << 10
_BYTES = "application/octet-stream"


class Counted:
    """A body that counts, and ends where a blob may not grow further."""

    def __init__(self, body: Body, most: int) -> None:
        self._body = body
        self._most = most
        self.bytes = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for piece in self._body:
            self.bytes += len(piece)
            if self.bytes > self._most:
                raise TooLarge("the blob is larger than the registry accepts")
            yield piece


def body_headers(length: int | None) -> dict[str, str]:
    headers = {"Content-Type": _BYTES}
    if length is not None:
        headers["Content-Length"] = str(length)
    return headers


def received_of(response: aiohttp.ClientResponse, known: int) -> int:
    """`0-0` is one byte or none; what we counted ourselves tells which."""
    last = response.headers.get("Range", "").removeprefix("bytes=").partition("-")[2]
    if not last.isdigit():
        return known
    return int(last) + 1 if int(last) else min(known, 1)


async def cut_out(
    response: aiohttp.ClientResponse, skip: int, length: int
) -> AsyncIterator[bytes]:
    """An upstream that ignores Range gives the whole: what was asked for is cut out."""
    left = length
    async for piece in response.content.iter_chunked(_PIECE):
        if skip >= len(piece):
            skip -= len(piece)
            continue
        wanted = piece[skip : skip + left]
        skip, left = 0, left - len(wanted)
        yield wanted
        if not left:
            return
    if left:
        raise PartUnavailable("the upstream registry cut a blob short")


async def whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    held = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        held += piece
        if len(held) > most:
            raise TooLarge("the upstream registry's answer is larger than a manifest may be")
    return bytes(held)


def descriptors(content: bytes) -> list[dict[str, object]]:
    return [
        cast("dict[str, object]", one)
        for one in json_list(json_object(content), "manifests")
        if isinstance(one, dict)
    ]


def json_object(content: bytes) -> Mapping[str, object]:
    """Raises PartUnavailable where the upstream says anything else."""
    try:
        said: object = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise PartUnavailable("the upstream registry's list cannot be read") from error
    if not isinstance(said, dict):
        raise PartUnavailable("the upstream registry's list cannot be read")
    return cast("Mapping[str, object]", said)


def json_list(said: Mapping[str, object], name: str) -> list[object]:
    """Registries write an empty list as null, or leave it out."""
    found = said.get(name)
    return cast("list[object]", found) if isinstance(found, list) else []
