"""Telling that something takes its time, without giving it up."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, TypeVar

T = TypeVar("T")


class _End:
    pass


_END: Final = _End()


async def or_silence(items: AsyncIterator[T], seconds: float) -> AsyncGenerator[T | None]:
    """The items, and None whenever none has come for so long. Leaving it ends the wait for the next."""
    while True:
        coming = asyncio.ensure_future(_next(items))
        try:
            while not (await asyncio.wait([coming], timeout=seconds))[0]:
                yield None
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait([coming])
        item = coming.result()
        if isinstance(item, _End):
            return
        yield item


async def _next(items: AsyncIterator[T]) -> T | _End:
    return await anext(items, _END)
