"""What either side sends beyond all measure, or in a form that nobody expects, ends with a clear answer."""

import pytest

from tests.kit.gateway import HOST, get
from tests.kit.wire import Conversation

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KEPT = get().replace(b"Connection: close\r\n", b"")
CHUNKED = get("/", method="POST", extra="Transfer-Encoding: chunked\r\n")
MORE = b"y" * 16_384
# Some more than any limit.
TIMES = 8


async def test_a_target_that_names_a_host_is_refused_of_callers_who_are_known_too():
    conversation = Conversation()
    client = conversation.client()
    client.feed(KEPT)
    await conversation.settle()
    conversation.instance().feed(OK)
    client.feed(KEPT.replace(b"GET /", b"GET http://other.example/"))
    await conversation.settle()
    assert bytes(client.written).count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 400 " in client.written
    assert b"other.example" not in b"".join(bytes(one.written) for one in conversation.pool.wires)
    await conversation.close()


async def test_trailers_without_end_are_refused():
    conversation = Conversation()
    client = conversation.client()
    client.feed(CHUNKED + b"2\r\nhi\r\n0\r\nX: ")
    await conversation.settle()
    for _ in range(TIMES):
        client.feed(MORE)
    assert client.written.startswith(b"HTTP/1.1 431 ")
    await conversation.close()


async def test_a_long_body_in_small_chunks_is_no_head():
    conversation = Conversation()
    client = conversation.client()
    client.feed(CHUNKED)
    await conversation.settle()
    for _ in range(TIMES):
        client.feed(b"4000\r\n" + MORE + b"\r\n")
    client.feed(b"0\r\n\r\n")
    conversation.instance().feed(OK)
    assert client.written.startswith(b"HTTP/1.1 200 ")
    assert conversation.instance().written.count(MORE) == TIMES
    await conversation.close()


@pytest.mark.parametrize(
    "begin",
    [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: "],
)
async def test_an_instance_whose_head_has_no_end_has_given_no_answer(begin: bytes):
    conversation = Conversation()
    client = conversation.client()
    client.feed(get())
    await conversation.settle()
    instance = conversation.instance()
    instance.feed(begin)
    for _ in range(TIMES):
        instance.feed(MORE)
    await conversation.settle()
    assert instance.closing
    assert client.written.startswith(b"HTTP/1.1 502 ")
    await conversation.close()


async def test_an_instance_whose_trailers_have_no_end_is_cut():
    conversation = Conversation()
    client = conversation.client()
    client.feed(get())
    await conversation.settle()
    instance = conversation.instance()
    instance.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: ")
    for _ in range(TIMES):
        instance.feed(MORE)
    assert instance.closing
    assert client.closing
    await conversation.close()


async def test_a_form_of_too_many_fields_is_a_bad_request():
    conversation = Conversation()
    client = conversation.client()
    form = b"&".join(b"a%d=1" % number for number in range(40))
    head = (
        f"POST /sfc-endpoint/login HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(form)}\r\n\r\n"
    )
    client.feed(head.encode() + form)
    await conversation.settle()
    assert client.written.startswith(b"HTTP/1.1 400 ")
    await conversation.close()
