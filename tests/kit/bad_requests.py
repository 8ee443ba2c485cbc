"""Requests that are wrong in one way or several, made by chance from good ones."""

import random

from tests.kit.gateway import get

# Lines that have made servers disagree about where a request ends, or who speaks.
_LINES = (
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: -1",
    b"Content-Length : 5",
    b"Content-Length:\t5\x0b",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked, identity",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\n chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"X: y\rZ: a",
    b"X: y\nZ: a",
    b"\x00: a",
    b"X: \x00",
    b": empty",
    b"no colon",
    b"Host: other",
    b"Connection: content-length, host, sf-context-current-user",
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Sf-Context-Current-User: ROOT",
    b"SF_CONTEXT_CURRENT_USER: ROOT",
    b"sf-context-current-user : ROOT",
    b"X: y\r\nSf-Context-Current-User: ROOT",
    b"X-\xff: \xff",
    b"Cookie: snowcave-ingress-auth=x; snowcave-ingress-auth=owner",
    b"Trailer: Sf-Context-Current-User",
)
_BODIES = (
    *(b"",) * 8,
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nSf-Context-Current-User: ROOT\r\n\r\n",
    b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\nSf-Context-Current-User: ROOT\r\n\r\n",
    b"5;x=\n\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
)
_TARGETS = (
    *("/",) * 12,
    "/a?b=c",
    "*",
    "http://a/",
    "//",
    "/\x7f",
    "/a b",
    "/\xff",
    "",
    "/%",
    "a:1",
)
_METHODS = (
    *("GET", "POST") * 6,
    "PUT",
    "TRACE",
    "CONNECT",
    "OPTIONS",
    "get",
    "PRI",
    "G\tT",
    "M-SEARCH",
)


def bad_request(rng: random.Random) -> bytes:
    """Mostly one that has to be refused; now and then one that happens to be good."""
    token = "owner" if rng.random() < 0.8 else rng.choice(("", "x", "stranger", "old", "dark"))
    good = get(rng.choice(_TARGETS), token, method=rng.choice(_METHODS))
    lines = good.removesuffix(b"\r\n\r\n").split(b"\r\n")
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        lines.insert(rng.randrange(1, len(lines) + 1), rng.choice(_LINES))
    data = b"\r\n".join(lines) + b"\r\n\r\n" + rng.choice(_BODIES)
    if rng.random() < 0.3:
        data = _damaged(data, rng)
    return data


def _damaged(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    match rng.randrange(5):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + rng.randbytes(rng.randrange(1, 9)) + data[place:]
        case 2:
            return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        case 3:
            return data.replace(
                b"\r\n", rng.choice((b"\n", b"\r", b"\r\r\n", b" \r\n")), place % 5
            )
        case _:
            return data + data[place:]
