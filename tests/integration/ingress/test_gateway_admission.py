"""Who is let in stays in for no longer than that holds; other origins come in by corsSettings alone."""

import asyncio
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from snowcave.ingress.policy import cors_of
from snowcave.ingress.settings import Deadlines, IngressSettings
from snowcave.kit.clock import LoopClock
from snowcave.v1 import state_pb2 as state
from tests.kit.gateway import (
    HOST,
    OWNER,
    Stage,
    echo_head,
    gateway_settings,
    get,
    read_head,
    stage,
)

DAY = timedelta(days=1)
ORIGIN = "https://app.example.com"


@pytest.fixture
def settings(tmp_path: Path) -> IngressSettings:
    return gateway_settings(tmp_path)


class Caller:
    """One connection, used again and again, as browsers and connection pools do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, raw: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer to one request."""
        self._writer.write(raw.replace(b"Connection: close\r\n", b""))
        async with asyncio.timeout(20):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            return head, await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


async def called(s: Stage) -> Caller:
    return Caller(*await s.open())


async def test_a_caller_who_is_known_is_not_asked_for_again_and_means_the_same(
    settings: IngressSettings,
):
    patient = replace(settings, deadlines=replace(Deadlines(), verified=3600.0))
    async with stage(patient, echo_head) as s:
        caller = await called(s)
        seen = [await caller.ask(get(f"/{n}")) for n in range(5)]
        other = await s.ask(get("/x", token="grantee"))
        caller.close()
    assert s.identity.asked == 2
    for number, (head, body) in enumerate(seen):
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Server" not in head
        assert b"X-Frame-Options: DENY\r\n" in head
        assert body.startswith(b"GET /%d HTTP/1.1\r\n" % number)
        assert body.count(b"Sf-Context-Current-User: OWNER\r\n") == 1
        assert b"Snowflake Token" not in body
    assert b"Sf-Context-Current-User: GRANTEE\r\n" in other


def _forget(s: Stage) -> None:
    s.identity.generation += 1


def _publish_no_more(s: Stage) -> None:
    s.identity.publishing.discard(OWNER)
    s.identity.generation += 1


def _suspend(s: Stage) -> None:
    s.routes.ready = False
    s.routes.generation += 1


@pytest.mark.parametrize(
    ("change", "status"), [(_forget, 200), (_publish_no_more, 403), (_suspend, 503)]
)
async def test_whatever_changes_is_looked_at_anew_on_a_connection_that_is_open(
    settings: IngressSettings, change: Callable[[Stage], None], status: int
):
    patient = replace(settings, deadlines=replace(Deadlines(), verified=3600.0))
    async with stage(patient, echo_head) as s:
        caller = await called(s)
        for _ in range(2):
            assert (await caller.ask(get()))[0].startswith(b"HTTP/1.1 200 ")
        change(s)
        assert (await caller.ask(get()))[0].startswith(b"HTTP/1.1 %d " % status)
        caller.close()
    assert s.identity.asked == 2


async def test_tokens_end_by_time_too(settings: IngressSettings):
    async with stage(
        replace(settings, deadlines=replace(Deadlines(), verified=0.0)), echo_head
    ) as s:
        caller = await called(s)
        for _ in range(3):
            await caller.ask(get())
        caller.close()
    assert s.identity.asked == 3


async def test_headers_that_were_seen_before_do_not_hide_what_is_new_in_others(
    settings: IngressSettings,
):
    """The second request of a connection must not be taken for the first."""
    async with stage(settings, echo_head) as s:
        caller = await called(s)
        await caller.ask(get("/a", extra="X-One: 1\r\n"))
        _, body = await caller.ask(get("/b", extra="X-One: 2\r\nSf-Context-Current-User: X\r\n"))
        assert b"X-One: 2\r\n" in body
        assert b"Current-User: X" not in body
        head, _ = await caller.ask(get("/c", token="stranger", extra="X-One: 1\r\n"))
        assert head.startswith(b"HTTP/1.1 403 ")
        head, _ = await caller.ask(get("/sfc-endpoint/login", extra="X-One: 1\r\n"))
        assert b"snowcave-ingress-csrf=" in head
        caller.close()


async def test_trailers_tell_the_instance_nothing(settings: IngressSettings):
    heads: list[bytes] = []

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_head(reader))
        heads.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    raw = get(method="POST", extra="Transfer-Encoding: chunked\r\n")
    trailers = b"2\r\nhi\r\n0\r\nSf-Context-Current-User: ROOT\r\nX-Late: 1\r\n\r\n"
    async with stage(settings, backend) as s:
        assert (await s.ask(raw + trailers)).startswith(b"HTTP/1.1 200 ")
    assert b"ROOT" not in b"".join(heads)
    assert b"X-Late" not in b"".join(heads)
    assert heads[0].count(b"Sf-Context-Current-User: OWNER\r\n") == 1


