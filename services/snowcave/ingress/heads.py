"""Heads of requests and answers: what they say, and those that were read before.

A connection's headers hardly change from one request to the next, nor do an instance's from one answer
to the next. What was read of a whole head is remembered by its very bytes, so that the same bytes need
no parser again. Only heads without a body of their own are remembered, and of callers who were admitted.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from snowcave.ingress import headers as rules
from snowcave.ingress.headers import Header

T = TypeVar("T")

# Heads no longer than this may be remembered.
_LONGEST = 4096
_END = b"\r\n\r\n"
# Any other request line is for the parser to judge.
_REQUEST_LINE = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[\w\-.~!$&'()*+,;=:@/%?]*) HTTP/1\.1"
)


@dataclass(slots=True)
class Block:
    """The lines of a request behind its first one."""

    headers: list[Header] = field(default_factory=list[Header])
    # None where there is none, or more than one.
    host: bytes | None = None
    token: str | None = None
    # The token came as a cookie, which browsers send unasked.
    from_cookie: bool = False
    origin: bytes = b""
    accepts_html: bool = False
    expects_continue: bool = False
    # Without `has_body` there is none; without a length it is chunked.
    length: int | None = None
    has_body: bool = False
    upgrade: bytes = b""
    # All that admitting the request depends on, but for the method and our own paths.
    asks_as: Hashable = None
    # Lines for the instance, less what the gateway says itself.
    sent: bytes = b""


@dataclass(slots=True)
class Head:
    """A request's first part."""

    method: bytes
    target: bytes
    block: Block
    version: str = "1.1"
    keep_alive: bool = True
    # A switch of protocols was asked for that may be passed on.
    upgrade: bool = False
    # What to remember it by; empty: not at all.
    raw: bytes = b""

    @property
    def headers(self) -> list[Header]:
        return self.block.headers

    @property
    def path(self) -> str:
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def accepts_html(self) -> bool:
        return self.block.accepts_html


def read_block(headers: list[Header]) -> Block:
    """Raises ValueError for framing that two readers may understand differently."""
    block = Block(headers, sent=rules.lines(rules.sent_on(headers)))
    block.token, block.from_cookie = rules.credential(headers)
    hosts: list[bytes] = []
    for name, value in headers:
        match name.lower():
            case b"host":
                hosts.append(value)
            case b"origin":
                block.origin = value
            case b"accept":
                block.accepts_html = block.accepts_html or b"text/html" in value.lower()
            case b"expect":
                block.expects_continue = True
            case b"upgrade":
                block.upgrade = value
            case b"content-length" | b"transfer-encoding" as kind:
                _read_framing(block, kind, value)
            case _:
                pass
    block.host = hosts[0] if len(hosts) == 1 else None
    block.asks_as = (block.host, block.token, block.from_cookie, block.origin)
    return block


def _read_framing(block: Block, kind: bytes, value: bytes) -> None:
    if block.has_body or block.length is not None:
        raise ValueError("two lengths")
    if kind == b"content-length":
        if not value.isdigit():
            raise ValueError("no length")
        block.length = int(value)
        block.has_body = block.length > 0
    elif value.lower() == b"chunked":
        block.has_body = True
    else:
        raise ValueError("a coding that would be lost on the way")


class Remembered(Generic[T]):
    """What was read of bytes that have come at least twice. Those that come once push nobody out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._once: set[int] = set()
        self._read: dict[bytes, T] = {}

    def get(self, raw: bytes) -> T | None:
        return self._read.get(raw)

    def learn(self, raw: bytes, read: T) -> None:
        if len(raw) > _LONGEST or raw in self._read:
            return
        # Two with one hash are no harm: then the other one counts as having come before.
        known = hash(raw)
        if known not in self._once:
            if len(self._once) >= self._limit:
                self._once.clear()
            self._once.add(known)
            return
        if len(self._read) >= self._limit:
            del self._read[next(iter(self._read))]
        self._read[raw] = read


class KnownRequests:
    """Of callers who were admitted: who is not cannot fill it."""

    def __init__(self, limit: int) -> None:
        self._blocks = Remembered[Block](limit)

    def read(self, data: bytes) -> Head | None:
        """A whole head, and nothing behind it, whose headers were seen before."""
        line, _, rest = data.partition(b"\r\n")
        block = self._blocks.get(rest)
        if block is None:
            return None
        match = _REQUEST_LINE.fullmatch(line)
        return Head(match[1], match[2], block) if match else None

    def learn(self, head: Head) -> None:
        if head.raw:
            self._blocks.learn(head.raw, head.block)


def learnable(data: bytes) -> bytes:
    """What to remember a request by that came as `data`; empty: it is more or less than a head."""
    if len(data) > _LONGEST or data.find(_END) != len(data) - len(_END):
        return b""
    line, _, rest = data.partition(b"\r\n")
    return rest if _REQUEST_LINE.fullmatch(line) else b""


@dataclass(slots=True)
class AnswerHead:
    """An answer's first part, as an instance gave it and as a client gets it."""

    status: int
    # None: chunked, or as long as the connection lasts.
    length: int | None
    # The instance goes on with the connection.
    keep_alive: bool
    # There is a length or chunking; otherwise the body ends with the connection.
    ends: bool
    executable: bool
    upgrade: bytes
    # Status line and headers for the client, less what depends on the request and the endpoint.
    lines: bytes


def read_answer(
    status: int, reason: bytes, headers: list[Header], *, keep_alive: bool
) -> AnswerHead:
    """Of a head whose framing the parser has found to be in order."""
    length: int | None = None
    chunked = False
    for name, value in headers:
        match name.lower():
            case b"content-length":
                length = int(value)
            case b"transfer-encoding":
                chunked = chunked or value.lower().endswith(b"chunked")
            case _:
                pass
    if status in rules.BODILESS:
        length, chunked = 0, False
    first = b"HTTP/1.1 %d %s\r\n" % (status, reason or rules.phrase(status))
    return AnswerHead(
        status=status,
        length=None if chunked else length,
        keep_alive=keep_alive,
        ends=chunked or length is not None,
        executable=rules.is_executable(headers),
        upgrade=rules.find(headers, b"upgrade") or b"",
        lines=first + rules.lines(rules.answered(headers)),
    )


# By the bytes of heads of whole answers with a length.
KnownAnswers = Remembered[AnswerHead]
