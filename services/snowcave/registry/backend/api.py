"""What a place for images has to offer. Two do: `disk` and `proxy`; one contract suite runs over both.

Names have passed the grammar and the caller has been admitted before a backend is asked. Everything
raises the errors of `registry.errors`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from snowcave.registry.manifest import Manifest
from snowcave.registry.names import Span
from snowcave.registry.repositories import Image

# Pieces of a body, each of at most a few hundred kilobytes, as they come.
Body = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class UploadRef:
    """Names an upload; `state` is what the backend gave with it, for its eyes only."""

    id: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload has come."""

    upload: UploadRef
    received: int


@dataclass(frozen=True, slots=True)
class FileContent:
    """A blob that lies in a file: it may go out by sendfile."""

    path: Path


@dataclass(frozen=True, slots=True)
class StreamContent:
    """Exactly the bytes that were asked for."""

    pieces: AsyncIterator[bytes]


Content = FileContent | StreamContent


@dataclass(frozen=True, slots=True)
class StoredManifest:
    content: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as the backend has it."""

    repository: int
    image: str
    tag: str
    manifest: Manifest
    created_on: datetime


@dataclass(frozen=True, slots=True)
class Pin:
    """A manifest that must stay, with all that it refers to."""

    repository: int
    image: str
    digest: str


@dataclass(frozen=True, slots=True)
class Collected:
    blobs: int = 0
    bytes: int = 0


class Backend(Protocol):
    async def start(self, image: Image) -> Progress: ...

    async def progress(self, image: Image, upload: UploadRef) -> Progress:
        """Raises UploadUnknown."""
        ...

    async def append(
        self, image: Image, upload: UploadRef, at: int | None, body: Body, length: int | None
    ) -> Progress:
        """Bytes from offset `at` (None: wherever it stands).

        Whole chunks that arrived before a failure are kept. `length` is what the client announced,
        or None. Raises RangeInvalid where `at` is another offset.
        """
        ...

    async def commit(
        self,
        image: Image,
        upload: UploadRef,
        digest: str,
        at: int | None,
        body: Body,
        length: int | None,
    ) -> None:
        """The last bytes, if any; the blob is durable when this returns. Raises DigestInvalid."""
        ...

    async def cancel(self, image: Image, upload: UploadRef) -> None: ...

    async def mount(self, image: Image, source: Image, digest: str) -> bool:
        """Whether the blob is now in `image` too, without having been sent."""
        ...

    async def size(self, image: Image, digest: str) -> int:
        """Raises BlobUnknown."""
        ...

    def read(
        self, image: Image, digest: str, span: Span
    ) -> AbstractAsyncContextManager[Content]: ...

    async def put_manifest(self, image: Image, tag: str, manifest: Manifest) -> None:
        """`tag` empty: by digest alone. Raises BlobMissing where it refers to what is not in `image`."""
        ...

    async def manifest(self, image: Image, reference: str) -> StoredManifest:
        """By tag or digest. Raises ManifestUnknown."""
        ...

    async def tags(self, image: Image, last: str, most: int) -> tuple[Sequence[str], bool]:
        """Up to `most` tags after `last`, in order, and whether there are more. Raises NameUnknown."""
        ...

    async def referrers(self, image: Image, digest: str) -> Sequence[dict[str, object]]:
        """Descriptors of the manifests whose subject is `digest`."""
        ...

    async def tagged(self) -> Sequence[Tag] | None:
        """Every tag there is; None where the backend cannot tell."""
        ...

    async def collect(
        self, repositories: frozenset[int], pins: frozenset[Pin], dry_run: bool
    ) -> Collected:
        """Remove what no repository of the catalog, no pin and no manifest refers to."""
        ...
