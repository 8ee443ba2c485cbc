"""A container's own words as text, straight from its engine's files, for those who ask for logs."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from snowcave.agent.logs.jsonfile import Place, parse, parts
from snowcave.agent.logs.reader import LogReader

# The most that is answered at once, and the most that is searched for it.
_ANSWER = 1 << 20
_SEARCH = 16 << 20
_CHUNK = 64 << 10
# More than one line of the file can be.
_LONGEST_RECORD = 512 << 10
_FOLLOW_PAUSE = 0.25
_FOLLOW_RECORDS = 200
# Looks without anything new, after which it is asked whether more may come.
_QUIET_LOOKS = 8


@dataclass(frozen=True, slots=True)
class Wish:
    # 0: as many as there are, within bounds.
    tail_lines: int = 0
    # RFC 3339 in UTC, or empty.
    since: str = ""
    timestamps: bool = False


def read(path: Path, wish: Wish, end: Place | None = None) -> bytes:
    """Blocking. The newest lines that fit, oldest first, of what stands before `end`."""
    lines: list[bytes] = []
    size = 0
    for text in _backwards(path, wish, end):
        size += len(text)
        if size > _ANSWER:
            break
        lines.append(text)
        if wish.tail_lines and len(lines) >= wish.tail_lines:
            break
    return b"".join(reversed(lines))


async def read_in_thread(path: Path, wish: Wish) -> bytes:
    return await asyncio.to_thread(read, path, wish)


async def follow(
    path: Path, wish: Wish, has_ended: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """What is there, then what comes, until nothing more can or the caller has enough."""
    end = await asyncio.to_thread(_end, path)
    reader = LogReader(path, end)
    try:
        if first := await asyncio.to_thread(read, path, wish, end):
            yield first
        quiet, ended = 0, False
        while True:
            records = await asyncio.to_thread(reader.read, _FOLLOW_RECORDS)
            if records:
                quiet = 0
                parts = (_shown(r.text, r.time, wish, whole=r.whole) for r in records)
                yield b"".join(parts)
                continue
            if ended:
                return
            quiet += 1
            if quiet % _QUIET_LOOKS == 0:
                # What it wrote last may have come since the look: once more after that.
                ended = await has_ended()
            else:
                await asyncio.sleep(_FOLLOW_PAUSE)
    finally:
        reader.close()


def chunks(text: bytes) -> list[bytes]:
    """In pieces that a stream can carry one after the other."""
    return [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]


def _backwards(path: Path, wish: Wish, end: Place | None) -> Iterator[bytes]:
    """Whole lines, newest first; the pieces of a long line are put together."""
    pieces: dict[str, list[str]] = {}
    ended: dict[str, str] = {}
    for line in _raw_backwards(path, end):
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


def _raw_backwards(path: Path, end: Place | None) -> Iterator[bytes]:
    searched = 0
    for part in reversed(parts(path)):
        try:
            if end is None:
                data = _tail(part, _SEARCH - searched)
            elif part.stat().st_ino == end.inode:
                data, end = _tail(part, _SEARCH - searched, end.offset), None
            else:
                continue  # rotation has begun another file since
        except FileNotFoundError:
            continue
        searched += len(data)
        yield from reversed(data.splitlines())
        if searched >= _SEARCH:
            return


def _tail(part: Path, most: int, end: int | None = None) -> bytes:
    with part.open("rb") as file:
        size = file.seek(0, 2) if end is None else end
        file.seek(max(0, size - most))
        data = file.read(min(most, size))
    if size > most:
        data = data[data.find(b"\n") + 1 :]
    return data[: data.rfind(b"\n") + 1]


def _end(path: Path) -> Place | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    # After the last whole record: the engine may be writing the next one.
    with path.open("rb") as file:
        first = file.readline(_LONGEST_RECORD)
        begin = file.seek(max(0, found.st_size - _LONGEST_RECORD))
        data = file.read(found.st_size - begin)
    offset = begin + data.rfind(b"\n") + 1
    return Place(0, found.st_ino, offset, zlib.crc32(first) if offset else 0)


def _shown(text: str, time: str, wish: Wish, *, whole: bool = True) -> bytes:
    stamp = f"{time} " if wish.timestamps else ""
    return f"{stamp}{text}{chr(10) if whole else ''}".encode()


def _moment(text: str) -> tuple[str, str]:
    """Comparable, to the nanosecond: whole seconds and the digits after them."""
    seconds, _, fraction = text.rstrip("Z").replace("+00:00", "").partition(".")
    return seconds.replace(" ", "T"), fraction.ljust(9, "0")
