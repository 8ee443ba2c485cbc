"""Heads that were seen before are read by their bytes, and mean what the parser read."""

import pytest

from snowcave.ingress.heads import (
    Head,
    KnownAnswers,
    KnownRequests,
    learnable,
    read_answer,
    read_block,
)

BLOCK = b"Host: a\r\nX: 1\r\n\r\n"
HEADERS = [(b"Host", b"a"), (b"X", b"1")]


def known(limit: int = 8, *blocks: bytes) -> KnownRequests:
    requests = KnownRequests(limit)
    for block in (blocks or (BLOCK,)) * 2:
        requests.learn(Head(b"GET", b"/", read_block(HEADERS), raw=block))
    return requests


def test_the_same_headers_are_known_below_another_request_line():
    head = known().read(b"PUT /b?c=%20 HTTP/1.1\r\n" + BLOCK)
    assert head is not None
    assert (head.method, head.target, head.block.host) == (b"PUT", b"/b?c=%20", b"a")
    assert head.keep_alive
    assert head.version == "1.1"


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET /\n HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"get / HTTP/1.1",
        b"TRACE / HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1",
        b"GET http://b/ HTTP/1.1",
        b"GET / HTTP/1.1\n",
        b"\r\nGET / HTTP/1.1",
        b"GET / HTTP/1.1\nX: 2",
    ],
)
def test_a_request_line_out_of_the_usual_is_left_to_the_parser(line: bytes):
    assert known().read(line + b"\r\n" + BLOCK) is None


def test_only_a_whole_head_and_nothing_behind_it_is_known():
    whole = b"GET / HTTP/1.1\r\n" + BLOCK
    for data in (whole[:-1], whole + b"x", whole + whole, whole.replace(b"X: 1", b"X: 2")):
        assert known().read(data) is None
    assert learnable(whole) == BLOCK
    long = b"GET / HTTP/1.1\r\nX: " + b"x" * 5000 + b"\r\n\r\n"
    for data in (whole[:-1], whole + b"x", whole + whole, b"", long, b"\r\n" + whole):
        assert learnable(data) == b""


def test_a_request_that_is_not_to_be_remembered_is_not():
    requests = KnownRequests(8)
    requests.learn(Head(b"GET", b"/", read_block(HEADERS)))
    assert requests.read(b"GET / HTTP/1.1\r\n") is None


def test_what_is_remembered_is_bounded_and_the_oldest_goes():
    answers = KnownAnswers(2)
    head = read_answer(200, b"OK", [(b"Content-Length", b"1")], keep_alive=True)
    for raw in (b"a", b"a", b"b", b"b", b"c", b"c"):
        answers.learn(raw, head)
    assert [answers.get(raw) for raw in (b"a", b"b", b"c")] == [None, head, head]


def test_what_came_once_is_not_remembered_and_pushes_nothing_out():
    answers = KnownAnswers(2)
    head = read_answer(200, b"OK", [(b"Content-Length", b"1")], keep_alive=True)
    for raw in (b"a", b"a", *(b"%d" % number for number in range(100))):
        answers.learn(raw, head)
    assert answers.get(b"a") is head
    assert all(answers.get(b"%d" % number) is None for number in range(100))


@pytest.mark.parametrize(
    "framing",
    [
        [(b"Content-Length", b"1"), (b"Content-Length", b"1")],
        [(b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"identity")],
        [(b"Content-Length", b"+1")],
        [(b"Content-Length", b"")],
    ],
)
def test_framing_with_two_meanings_is_refused(framing: list[tuple[bytes, bytes]]):
    with pytest.raises(ValueError, match=r"length|coding"):
        read_block(framing)


@pytest.mark.parametrize(
    ("status", "headers", "length", "ends"),
    [
        (200, [(b"content-length", b"5")], 5, True),
        (200, [(b"Transfer-Encoding", b"chunked")], None, True),
        (200, [], None, False),
        (204, [], 0, True),
        (304, [(b"Content-Length", b"5")], 0, True),
    ],
)
def test_how_long_an_answer_is(
    status: int, headers: list[tuple[bytes, bytes]], length: int | None, ends: bool
):
    head = read_answer(status, b"", headers, keep_alive=True)
    assert (head.length, head.ends) == (length, ends)
    assert head.lines.startswith(b"HTTP/1.1 %d " % status)
