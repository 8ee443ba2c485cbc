"""Calls to the registry behind the proxy: its tokens, its deadlines, and its refusals in our words.

Nothing here holds a blob: bodies go through piece by piece, both ways.
"""

import asyncio
import base64
import io
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp
import orjson
from yarl import URL

from snowcave.registry import errors
from snowcave.registry.backend.api import Body
from snowcave.registry.errors import PartTooSlow, PartUnavailable, RegistryError, TooMany
from snowcave.registry.settings import Upstream

_CHALLENGE = re.compile(r'([a-zA-Z]+)="([^"]*)"')
# Of an error's or a token's body.
_SMALL = 64 << 10
# A token is not used in its last seconds.
_MARGIN = 10.0
_TOKENS = 4096

# Codes of the specification that mean the same to our client.
_REFUSALS: dict[str, type[RegistryError]] = {
    "BLOB_UNKNOWN": errors.BlobUnknown,
    "BLOB_UPLOAD_INVALID": errors.UploadInvalid,
    "BLOB_UPLOAD_UNKNOWN": errors.UploadUnknown,
    "DIGEST_INVALID": errors.DigestInvalid,
    "MANIFEST_BLOB_UNKNOWN": errors.BlobMissing,
    "MANIFEST_INVALID": errors.ManifestInvalid,
    "MANIFEST_UNKNOWN": errors.ManifestUnknown,
    "NAME_INVALID": errors.NameInvalid,
    "NAME_UNKNOWN": errors.NameUnknown,
    "RANGE_INVALID": errors.RangeInvalid,
    "SIZE_INVALID": errors.SizeInvalid,
    "TAG_INVALID": errors.ManifestInvalid,
    "TOOMANYREQUESTS": errors.TooMany,
    "UNSUPPORTED": errors.MethodUnsupported,
}


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    ends: float


class _Sending:
    """A body on its way up; remembers if it was the client's end that broke.

    An upstream that stops taking bytes is given `patience`; what the client needs is its own affair.
    """

    def __init__(self, body: Body, patience: float) -> None:
        self._body = body
        self._patience = patience
        self.failure: Exception | None = None
        # Of the request that sends it; None once that is over.
        self.deadline: asyncio.Timeout | None = None

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        try:
            async for piece in self._body:
                self._reschedule(self._patience)
                yield piece
                self._reschedule(None)
        except Exception as error:
            self.failure = error
            raise
        self._reschedule(self._patience)

    def _reschedule(self, seconds: float | None) -> None:
        if self.deadline is not None:
            now = asyncio.get_running_loop().time()
            self.deadline.reschedule(None if seconds is None else now + seconds)


@asynccontextmanager
async def open_upstream(settings: Upstream) -> AsyncGenerator["UpstreamClient"]:
    """Connects on use: an upstream that is away makes requests fail, not the daemon."""
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=settings.connect, sock_read=settings.answer
    )
    tls = ssl.create_default_context(cafile=settings.ca_file or None)
    connector = aiohttp.TCPConnector(limit=settings.connections, ssl=tls)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, trust_env=False
    ) as session:
        yield UpstreamClient(session, settings)


