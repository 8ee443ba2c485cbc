"""Docker's json-file logs: records, and places in them that outlive a restart. See `files` and `reader`.

A container's log is `x-json.log`, with older parts beside it as `.1`, `.2` and so on. A place in it
is (generation, inode, offset): the inode says which file, as rotation renames files, the generation
numbers them in order, so that a place is never used twice although inodes are.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

# The most that Docker puts into one record; a longer line comes in several.
RECORD_BYTES = 16_384
# More than the longest record in its most wasteful spelling.
WINDOW = 512 * 1024
_OLDER_PARTS = 9
# Of RFC 3339: to the second.
SECOND = len("2026-01-01T00:00:00")
_AT = b'","time":"'


@dataclass(frozen=True, slots=True)
class Place:
    """Where to read on."""

    generation: int
    inode: int
    offset: int
    # CRC of the file's first line, once that has been read: inodes of deleted files are used again.
    head: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One piece of output. `whole` is false where the line goes on in the stream's next record."""

    text: str
    stream: str
    # RFC 3339 with nanoseconds, as Docker wrote it.
    time: str
    whole: bool
    # Where it stands and where the next one does.
    place: Place
    end: Place


@dataclass(frozen=True, slots=True)
class Skipped:
    """Records that were passed over, their bytes in the file, and what is known of the streams now."""

    records: int
    size: int
    broken: dict[str, bool]
    end: Place


def parts(path: Path) -> list[Path]:
    """The log's files, oldest first; those that are there."""
    return [part for part in reversed(_names(path)) if part.exists()]


def is_gone(path: Path) -> bool:
    """Whether nothing is left of the log; in the middle of a rotation only the newest file is not there."""
    # In the order in which files are renamed, so that none can slip past.
    return not any(part.exists() for part in _names(path))


def _names(path: Path) -> list[Path]:
    """Newest first."""
    return [
        path,
        *(path.with_name(f"{path.name}.{older}") for older in range(1, _OLDER_PARTS + 1)),
    ]


def parse(line: bytes) -> tuple[str, str, str] | None:
    """Text, stream and time of one line of the file; None where it is no record.

    An engine that was killed in the middle of a record goes on in the same line when it is back:
    then the last record in the line is the whole one.
    """
    for start in (0, line.rfind(b'{"log":')):
        if start < 0:
            return None
        try:
            found: Any = orjson.loads(line[start:])
            return str(found["log"]), str(found["stream"]), str(found["time"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


def is_of(data: bytes, second: str, line: int) -> bool:
    """Whether the first (0) or last (-1) record was written then."""
    at = data.find(_AT) if line == 0 else data.rfind(_AT)
    start = at + len(_AT)
    return at >= 0 and data[start : start + SECOND] == second.encode()


def broken_at_end(data: bytes) -> dict[str, bool]:
    """Stream → whether its last record here was no whole line."""
    found: dict[str, bool] = {}
    for stream in ("stdout", "stderr"):
        end = data.rfind(f'","stream":"{stream}"'.encode())
        if end >= 0:
            text = data[max(0, end - WINDOW) : end]
            escapes = len(text[:-1]) - len(text[:-1].rstrip(b"\\"))
            found[stream] = not (text.endswith(b"\\n") and escapes % 2 == 1)
    return found


def is_in(file: int, place: Place) -> bool:
    """Whether this open file is the one that the place is in."""
    if os.fstat(file).st_ino != place.inode:
        return False
    if not place.offset:
        return True
    first = os.pread(file, WINDOW, 0)
    return zlib.crc32(first[: first.find(b"\n") + 1]) == place.head


def inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
