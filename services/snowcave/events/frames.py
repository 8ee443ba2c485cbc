"""The log's frames on disk: lengths, CRC-32, payload. A torn or zeroed tail ends a file, nothing more."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from snowcave.events.rows import KINDS, LOGGED, RESOURCES, Frame

# Magic, lengths of the three parts, CRC of all of it.
_HEAD = struct.Struct("<4sIIII")
MAGIC = b"SNE2"
_LARGEST = 1 << 30

_Parts = tuple[bytes, bytes, bytes]


def encode(frame: Frame) -> bytes:
    parts = [memoryview(batch.serialize()) for batch in (frame.resources, frame.kinds, frame.rows)]
    lengths = struct.pack("<III", *map(len, parts))
    return b"".join([MAGIC, lengths, struct.pack("<I", _crc(lengths, parts)), *parts])


def read(path: Path) -> tuple[list[Frame], int]:
    """Every whole frame, and the length of what they take; the rest was never acknowledged."""
    frames: list[Frame] = []
    end = 0
    with path.open("rb") as file:
        for resources, kinds, rows in _payloads(file):
            frames.append(
                Frame(_batch(resources, RESOURCES), _batch(kinds, KINDS), _batch(rows, LOGGED))
            )
            end = file.tell()
    return frames, end


def _payloads(file: BinaryIO) -> Iterator[_Parts]:
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        magic, *lengths, crc = _HEAD.unpack(head)
        if magic != MAGIC or sum(lengths) > _LARGEST:
            return
        parts = [file.read(length) for length in lengths]
        if [len(part) for part in parts] != lengths:
            return
        if _crc(struct.pack("<III", *lengths), parts) != crc:
            return
        yield parts[0], parts[1], parts[2]


def _crc(lengths: bytes, parts: Sequence[bytes | memoryview]) -> int:
    crc = zlib.crc32(lengths)
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _batch(part: bytes, schema: pa.Schema) -> pa.RecordBatch:
    return pa.ipc.read_record_batch(pa.py_buffer(part), schema)