class UpstreamClient:
    def __init__(self, session: aiohttp.ClientSession, settings: Upstream) -> None:
        self._session = session
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._tokens: dict[str, _Token] = {}
        # What the upstream asked for, by scope: a body is never sent only to be refused.
        self._challenges: dict[str, Mapping[str, str]] = {}

    def url(self, location: str) -> str:
        """A path, or what a Location header says, as an absolute URL."""
        return urljoin(self._base + "/", location)

    @asynccontextmanager
    async def call(
        self,
        method: str,
        location: str,
        *,
        name: str,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
        push: bool = False,
        allowed: tuple[int, ...] = (),
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """An answer of the 200s, or of a status in `allowed`; everything else is raised as our error."""
        scope = f"repository:{name}:{'pull,push' if push else 'pull'}"
        sending: _Sending | None = None
        if body is not None and not isinstance(body, bytes):
            sending = _Sending(body, self._settings.answer)
        with _translated(sending):
            if sending is not None:
                response = await self._send(method, location, scope, headers, sending)
            else:
                response = await self._request(method, location, scope, headers, body)
            if response.status == 401 and sending is None:
                await self._challenged(response, scope)
                response = await self._request(method, location, scope, headers, body)
            async with response:
                if not 200 <= response.status < 300 and response.status not in allowed:
                    raise await _refusal(response)
                yield response

    async def _send(
        self,
        method: str,
        location: str,
        scope: str,
        headers: Mapping[str, str] | None,
        sending: _Sending,
    ) -> aiohttp.ClientResponse:
        async with asyncio.timeout(None) as deadline:
            sending.deadline = deadline
            try:
                return await self._request(method, location, scope, headers, sending)
            finally:
                # Only this task may be cut off, and only here.
                sending.deadline = None

    async def _request(
        self,
        method: str,
        location: str,
        scope: str,
        headers: Mapping[str, str] | None,
        data: Any,
    ) -> aiohttp.ClientResponse:
        given = dict(headers or {})
        if authorization := await self._authorization(scope):
            given["Authorization"] = authorization
        url = URL(self.url(location), encoded=True)
        # A manifest may be large enough for aiohttp to want a file.
        data = io.BytesIO(data) if isinstance(data, bytes) else data
        return await self._session.request(method, url, headers=given, data=data)

    async def _authorization(self, scope: str) -> str:
        token = self._tokens.get(scope)
        now = asyncio.get_running_loop().time()
        if token is not None and token.ends > now:
            return token.header
        challenge = self._challenges.get(scope)
        if challenge is not None:
            return await self._fetch(scope, challenge)
        if self._settings.username and "basic" in self._challenges:
            return self._basic()
        return ""

    async def _challenged(self, response: aiohttp.ClientResponse, scope: str) -> None:
        """Remember what a 401 wants. Raises PartUnavailable where we cannot give it."""
        wanted = response.headers.get("WWW-Authenticate", "")
        response.release()
        scheme, _, rest = wanted.partition(" ")
        fields: dict[str, str] = dict(_CHALLENGE.findall(rest))
        match scheme.lower():
            case "bearer" if "realm" in fields:
                if len(self._challenges) >= _TOKENS:
                    self._challenges.clear()
                self._challenges[scope] = fields
                self._tokens.pop(scope, None)
            case "basic" if self._settings.username:
                self._challenges["basic"] = fields
            case _:
                raise PartUnavailable(
                    "the upstream registry asks for credentials it was not given"
                )

    async def _fetch(self, scope: str, challenge: Mapping[str, str]) -> str:
        headers = {"Authorization": self._basic()} if self._settings.username else {}
        query = {"scope": scope}
        if "service" in challenge:
            query["service"] = challenge["service"]
        url = _realm(challenge["realm"]).update_query(query)
        async with self._session.get(url, headers=headers) as response:
            if response.status != 200:
                raise PartUnavailable(
                    f"the upstream registry gives no token: its login answered {response.status}"
                )
            fields = _object(await response.content.read(_SMALL))
        token = fields.get("token") or fields.get("access_token")
        if not isinstance(token, str):
            raise PartUnavailable("the upstream registry's login answered without a token")
        life = fields.get("expires_in", 60)
        seconds = float(life) if isinstance(life, int | float) else 60.0
        if len(self._tokens) >= _TOKENS:
            self._tokens.clear()
        ends = asyncio.get_running_loop().time() + max(seconds - _MARGIN, 1.0)
        self._tokens[scope] = _Token(f"Bearer {token}", ends)
        return self._tokens[scope].header

    def _basic(self) -> str:
        pair = f"{self._settings.username}:{self._settings.password}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


class _translated:  # noqa: N801  # reads as a word where it is used
    """Failures of the way there as our errors; the client's own end keeps its failure."""

    def __init__(self, sending: _Sending | None) -> None:
        self._sending = sending

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, aiohttp.ClientError | TimeoutError):
            return
        if self._sending is not None and self._sending.failure is not None:
            raise self._sending.failure from error
        if isinstance(error, TimeoutError):
            raise PartTooSlow("the upstream registry did not answer in time") from error
        raise PartUnavailable(
            f"the upstream registry does not answer: {type(error).__name__}"
        ) from error


def _realm(text: str) -> URL:
    """Where tokens are to be had. Raises PartUnavailable."""
    try:
        url = URL(text)
    except ValueError as error:
        raise PartUnavailable("the upstream registry's realm is not an address") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise PartUnavailable("the upstream registry's realm is not an address")
    return url


async def _refusal(response: aiohttp.ClientResponse) -> RegistryError:
    """What the upstream's answer is to our client."""
    status = response.status
    if status == 429:
        wait = response.headers.get("Retry-After", "1")
        return TooMany("the upstream registry has too many requests", {"Retry-After": wait})
    if status >= 500:
        return PartUnavailable(f"the upstream registry answered {status}")
    if status in (401, 403):
        return PartUnavailable(f"the upstream registry refuses Snowcave: it answered {status}")
    content = b"" if response.method == "HEAD" else await response.content.read(_SMALL)
    code, detail = _first_error(_object(content))
    if status == 416:
        return errors.RangeInvalid(detail)
    if status == 413:
        return errors.TooLarge(detail)
    refusal = _REFUSALS.get(code)
    if refusal is not None:
        return refusal(detail)
    if status == 404:
        return errors.NothingHere("the upstream registry has nothing there")
    return PartUnavailable(f"the upstream registry answered {status} {code}".rstrip())


def _first_error(document: Mapping[str, Any]) -> tuple[str, str]:
    listed = document.get("errors")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        first = listed[0]
        return str(first.get("code", "")), str(first.get("message", ""))[:500]
    return "", ""


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
