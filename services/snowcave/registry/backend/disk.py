"""The disk backend: content-addressed files, durable before they are acknowledged.

Every change of what refers to what happens in a pool thread under one lock, which the collector
takes too: a blob that a push has just relied on is young again and stays.
"""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import orjson

from snowcave.kit.clock import Clock
from snowcave.registry import manifest as manifests
from snowcave.registry.backend import files
from snowcave.registry.backend.api import (
    Body,
    Collected,
    Content,
    FileContent,
    Pin,
    Progress,
    StoredManifest,
    Tag,
    UploadRef,
)
from snowcave.registry.backend.garbage import Collector
from snowcave.registry.backend.layout import Layout, image_name
from snowcave.registry.backend.uploads import Upload, Uploads
from snowcave.registry.errors import (
    BlobMissing,
    BlobUnknown,
    DigestInvalid,
    ManifestUnknown,
    NameUnknown,
)
from snowcave.registry.manifest import Manifest
from snowcave.registry.names import Span, is_digest
from snowcave.registry.repositories import Image
from snowcave.registry.settings import RegistrySettings

T = TypeVar("T")
_THREADS = 16


@asynccontextmanager
async def open_disk(settings: RegistrySettings, clock: Clock) -> AsyncGenerator["DiskBackend"]:
    """Owns the registry's folder: one daemon at a time."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="disk") as pool:
        backend = DiskBackend(settings.mesh.folder("registry"), settings, pool, clock)
        await backend.prepare()
        yield backend


class DiskBackend:
    """Implements `Backend`."""

    def __init__(
        self, root: Path, settings: RegistrySettings, pool: ThreadPoolExecutor, clock: Clock
    ) -> None:
        self._layout = Layout(root)
        self._pool = pool
        self._clock = clock
        self._references = threading.Lock()
        limits = settings.limits
        self._uploads = Uploads(
            self._layout.uploads, pool, chunk=limits.chunk, largest=limits.blob
        )
        self._collector = Collector(self._layout, self._references, settings.garbage)

    async def prepare(self) -> None:
        for folder in (self._layout.blobs, self._layout.images, self._layout.uploads):
            await self._run(files.make_folder, folder)

    # ------------------------------------------------------------ uploads

    async def start(self, image: Image) -> Progress:
        return Progress(UploadRef(await self._uploads.start(image)), 0)

    async def progress(self, image: Image, upload: UploadRef) -> Progress:
        found = await self._uploads.find(image, upload.id)
        return Progress(upload, found.received)

    async def append(
        self, image: Image, upload: UploadRef, at: int | None, body: Body, length: int | None
    ) -> Progress:
        found = await self._uploads.find(image, upload.id)
        async with found.turn():
            await self._uploads.receive(found, at, body)
            return Progress(upload, found.received)

    async def commit(
        self,
        image: Image,
        upload: UploadRef,
        digest: str,
        at: int | None,
        body: Body,
        length: int | None,
    ) -> None:
        found = await self._uploads.find(image, upload.id)
        async with found.turn():
            await self._uploads.receive(found, at, body)
            right = found.digest == digest
            if right:
                await self._run(self._keep, image, found, digest)
        # Wrong bytes cannot become right by going on.
        await self._uploads.forget(upload.id)
        if not right:
            raise DigestInvalid(f"the content's digest is {found.digest}")

    async def cancel(self, image: Image, upload: UploadRef) -> None:
        await self._uploads.find(image, upload.id)
        await self._uploads.forget(upload.id)

    async def mount(self, image: Image, source: Image, digest: str) -> bool:
        return await self._run(self._mount, image, source, digest)

    def _keep(self, image: Image, upload: Upload, digest: str) -> None:
        with upload.data.open("rb") as file:
            os.fsync(file.fileno())
        home = self._layout.blob(digest)
        files.make_folder(home.parent)
        with self._references:
            os.utime(upload.data)
            upload.data.replace(home)
        files.sync_folder(home.parent)
        with self._references:
            files.mark(self._layout.layer(image, digest))

    def _mount(self, image: Image, source: Image, digest: str) -> bool:
        with self._references:
            if not self._layout.layer(source, digest).exists():
                return False
            try:
                os.utime(self._layout.blob(digest))
            except FileNotFoundError:
                return False
            files.mark(self._layout.layer(image, digest))
            return True

    # ------------------------------------------------------------ blobs

    async def size(self, image: Image, digest: str) -> int:
        return await self._run(self._size, image, digest)

    def _size(self, image: Image, digest: str) -> int:
        try:
            # A client that is told "it is here" will not send it: keep it for another while.
            os.utime(self._layout.layer(image, digest))
            return self._layout.blob(digest).stat().st_size
        except FileNotFoundError as error:
            raise BlobUnknown(digest) from error

    @asynccontextmanager
    async def read(self, image: Image, digest: str, span: Span) -> AsyncGenerator[Content]:
        yield FileContent(self._layout.blob(digest))

    # ------------------------------------------------------------ manifests

    async def put_manifest(self, image: Image, tag: str, manifest: Manifest) -> None:
        await self._run(self._put_manifest, image, tag, manifest)

    def _put_manifest(self, image: Image, tag: str, manifest: Manifest) -> None:
        layout = self._layout
        files.write(layout.blob(manifest.digest), manifest.content)
        with self._references:
            self._demand(image, manifest)
            os.utime(layout.blob(manifest.digest))
            files.write(layout.manifest(image, manifest.digest), manifest.media_type.encode())
        if manifest.subject:
            folder = layout.referrers(image, manifest.subject)
            name = layout.blob(manifest.digest).name
            files.write(folder / name, orjson.dumps(manifest.descriptor()))
        if tag:
            files.write(layout.tag(image, tag), manifest.digest.encode())

    def _demand(self, image: Image, manifest: Manifest) -> None:
        """All that it refers to has to be in this image, and is young again."""
        layout = self._layout
        wanted = [(digest, layout.layer(image, digest)) for digest in manifest.blobs]
        wanted += [(digest, layout.manifest(image, digest)) for digest in manifest.manifests]
        missing: list[str] = []
        for digest, link in wanted:
            try:
                os.utime(link)
                os.utime(layout.blob(digest))
            except FileNotFoundError:
                missing.append(digest)
        if missing:
            raise BlobMissing(f"not in {image.path}: {', '.join(missing)}")

    async def manifest(self, image: Image, reference: str) -> StoredManifest:
        return await self._run(self._manifest, image, reference)

    def _manifest(self, image: Image, reference: str) -> StoredManifest:
        layout = self._layout
        try:
            digest = reference
            if not is_digest(reference):
                digest = layout.tag(image, reference).read_text()
            media_type = layout.manifest(image, digest).read_text()
            return StoredManifest(layout.blob(digest).read_bytes(), media_type, digest)
        except FileNotFoundError as error:
            raise ManifestUnknown(f"{image.path} has no {reference}") from error

    async def tags(self, image: Image, last: str, most: int) -> tuple[Sequence[str], bool]:
        return await self._run(self._tags, image, last, most)

    def _tags(self, image: Image, last: str, most: int) -> tuple[Sequence[str], bool]:
        if not files.names(self._layout.image(image) / "manifests"):
            raise NameUnknown(f"there is no image {image.path}")
        found = [t for t in files.names(self._layout.image(image) / "tags") if t > last]
        return found[:most], len(found) > most

    async def referrers(self, image: Image, digest: str) -> Sequence[dict[str, object]]:
        return await self._run(self._referrers, image, digest)

    def _referrers(self, image: Image, digest: str) -> Sequence[dict[str, object]]:
        folder = self._layout.referrers(image, digest)
        return [orjson.loads((folder / name).read_bytes()) for name in files.names(folder)]

    # ------------------------------------------------------------ the whole

    async def tagged(self) -> Sequence[Tag] | None:
        return await self._run(self._tagged)

    def _tagged(self) -> Sequence[Tag]:
        found: list[Tag] = []
        for uid in files.names(self._layout.images):
            for folder in files.names(self._layout.images / uid):
                here = self._layout.images / uid / folder
                tags = (self._one_tag(int(uid), here, t) for t in files.names(here / "tags"))
                found.extend(tag for tag in tags if tag)
        return found

    def _one_tag(self, repository: int, folder: Path, tag: str) -> Tag | None:
        """None where a file went away meanwhile."""
        try:
            file = folder / "tags" / tag
            digest = file.read_text()
            made = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            media_type = (folder / "manifests" / digest.removeprefix("sha256:")).read_text()
            parsed = manifests.parse(self._layout.blob(digest).read_bytes(), media_type)
        except FileNotFoundError:
            return None
        return Tag(repository, image_name(folder.name), tag, parsed, made)

    async def collect(
        self, repositories: frozenset[int], pins: frozenset[Pin], dry_run: bool
    ) -> Collected:
        now = self._clock.now().timestamp()
        done, uploads = await self._run(self._collector.collect, repositories, pins, now, dry_run)
        for name in uploads:
            self._uploads.drop(name)
        return done

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        """In the pool: everything that touches the disk blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
