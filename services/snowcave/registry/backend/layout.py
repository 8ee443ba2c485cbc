"""Where everything lies in the registry's folder.

    blobs/<ab>/<hex>                          content by digest, shared by all
    images/<uid>/<image>/layers/<hex>         blobs that were pushed to, or mounted into, this image
    images/<uid>/<image>/manifests/<hex>      its manifests; the file holds the media type
    images/<uid>/<image>/tags/<tag>           the file holds the digest
    images/<uid>/<image>/referrers/<hex>/<hex>  subject, then manifest; the file holds its descriptor
    uploads/<id>/data, uploads/<id>/image     bytes so far, and where they go

`/` in an image's name is written `+`, which the grammar of names does not have.
"""

from dataclasses import dataclass
from pathlib import Path

from snowcave.registry.repositories import Image


def hex_of(digest: str) -> str:
    return digest.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Layout:
    root: Path

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    def blob(self, digest: str) -> Path:
        name = hex_of(digest)
        return self.blobs / name[:2] / name

    def image(self, image: Image) -> Path:
        return self.image_folder(image.repository.uid, image.name)

    def image_folder(self, repository: int, name: str) -> Path:
        return self.images / str(repository) / name.replace("/", "+")

    def layer(self, image: Image, digest: str) -> Path:
        return self.image(image) / "layers" / hex_of(digest)

    def manifest(self, image: Image, digest: str) -> Path:
        return self.image(image) / "manifests" / hex_of(digest)

    def tag(self, image: Image, tag: str) -> Path:
        return self.image(image) / "tags" / tag

    def referrers(self, image: Image, subject: str) -> Path:
        return self.image(image) / "referrers" / hex_of(subject)


def image_name(folder: str) -> str:
    return folder.replace("+", "/")
