"""Image references as specifications write them: `/db/schema/repo/image:tag`, with or without our host."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from snowcave.model.errors import SpecInvalid

_PART = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OURS = re.compile(r"[a-z0-9.-]+\.registry[a-z0-9-]*\.snowflakecomputing\.com")


@dataclass(frozen=True, slots=True)
class ImagePath:
    """Names in lower case, as in the registry. `reference` is a tag or sha256:…

    Without a database and schema (`repo/image`) the service's own are meant.
    """

    repository: str
    image_name: str
    tag: str
    digest: str = ""
    schema: str = ""
    database: str = ""

    @property
    def reference(self) -> str:
        return self.digest or self.tag


def parse_image(image: str, place: str, own_hosts: Collection[str] = ()) -> ImagePath:
    """`own_hosts`: names, with port where there is one, that mean our registry."""
    rest, _, digest = image.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        raise _invalid(image, place)
    path, tag = _split_tag(rest)
    if not _TAG.fullmatch(tag):
        raise _invalid(image, place)
    parts = _without_host(path, image, place, own_hosts)
    if any(not _PART.fullmatch(part) for part in parts[-1:]) or any(
        not re.fullmatch(r"[a-z0-9_$.-]+", part) for part in parts
    ):
        raise _invalid(image, place)
    tag = "" if digest and tag == "latest" else tag
    if len(parts) == 2:
        return ImagePath(parts[0], parts[1], tag, digest)
    if len(parts) < 4:
        raise _invalid(image, place)
    return ImagePath(parts[2], "/".join(parts[3:]), tag, digest, parts[1], parts[0])


def _split_tag(rest: str) -> tuple[str, str]:
    head, slash, last = rest.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, tag if colon else "latest"


def _without_host(path: str, image: str, place: str, own_hosts: Collection[str]) -> list[str]:
    parts = path.split("/")
    if parts[0] == "":
        return [part.lower() for part in parts[1:]]
    host = parts[0].lower()
    if "." not in host and ":" not in host and host != "localhost":
        return [part.lower() for part in parts]
    if host not in own_hosts and not _OURS.fullmatch(host):
        raise SpecInvalid(
            f"image '{image}' for '{place}' is not in an image repository of this account"
        )
    return [part.lower() for part in parts[1:]]


def _invalid(image: str, place: str) -> SpecInvalid:
    return SpecInvalid(
        f"invalid image name '{image[:300]}' for '{place}': "
        "/database/schema/repository/image:tag is expected"
    )