@pytest.mark.parametrize(
    "raw",
    [
        get("http://other.example/"),
        get("other.example:80", method="CONNECT"),
        get("/", extra="Transfer-Encoding: chunked\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")
        + b"0\r\n\r\n",
        get("/", extra="X: a\nY: b\r\n"),
        get("/").replace(b"\r\n", b"\n"),
        get("/", extra="X: \x00\r\n"),
        get("/", extra="Content-Length: 5\r\nContent-Length: 5\r\n") + b"hello",
        get("/", extra="Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
        + b"0\r\n\r\n",
        get("/", method="POST", extra="Transfer-Encoding: chunked\r\n") + b"2\nhi\r\n0\r\n\r\n",
        get("/", method="POST", extra="Transfer-Encoding: chunked\r\n")
        + b"0x2\r\nhi\r\n0\r\n\r\n",
        get("/", method="POST", extra="Transfer-Encoding: chunked\r\n") + b"-1\r\nhi\r\n0\r\n\r\n",
        get("/", method="POST", extra="Transfer-Encoding: chunked\r\n")
        + b"11111111111111111\r\nhi\r\n0\r\n\r\n",
    ],
)
async def test_requests_that_two_servers_may_read_differently_are_refused(
    settings: IngressSettings, raw: bytes
):
    whole: list[bytes] = []

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_head(reader):
            if b"chunked" not in head:
                whole.append(head)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with stage(settings, backend) as s:
        answer = await s.ask(raw + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer[9:12] in (b"400", b"405")
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1
    assert whole == []


# --- answers for browsers and for programs


async def test_programs_get_errors_in_json_and_people_a_page(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        s.routes.ready = False
        head, _, body = (await s.ask(get())).partition(b"\r\n\r\n")
        assert b"Content-Type: application/json\r\n" in head
        assert json.loads(body)["status"] == 503
        head, _, body = (await s.ask(get(extra="Accept: text/html\r\n"))).partition(b"\r\n\r\n")
        assert b"Content-Type: text/html" in head
        assert b"<h1>Service not ready</h1>" in body


def _with_cors(s: Stage) -> None:
    allowed = state.CorsSettings(allow_origin=[ORIGIN], allow_methods=["GET", "PUT"])
    s.routes.route = replace(s.routes.route, cors=cors_of(allowed))


async def test_a_preflight_is_answered_by_the_gateway(settings: IngressSettings):
    asked = f"Origin: {ORIGIN}\r\nAccess-Control-Request-Method: PUT\r\n"
    async with stage(settings, echo_head) as s:
        _with_cors(s)
        answer = await s.ask(get(token="", method="OPTIONS", extra=asked))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert f"Access-Control-Allow-Origin: {ORIGIN}\r\n".encode() in answer
        assert b"Access-Control-Allow-Methods: GET, PUT\r\n" in answer
        evil = asked.replace("app", "evil")
        answer = await s.ask(get(token="", method="OPTIONS", extra=evil))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"Access-Control" not in answer
        assert s.identity.asked == 0
        # Without an origin it is a request like others.
        answer = await s.ask(get(method="OPTIONS"))
        assert b"\r\n\r\nOPTIONS / HTTP/1.1\r\n" in answer


async def test_an_answer_tells_allowed_origins_that_they_may_read_it(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        _with_cors(s)
        caller = await called(s)
        for _ in range(2):
            head, _ = await caller.ask(get(extra=f"Origin: {ORIGIN}\r\n"))
            assert head.count(b"Access-Control-Allow-Origin: ") == 1
            assert f"Access-Control-Allow-Origin: {ORIGIN}\r\n".encode() in head
            assert b"Vary: Origin\r\n" in head
            head, _ = await caller.ask(get(extra="Origin: https://evil.example\r\n"))
            assert b"Access-Control" not in head
        caller.close()


async def test_an_allowed_origin_may_read_what_went_wrong_too(settings: IngressSettings):
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)

    async with stage(settings, closes) as s:
        _with_cors(s)
        for token, status in (("old", 401), ("stranger", 403), ("owner", 502)):
            answer = await s.ask(get(token=token, extra=f"Origin: {ORIGIN}\r\n"))
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert answer.count(f"Access-Control-Allow-Origin: {ORIGIN}\r\n".encode()) == 1
            answer = await s.ask(get(token=token, extra="Origin: https://evil.example\r\n"))
            assert b"Access-Control" not in answer


async def test_a_page_of_another_origin_cannot_use_the_cookie(settings: IngressSettings):
    """Nor open a WebSocket with it; not even once the same token came in a header from there."""
    cookie = "Cookie: snowcave-ingress-auth=owner\r\n"
    async with stage(settings, echo_head) as s:
        _with_cors(s)
        other = f"Origin: {ORIGIN}\r\n"
        assert (await s.ask(get(extra=other))).startswith(b"HTTP/1.1 200 ")
        assert (await s.ask(get(token="", extra=cookie + other))).startswith(b"HTTP/1.1 401 ")
        own = f"Origin: http://{HOST}:8402\r\n"
        assert (await s.ask(get(token="", extra=cookie + own))).startswith(b"HTTP/1.1 200 ")


# --- certificates


async def test_a_new_certificate_is_served_without_a_restart(
    settings: IngressSettings, tmp_path: Path
):
    pair = (tmp_path / "own.pem", tmp_path / "own.key")
    _certify(pair, "one.example")
    own = replace(
        settings,
        certificate=str(pair[0]),
        private_key=str(pair[1]),
        deadlines=replace(Deadlines(), certificate_look=0.05),
    )
    async with stage(own, echo_head) as s, asyncio.timeout(30):
        assert "one.example" in await _served(s)
        pair[0].write_text("half of a file")
        assert "one.example" in await _served(s)
        _certify(pair, "two.example")
        while "two.example" not in await _served(s):
            await asyncio.sleep(0.05)


def _certify(pair: tuple[Path, Path], name: str) -> None:
    """Written beside and moved over, as those do who renew certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = LoopClock().now()
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + DAY)
    contents = (
        builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    for path, content in zip(pair, contents, strict=True):
        path.with_suffix(".new").write_bytes(content)
        path.with_suffix(".new").rename(path)


async def _served(s: Stage) -> str:
    """The subject of the certificate that a new connection gets."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(
        "127.0.0.1", s.settings.mesh.port("ingress"), ssl=trusting
    )
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
