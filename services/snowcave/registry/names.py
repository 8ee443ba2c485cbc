"""Names, digests, tags and ranges as they may stand in a request. Pure; refuses what it does not know.

Nothing reaches a backend that has not passed this grammar, so no name can leave its folder.
"""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from snowcave.registry.errors import (
    DigestInvalid,
    ManifestInvalid,
    NameInvalid,
    NothingHere,
    RangeInvalid,
    RequestInvalid,
)

# Unquoted identifiers in lower case: an image repository's names may not be quoted ones.
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_$]*\Z")
_IMAGE_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ANY_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]+\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_UPLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d+|\*))?\Z")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
_HOST = re.compile(r"[A-Za-z0-9_.\-]{1,253}(?::\d{1,5})?\Z|\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?\Z")
_LONGEST_IMAGE = 200


@dataclass(frozen=True, slots=True)
class ImageName:
    """`<database>/<schema>/<repository>/<image…>`, all lower case."""

    repository: str
    image: str

    def __str__(self) -> str:
        return f"{self.repository}/{self.image}"


class Endpoint(Enum):
    BASE = "base"
    BLOB = "blob"
    UPLOADS = "uploads"
    UPLOAD = "upload"
    MANIFEST = "manifest"
    TAGS = "tags"
    REFERRERS = "referrers"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. `reference` is a digest, a tag or an upload id."""

    endpoint: Endpoint
    name: ImageName | None = None
    reference: str = ""


def route(raw_path: str) -> Route:
    """The endpoint of a path as it came over the wire, still percent-encoded.

    Raises NameInvalid, DigestInvalid, ManifestInvalid or NothingHere.
    """
    rest = raw_path.removeprefix("/v2/")
    if rest == "":
        return Route(Endpoint.BASE)
    parts = [unquote(part) for part in rest.split("/")]
    match parts:
        case [*name, "blobs", "uploads", ""] | [*name, "blobs", "uploads"] if name:
            return Route(Endpoint.UPLOADS, image_name(name))
        case [*name, "blobs", "uploads", upload] if name:
            return Route(Endpoint.UPLOAD, image_name(name), upload_id(upload))
        case [*name, "blobs", wanted] if name:
            return Route(Endpoint.BLOB, image_name(name), digest(wanted))
        case [*name, "manifests", reference] if name:
            return Route(Endpoint.MANIFEST, image_name(name), manifest_reference(reference))
        case [*name, "tags", "list"] if name:
            return Route(Endpoint.TAGS, image_name(name))
        case [*name, "referrers", subject] if name:
            return Route(Endpoint.REFERRERS, image_name(name), digest(subject))
        case _:
            raise NothingHere


def image_name(parts: list[str]) -> ImageName:
    """Database, schema, repository and at least one part of an image's name."""
    if len(parts) < 4:
        raise NameInvalid("an image is named /<database>/<schema>/<repository>/<image>")
    repository, image = parts[:3], parts[3:]
    right = all(_IDENTIFIER.match(part) for part in repository)
    right = right and all(_IMAGE_PART.match(part) for part in image)
    name = ImageName("/".join(repository), "/".join(image))
    if not right or len(str(name)) > 255 or len(name.image) > _LONGEST_IMAGE:
        raise NameInvalid("names are lower case, of letters, digits and . _ - between them")
    return name


def parse_image_name(text: str) -> ImageName:
    """As in `from=` of a mount."""
    return image_name(text.split("/"))


def repository_path(text: str) -> str:
    """`database/schema/repository`. Raises NameInvalid."""
    parts = text.split("/")
    if len(parts) != 3 or not all(_IDENTIFIER.match(part) for part in parts):
        raise NameInvalid("a repository is named <database>/<schema>/<repository>")
    return text


def digest(text: str) -> str:
    """A SHA-256 digest: the one algorithm that this registry keeps."""
    if not _DIGEST.match(text):
        raise DigestInvalid("a digest is sha256: and 64 hex digits in lower case")
    return text


def is_digest(text: str) -> bool:
    return bool(_DIGEST.match(text))


def is_tag(text: str) -> bool:
    return bool(_TAG.match(text))


def manifest_reference(text: str) -> str:
    """A digest or a tag."""
    if is_digest(text) or is_tag(text):
        return text
    if _ANY_DIGEST.match(text):
        raise DigestInvalid("a digest is sha256: and 64 hex digits in lower case")
    raise ManifestInvalid("a tag has up to 128 letters, digits and . _ -")


def upload_id(text: str) -> str:
    if not _UPLOAD.match(text):
        raise NothingHere("that is no upload")
    return text


def content_range(text: str) -> tuple[int, int]:
    """First and last byte of a chunk. Raises RangeInvalid."""
    found = _CONTENT_RANGE.match(text)
    if not found or int(found[1]) > int(found[2]):
        raise RangeInvalid("a chunk's Content-Range is <first byte>-<last byte>")
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start`..`stop` (exclusive) of a blob; `partial` where the client asked for a range."""

    start: int
    stop: int
    partial: bool = False

    @property
    def length(self) -> int:
        return self.stop - self.start


def span(header: str | None, size: int) -> Span | None:
    """What a Range header asks of `size` bytes; None where no byte of it exists.

    A header of another form is as good as none, as HTTP has it.
    """
    found = _RANGE.match(header or "")
    if not found or (found[1] == "" and found[2] == ""):
        return Span(0, size)
    if found[1] == "":
        wanted = min(int(found[2]), size)
        return Span(size - wanted, size, True) if wanted else None
    start = int(found[1])
    stop = min(int(found[2]) + 1, size) if found[2] else size
    if found[2] and int(found[2]) < start:
        return Span(0, size)
    return Span(start, stop, True) if start < size else None


def page_size(text: str | None, most: int) -> int:
    """`n` of a paged list, at most `most`. Raises RequestInvalid."""
    if text is None:
        return most
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise RequestInvalid("n is a number")
    return min(int(text), most)


def host(text: str | None) -> str | None:
    """A Host header that may be written back into a URL; None for anything else."""
    return text if text and _HOST.match(text) else None
