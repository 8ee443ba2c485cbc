"""A container's own words as text, straight from its engine's files, for those who ask for logs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from snowcave.agent.logs.jsonfile import LogReader, Place, parse, parts

# The most that is answered at once, and the most that is searched for it.
_ANSWER = 1 << 20
_SEARCH = 16 << 20
_CHUNK = 64 << 10
_FOLLOW_PAUSE = 0.25
_FOLLOW_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Wish:
    # 0: as many as there are, within bounds.
    tail_lines: int = 0
    # RFC 3339 in UTC, or empty.
    since: str = ""
    timestamps: bool = False


def read(path: Path, wish: Wish) -> bytes:
    """Blocking. The newest lines that fit, oldest first."""
    lines: list[bytes] = []
    size = 0
    for text in _backwards(path, wish):
        size += len(text)
        if size > _ANSWER:
            break
        lines.append(text)
        if wish.tail_lines and len(lines) >= wish.tail_lines:
            break
    return b"".join(reversed(lines))


async def read_in_thread(path: Path, wish: Wish) -> bytes:
    return await asyncio.to_thread(read, path, wish)


async def follow(path: Path, wish: Wish) -> AsyncIterator[bytes]:
    """What is there, then what comes, until the caller has enough."""
    reader = LogReader(path, await asyncio.to_thread(_end, path))
    try:
        if first := await asyncio.to_thread(read, path, wish):
            yield first
        while True:
            records = await asyncio.to_thread(reader.read, _FOLLOW_RECORDS)
            for record in records:
                yield _shown(record.text, record.time, wish, whole=record.whole)
            if not records:
                await asyncio.sleep(_FOLLOW_PAUSE)
    finally:
        reader.close()


def chunks(text: bytes) -> list[bytes]:
    """In pieces that a stream can carry one after the other."""
    return [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]


def _backwards(path: Path, wish: Wish) -> Iterator[bytes]:
    """Whole lines, newest first; the pieces of a long line are put together."""
    pieces: dict[str, list[str]] = {}
    ended: dict[str, str] = {}
    for line in _raw_backwards(path):
        if (parsed := parse(line)) is None:
            continue
        text, stream, time = parsed
        if wish.since and _moment(time) < _moment(wish.since):
            break
        if text.endswith("\n") and stream in pieces:
            yield _shown("".join(reversed(pieces.pop(stream))), ended[stream], wish)
        pieces.setdefault(stream, []).append(text.removesuffix("\n"))
        ended[stream] = time
    for stream, left in pieces.items():
        yield _shown("".join(reversed(left)), ended[stream], wish)


def _raw_backwards(path: Path) -> Iterator[bytes]:
    searched = 0
    for part in reversed(parts(path)):
        try:
            data = _tail(part, _SEARCH - searched)
        except FileNotFoundError:
            continue
        searched += len(data)
        yield from reversed(data.splitlines())
        if searched >= _SEARCH:
            return


def _tail(part: Path, most: int) -> bytes:
    with part.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - most))
        data = file.read(most)
    if size > most:
        data = data[data.find(b"\n") + 1 :]
    return data[: data.rfind(b"\n") + 1]


def _end(path: Path) -> Place | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    with path.open("rb") as file:
        data = file.read(found.st_size) if found.st_size < _CHUNK else b""
    offset = data.rfind(b"\n") + 1 if data else found.st_size
    return Place(0, found.st_ino, offset)


def _shown(text: str, time: str, wish: Wish, *, whole: bool = True) -> bytes:
    stamp = f"{time} " if wish.timestamps else ""
    return f"{stamp}{text}{chr(10) if whole else ''}".encode()


def _moment(text: str) -> tuple[str, str]:
    """Comparable, to the nanosecond: whole seconds and the digits after them."""
    seconds, _, fraction = text.rstrip("Z").replace("+00:00", "").partition(".")
    return seconds.replace(" ", "T"), fraction.ljust(9, "0")
