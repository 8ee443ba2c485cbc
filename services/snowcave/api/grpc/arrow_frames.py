"""How much an Arrow stream becomes when it is read, told without reading it. Pure.

A record batch may be compressed, and a few bytes be a billion then. pyarrow says nothing of that before it
has made room, so its framing is looked at here: the flatbuffer before each body, of which three fields count.
"""

import struct
from collections.abc import Iterator

import pyarrow as pa

# In the schema of Arrow's messages: Message.header, and RecordBatch's buffers and compression.
_HEADER, _BUFFERS, _COMPRESSION = 2, 2, 3
_PLACE = struct.Struct("<qq")
_LENGTH = struct.Struct("<q")


class Malformed(Exception):
    """Not Arrow's framing."""


def parts(stream: bytes) -> Iterator[tuple[str, int, bool]]:
    """Of each message: what it is, bytes when it is read, and whether it is compressed.

    Raises Malformed and what pyarrow raises.
    """
    for message in pa.ipc.MessageReader.open_stream(stream):
        size, is_compressed = 0, False
        if message.type == "record batch":
            body = message.body or pa.py_buffer(b"")
            size, is_compressed = _read(message.metadata.to_pybytes(), memoryview(body))
        yield message.type, size, is_compressed


def _read(metadata: bytes, body: memoryview) -> tuple[int, bool]:
    try:
        header = _at(metadata, _table(metadata, 0), _HEADER)
        if header is None:
            raise Malformed
        batch = _table(metadata, header)
        is_compressed = _at(metadata, batch, _COMPRESSION) is not None
        # Several buffers may be one place of the body, so this may be more than the body has.
        return sum(_sizes(metadata, batch, body if is_compressed else None)), is_compressed
    except (struct.error, OverflowError) as error:
        raise Malformed from error


def _sizes(metadata: bytes, batch: int, compressed: memoryview | None) -> Iterator[int]:
    """Of each buffer. A compressed one begins with its length when it is read, or -1 where it is as it is."""
    field = _at(metadata, batch, _BUFFERS)
    if field is None:
        return
    vector = _table(metadata, field)
    count: int = struct.unpack_from("<I", metadata, vector)[0]
    for number in range(count):
        offset, length = _PLACE.unpack_from(metadata, vector + 4 + number * _PLACE.size)
        if length < 0 or offset < 0:
            raise Malformed
        told = -1 if compressed is None or not length else _told(compressed, offset)
        yield max(told, length)


def _told(body: memoryview, offset: int) -> int:
    return _LENGTH.unpack_from(body, offset)[0]


def _table(data: bytes, at: int) -> int:
    """What the offset at this place leads to."""
    to = at + struct.unpack_from("<I", data, at)[0]
    if to >= len(data):
        raise Malformed
    return to


def _at(data: bytes, table: int, field: int) -> int | None:
    """Where a field of a table stands, or None where it has its default."""
    about = table - struct.unpack_from("<i", data, table)[0]
    if about < 0:
        raise Malformed
    size: int = struct.unpack_from("<H", data, about)[0]
    place = 4 + 2 * field
    if place >= size:
        return None
    offset: int = struct.unpack_from("<H", data, about + place)[0]
    return table + offset if offset else None
