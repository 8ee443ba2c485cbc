"""The log's frames on disk: length, CRC-32, payload. A torn or zeroed tail ends a file, nothing more."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from snowcave.events.rows import LOGGED, RESOURCES

_HEAD = struct.Struct("<4sIII")
_MAGIC = b"SNEV"

Frame = tuple[pa.RecordBatch, pa.RecordBatch]


def encode(frame: Frame) -> bytes:
    """Resources and rows of one append."""
    resources, rows = (batch.serialize().to_pybytes() for batch in frame)
    payload = resources + rows
    return _HEAD.pack(_MAGIC, len(payload), len(resources), zlib.crc32(payload)) + payload


def read(path: Path) -> tuple[list[Frame], int]:
    """Every whole frame, and the length of what they take; the rest was never acknowledged."""
    frames: list[Frame] = []
    end = 0
    with path.open("rb") as file:
        for payload, split in _payloads(file):
            frames.append(_decode(payload, split))
            end = file.tell()
    return frames, end


def _payloads(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        magic, length, split, crc = _HEAD.unpack(head)
        if magic != _MAGIC or split > length:
            return
        payload = file.read(length)
        if len(payload) < length or zlib.crc32(payload) != crc:
            return
        yield payload, split


def _decode(payload: bytes, split: int) -> Frame:
    view = memoryview(payload)
    return (
        pa.ipc.read_record_batch(pa.py_buffer(view[:split]), RESOURCES),
        pa.ipc.read_record_batch(pa.py_buffer(view[split:]), LOGGED),
    )
