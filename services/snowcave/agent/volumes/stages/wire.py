"""The kernel's side of /dev/fuse, protocol 7.31: what its requests and our replies look like. Pure."""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

MAJOR, MINOR = 7, 31
ROOT = 1
MAX_WRITE = 1 << 20
# The largest request: a write with its headers.
MAX_REQUEST = MAX_WRITE + 4096

_ATOMIC_O_TRUNC, _BIG_WRITES, _MAX_PAGES = 1 << 3, 1 << 5, 1 << 22
_ASYNC_READ, _PARALLEL_DIROPS = 1 << 0, 1 << 18
_WANTED = _ATOMIC_O_TRUNC | _BIG_WRITES | _MAX_PAGES | _ASYNC_READ | _PARALLEL_DIROPS
_BACKGROUND = 16
_PAGE = 4096
_SIZE_VALID = 1 << 3
_BLOCK = 512

_IN = struct.Struct("<IIQQIIII")
_OUT = struct.Struct("<IiQ")
_ATTR = struct.Struct("<6Q10I")
_ENTRY = struct.Struct("<4Q2I")
_ATTR_OUT = struct.Struct("<QII")
_INIT_OUT = struct.Struct("<4I2H2I2HI7I")
_OPEN_OUT = struct.Struct("<QII")
_STATFS = struct.Struct("<5Q10I")
_DIRENT = struct.Struct("<QQII")


class Op(IntEnum):
    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42
    RENAME2 = 45


# Nobody waits for an answer to these.
SILENT = frozenset({Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT})


@dataclass(frozen=True, slots=True)
class Request:
    opcode: int
    unique: int
    node: int
    body: bytes

    @staticmethod
    def parse(data: bytes) -> "Request":
        length, opcode, unique, node, *_ = _IN.unpack_from(data)
        return Request(opcode, unique, node, data[_IN.size : length])

    @property
    def name(self) -> str:
        """Of requests that are nothing but a name."""
        return text(self.body)

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack_from("<" + form, self.body)


@dataclass(frozen=True, slots=True)
class Attributes:
    """`mode` tells a folder from a file. Times in nanoseconds."""

    node: int
    mode: int
    size: int
    modified: int
    uid: int
    gid: int

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def packed(self) -> bytes:
        seconds, nanos = divmod(self.modified, 10**9)
        blocks = (self.size + _BLOCK - 1) // _BLOCK
        times = (seconds, seconds, seconds, nanos, nanos, nanos)
        links = 2 if self.is_folder else 1
        whose = (self.mode, links, self.uid, self.gid)
        return _ATTR.pack(self.node, self.size, blocks, *times, *whose, 0, _PAGE, 0)


def text(data: bytes) -> str:
    """A name: up to its NUL. Bytes that are no UTF-8 stay themselves as halves of surrogate pairs."""
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def two_names(data: bytes) -> tuple[str, str]:
    first, _, rest = data.partition(b"\0")
    return text(first + b"\0"), text(rest)


def truncation(request: Request) -> int | None:
    """The size that SETATTR asks for, if any."""
    valid, _, _, size = request.numbers("IIQQ")
    return size if valid & _SIZE_VALID else None


def forgotten(request: Request) -> Iterator[tuple[int, int]]:
    """Node and count of FORGET and BATCH_FORGET."""
    if request.opcode == Op.FORGET:
        yield request.node, request.numbers("Q")[0]
        return
    (count, _) = request.numbers("II")
    for index in range(count):
        node, lookups = struct.unpack_from("<QQ", request.body, 8 + 16 * index)
        yield node, lookups


def reply(unique: int, body: bytes = b"") -> bytes:
    return _OUT.pack(_OUT.size + len(body), 0, unique) + body


def failure(unique: int, errno: int) -> bytes:
    return _OUT.pack(_OUT.size, -errno, unique)


def init(request: Request) -> bytes:
    _, _, readahead, offered = request.numbers("IIII")
    pages = MAX_WRITE // _PAGE
    return _INIT_OUT.pack(
        MAJOR,
        MINOR,
        readahead,
        offered & _WANTED,
        _BACKGROUND,
        _BACKGROUND * 3 // 4,
        MAX_WRITE,
        1,
        pages,
        0,
        0,
        *[0] * 7,
    )


def entry(attributes: Attributes, valid: int) -> bytes:
    """`valid`: how many seconds the kernel may remember it."""
    return _ENTRY.pack(attributes.node, 0, valid, valid, 0, 0) + attributes.packed()


def attributes_reply(attributes: Attributes, valid: int) -> bytes:
    return _ATTR_OUT.pack(valid, 0, 0) + attributes.packed()


def opened(handle: int) -> bytes:
    return _OPEN_OUT.pack(handle, 0, 0)


def written(size: int) -> bytes:
    return struct.pack("<II", size, 0)


def statfs() -> bytes:
    """A stage has no size of its own."""
    blocks = 1 << 38
    return _STATFS.pack(blocks, blocks, blocks, blocks, blocks, _PAGE, 255, _PAGE, *[0] * 7)


def dirents(found: list[tuple[str, bool]], offset: int, room: int) -> bytes:
    """From `offset` on, as many of the names as fit; each with whether it is a folder."""
    packed = bytearray()
    for index, (name, is_folder) in enumerate(found[offset:], start=offset + 1):
        raw = name.encode("utf-8", "surrogateescape")
        kind = (stat.S_IFDIR if is_folder else stat.S_IFREG) >> 12
        one = _DIRENT.pack(index, index, len(raw), kind) + raw
        one += b"\0" * (-len(one) % 8)
        if len(packed) + len(one) > room:
            break
        packed += one
    return bytes(packed)
