"""The proxy backend: another OCI registry keeps the bytes; names, rights and errors are ours.

Upstream, an image is `<prefix>/r<repository uid>/<image>`: a repository that is dropped and made again
starts empty, and renaming a database moves nothing. Uploads need no memory here: what the upstream
said of one travels, sealed, in the address that the client gets.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urljoin
from weakref import WeakValueDictionary

import aiohttp
import orjson
import structlog

from snowcave.registry import manifest as manifests
from snowcave.registry.backend.api import (
    Body,
    Collected,
    Content,
    Pin,
    Progress,
    StoredManifest,
    StreamContent,
    Tag,
    UploadRef,
)
from snowcave.registry.backend.passing import (
    Counted,
    body_headers,
    cut_out,
    descriptors,
    json_list,
    json_object,
    received_of,
    whole,
)
from snowcave.registry.backend.uploads import range_headers
from snowcave.registry.backend.upstream import UpstreamClient, open_upstream
from snowcave.registry.errors import (
    BlobUnknown,
    DigestInvalid,
    ManifestUnknown,
    NameUnknown,
    NothingHere,
    PartUnavailable,
    RangeInvalid,
    RegistryError,
    UploadUnknown,
)
from snowcave.registry.manifest import Manifest
from snowcave.registry.names import Span, is_digest
from snowcave.registry.repositories import Image
from snowcave.registry.settings import RegistrySettings
from snowcave.registry.tokens import Sealer
from snowcave.runtime.settings import SettingsInvalid

log = structlog.get_logger()

_PAGES = 100
# Where clients and we keep referrers on a registry that has no list of them.
_REFERRERS_TAG = re.compile(r"sha256-[0-9a-f]{64}\Z")
_LINK = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")


@asynccontextmanager
async def open_proxy(settings: RegistrySettings, sealer: Sealer) -> AsyncGenerator["ProxyBackend"]:
    if not settings.upstream.url.startswith(("http://", "https://")):
        raise SettingsInvalid("registry.upstream.url: the proxy needs http://… or https://…")
    async with open_upstream(settings.upstream) as client:
        yield ProxyBackend(client, settings, sealer)


class ProxyBackend:
    """Implements `Backend`."""

    def __init__(self, client: UpstreamClient, settings: RegistrySettings, sealer: Sealer) -> None:
        self._client = client
        self._prefix = settings.upstream.prefix.strip("/")
        self._limits = settings.limits
        self._sealer = sealer
        # One writer at a time of a subject's list of referrers.
        self._listing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def _name(self, image: Image) -> str:
        own = f"r{image.repository.uid}/{image.name}"
        return f"{self._prefix}/{own}" if self._prefix else own

    def _path(self, image: Image, rest: str) -> str:
        return f"/v2/{quote(self._name(image))}/{rest}"

    # ------------------------------------------------------------ uploads

    async def start(self, image: Image) -> Progress:
        where = self._path(image, "blobs/uploads/")
        async with self._call("POST", where, image, push=True) as response:
            return self._moved(image, secrets.token_hex(16), response, 0)

    async def progress(self, image: Image, upload: UploadRef) -> Progress:
        fields = self._opened(image, upload)
        async with self._call("GET", str(fields["l"]), image, push=True) as response:
            received = received_of(response, int(fields["n"]))
            return self._moved(image, upload.id, response, received)

    async def append(
        self, image: Image, upload: UploadRef, at: int | None, body: Body, length: int | None
    ) -> Progress:
        upload, known = await self._at(image, upload, at)
        count = Counted(body, self._limits.blob - known)
        where = str(self._opened(image, upload)["l"])
        headers = body_headers(length)
        if at is not None and length is not None:
            headers["Content-Range"] = f"{at}-{at + length - 1}"
        async with self._call(
            "PATCH", where, image, push=True, headers=headers, body=aiter(count)
        ) as response:
            return self._moved(image, upload.id, response, known + count.bytes)

    async def commit(
        self,
        image: Image,
        upload: UploadRef,
        digest: str,
        at: int | None,
        body: Body,
        length: int | None,
    ) -> None:
        upload, known = await self._at(image, upload, at)
        where = str(self._opened(image, upload)["l"])
        where += ("&" if "?" in where else "?") + f"digest={quote(digest)}"
        count = aiter(Counted(body, self._limits.blob - known))
        data = b"" if length == 0 else count
        async with self._call(
            "PUT", where, image, push=True, headers=body_headers(length), body=data
        ):
            return

    async def cancel(self, image: Image, upload: UploadRef) -> None:
        where = str(self._opened(image, upload)["l"])
        async with self._call("DELETE", where, image, push=True):
            return

    async def mount(self, image: Image, source: Image, digest: str) -> bool:
        query = f"?mount={quote(digest)}&from={quote(self._name(source))}"
        where = self._path(image, f"blobs/uploads/{query}")
        async with self._call("POST", where, image, push=True) as response:
            if response.status == 201:
                return True
            opened = response.headers.get("Location", "")
        if opened:
            await self._abandon(image, self._absolute(where, opened))
        return False

    async def _abandon(self, image: Image, where: str) -> None:
        """Not mounted: the upstream opened an upload instead, which our client will not use."""
        try:
            async with self._call("DELETE", where, image, push=True):
                return
        except RegistryError as error:
            # Not every registry can; what nobody writes to it clears away by itself.
            log.debug("upload_not_abandoned", image=image.path, reason=str(error))

    async def _at(self, image: Image, upload: UploadRef, at: int | None) -> tuple[UploadRef, int]:
        """The upload as it is, and its offset. Some registries take a chunk wherever it begins."""
        if at is None:
            return upload, int(self._opened(image, upload)["n"])
        now = await self.progress(image, upload)
        if at != now.received:
            raise RangeInvalid(f"the upload stands at {now.received}", range_headers(now.received))
        return now.upload, now.received

    def _opened(self, image: Image, upload: UploadRef) -> Mapping[str, Any]:
        """Sealed by us, for this image and this upload. Raises UploadUnknown."""
        fields = self._sealer.unseal("upload", upload.state)
        if fields is None or (fields["i"], fields["u"]) != (self._name(image), upload.id):
            raise UploadUnknown
        return fields

    def _moved(
        self, image: Image, name: str, response: aiohttp.ClientResponse, received: int
    ) -> Progress:
        """Where the upstream wants the next request."""
        location = response.headers.get("Location")
        where = self._absolute(str(response.url), location) if location else str(response.url)
        fields: dict[str, Any] = {
            "i": self._name(image),
            "u": name,
            "l": where,
            "n": received,
        }
        return Progress(UploadRef(name, self._sealer.seal("upload", fields)), received)

    def _absolute(self, base: str, location: str) -> str:
        return urljoin(self._client.url(base), location)

    # ------------------------------------------------------------ blobs

    async def size(self, image: Image, digest: str) -> int:
        where = self._path(image, f"blobs/{digest}")
        try:
            async with self._call("HEAD", where, image) as response:
                if response.content_length is None:
                    raise PartUnavailable("the upstream registry does not tell a blob's size")
                return response.content_length
        except (NothingHere, NameUnknown) as error:
            raise BlobUnknown(digest) from error

    @asynccontextmanager
    async def read(self, image: Image, digest: str, span: Span) -> AsyncGenerator[Content]:
        headers = {"Accept-Encoding": "identity"}
        if span.partial:
            headers["Range"] = f"bytes={span.start}-{span.stop - 1}"
        where = self._path(image, f"blobs/{digest}")
        async with self._call("GET", where, image, headers=headers) as response:
            skip = span.start if response.status == 200 else 0
            yield StreamContent(cut_out(response, skip, span.length))

    # ------------------------------------------------------------ manifests

    async def put_manifest(self, image: Image, tag: str, manifest: Manifest) -> None:
        where = self._path(image, f"manifests/{tag or manifest.digest}")
        headers = {"Content-Type": manifest.media_type}
        async with self._call(
            "PUT", where, image, push=True, headers=headers, body=manifest.content
        ) as response:
            listed = "OCI-Subject" in response.headers
        if manifest.subject and not listed:
            await self._list_referrer(image, manifest)

    async def manifest(self, image: Image, reference: str) -> StoredManifest:
        where = self._path(image, f"manifests/{reference}")
        headers = {"Accept": manifests.ACCEPT, "Accept-Encoding": "identity"}
        try:
            async with self._call("GET", where, image, headers=headers) as response:
                content = await whole(response, self._limits.manifest)
                media_type = response.content_type
        except (NothingHere, NameUnknown, ManifestUnknown) as error:
            raise ManifestUnknown(f"{image.path} has no {reference}") from error
        digest = manifests.digest_of(content)
        if is_digest(reference) and digest != reference:
            raise DigestInvalid(f"the upstream registry gave {digest} for {reference}")
        return StoredManifest(content, media_type, digest)

    async def tags(self, image: Image, last: str, most: int) -> tuple[Sequence[str], bool]:
        """All of them are read: registries differ in whether, and in what order, they page."""
        found: set[str] = set()
        where = self._path(image, "tags/list?n=1000")
        try:
            for _ in range(_PAGES):
                async with self._call("GET", where, image) as response:
                    listed = json_object(await whole(response, self._limits.manifest))
                    link = _LINK.search(response.headers.get("Link", ""))
                found.update(tag for tag in json_list(listed, "tags") if isinstance(tag, str))
                if link is None:
                    break
                where = self._absolute(where, link[1])
        except NothingHere as error:
            raise NameUnknown(f"there is no image {image.path}") from error
        after = sorted(t for t in found if t > last and not _REFERRERS_TAG.match(t))
        return after[:most], len(after) > most

    async def referrers(self, image: Image, digest: str) -> Sequence[dict[str, object]]:
        where = self._path(image, f"referrers/{digest}")
        try:
            async with self._call("GET", where, image) as response:
                content = await whole(response, self._limits.manifest)
        except (NothingHere, NameUnknown, ManifestUnknown):
            return await self._listed_referrers(image, digest)
        return descriptors(content)

    async def _listed_referrers(self, image: Image, digest: str) -> list[dict[str, object]]:
        try:
            found = await self.manifest(image, digest.replace(":", "-"))
        except ManifestUnknown:
            return []
        return descriptors(found.content)

    async def _list_referrer(self, image: Image, manifest: Manifest) -> None:
        """The specification's way where the upstream keeps no list: an index under a tag of its own."""
        name = f"{self._name(image)}@{manifest.subject}"
        lock = self._listing.setdefault(name, asyncio.Lock())
        async with lock:
            listed = await self._listed_referrers(image, manifest.subject)
            if any(one.get("digest") == manifest.digest for one in listed):
                return
            index = {
                "schemaVersion": 2,
                "mediaType": manifests.OCI_INDEX,
                "manifests": [*listed, manifest.descriptor()],
            }
            where = self._path(image, f"manifests/{manifest.subject.replace(':', '-')}")
            headers = {"Content-Type": manifests.OCI_INDEX}
            async with self._call(
                "PUT", where, image, push=True, headers=headers, body=orjson.dumps(index)
            ):
                return

    # ------------------------------------------------------------ the whole

    async def tagged(self) -> Sequence[Tag] | None:
        return None

    async def collect(
        self, repositories: frozenset[int], pins: frozenset[Pin], dry_run: bool
    ) -> Collected:
        """The upstream collects in its own way."""
        return Collected()

    def _call(self, method: str, where: str, image: Image, **more: Any) -> Any:
        return self._client.call(method, where, name=self._name(image), **more)
