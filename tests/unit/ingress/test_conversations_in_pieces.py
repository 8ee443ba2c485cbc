"""Bytes mean the same in whatever pieces they come: heads known by their bytes, and heads parsed."""

import asyncio
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.gateway import get
from tests.kit.wire import Conversation, Wire, pieces

CUTS = st.lists(st.integers(0, 4000), max_size=12)
ANSWERS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 3\r\n\r\nnot",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    ]
)
REQUESTS = st.lists(
    st.sampled_from(
        [
            get("/a"),
            get("/b?x=1"),
            get("/", extra="X-More: 1\r\n"),
            get("/p", method="POST", extra="Content-Length: 5\r\n") + b"12345",
        ]
    ).map(lambda raw: raw.replace(b"Connection: close\r\n", b"")),
    min_size=1,
    max_size=5,
)


def run(requests: list[bytes], answer: bytes, cuts: list[int] | None) -> tuple[bytes, bytes]:
    """What the instance got and what the client got; `cuts` None: each message in one piece."""

    async def talk() -> tuple[bytes, bytes]:
        conversation = Conversation()
        client = conversation.client()
        for request in requests:
            await _send(client, request, cuts)
            await conversation.settle()
            await _send(conversation.instance(), answer, cuts)
        sent = b"".join(bytes(wire.written) for wire in conversation.pool.wires)
        got = bytes(client.written)
        await conversation.close()
        return sent, got

    return asyncio.run(talk())


async def _send(wire: Wire, data: bytes, cuts: list[int] | None) -> None:
    for piece in pieces(data, cuts or ()):
        wire.feed(piece)
        await asyncio.sleep(0)


@settings(max_examples=60, deadline=None)
@given(REQUESTS, ANSWERS, CUTS)
def test_pieces_make_no_difference(requests: list[bytes], answer: bytes, cuts: list[int]):
    sent, got = run(requests, answer, None)
    assert sent.count(b" HTTP/1.1\r\n") == len(requests)
    assert sent.count(b"Sf-Context-Current-User: OWNER\r\n") == len(requests)
    assert b"Snowflake Token" not in sent
    assert got.count(b"X-Frame-Options: DENY\r\n") == len(requests)
    other = run(requests, answer, [*cuts, 15])
    assert (other[0], unchunked(other[1])) == (sent, unchunked(got))


def unchunked(data: bytes) -> bytes:
    """Without the sizes of chunks, which follow the pieces that they came in."""
    return re.sub(rb"(?<=\n)[0-9a-f]+\r\n|(?<=[ok])\r\n", b"", data)
