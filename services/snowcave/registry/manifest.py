"""What a manifest says, whoever wrote it. Pure: bytes in, facts out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from snowcave.registry.errors import ManifestInvalid
from snowcave.registry.names import is_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
KNOWN = (*IMAGES, *INDEXES)

# What runtimes ask for, in the order in which they like it.
ACCEPT = ", ".join(KNOWN)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's own bytes, and what it refers to."""

    content: bytes
    media_type: str
    digest: str
    # Configuration and layers that have to be in the repository (not those with URLs elsewhere).
    blobs: tuple[str, ...] = ()
    # Manifests that an index lists.
    manifests: tuple[str, ...] = ()
    config: str = ""
    subject: str = ""
    artifact_type: str = ""
    annotations: Mapping[str, str] | None = None
    # os/architecture[/variant] that an index names.
    platforms: tuple[str, ...] = ()
    # Bytes of configuration and layers.
    size: int = 0

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES

    def descriptor(self) -> dict[str, object]:
        """As the referrers list shows it."""
        shown: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.content),
        }
        if self.artifact_type:
            shown["artifactType"] = self.artifact_type
        if self.annotations:
            shown["annotations"] = dict(self.annotations)
        return shown


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def parse(content: bytes, content_type: str) -> Manifest:
    """Raises ManifestInvalid, with what is wrong."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ManifestInvalid(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("a manifest is a JSON object")
    if document.get("schemaVersion") != 2:
        raise ManifestInvalid("schemaVersion has to be 2")
    media_type = _media_type(document, content_type)
    read = _read_index if media_type in INDEXES else _read_image
    return Manifest(
        content=content,
        media_type=media_type,
        digest=digest_of(content),
        subject=_subject(document),
        annotations=_annotations(document),
        **read(document),
    )


def _media_type(document: Mapping[str, Any], content_type: str) -> str:
    header = content_type.partition(";")[0].strip().lower()
    inner = document.get("mediaType", "")
    if not isinstance(inner, str):
        raise ManifestInvalid("mediaType has to be a string")
    chosen = inner or header
    if inner and header in KNOWN and header != inner:
        raise ManifestInvalid(f"Content-Type {header} is not the manifest's mediaType {inner}")
    if chosen not in KNOWN:
        raise ManifestInvalid(f"unknown media type {chosen!r}; known are {', '.join(KNOWN)}")
    return chosen


def _read_image(document: Mapping[str, Any]) -> dict[str, Any]:
    if "config" not in document or "manifests" in document:
        raise ManifestInvalid("an image manifest has a config and no manifests")
    config = _descriptor(document["config"], "config")
    layers = _list(document, "layers")
    found = [_descriptor(layer, f"layers[{index}]") for index, layer in enumerate(layers)]
    # A layer with URLs may live elsewhere for ever: licences forbid some to be pushed.
    here = [digest for digest, _, layer in found if not layer.get("urls")]
    return {
        "blobs": tuple(dict.fromkeys([config[0], *here])),
        "config": config[0],
        "artifact_type": _text(document, "artifactType") or _text(config[2], "mediaType"),
        "size": config[1] + sum(size for _, size, _ in found),
    }


def _read_index(document: Mapping[str, Any]) -> dict[str, Any]:
    if "config" in document or "layers" in document:
        raise ManifestInvalid("an index has manifests, and neither config nor layers")
    found = [
        _descriptor(entry, f"manifests[{index}]")
        for index, entry in enumerate(_list(document, "manifests"))
    ]
    platforms = [_platform(entry) for _, _, entry in found]
    return {
        "manifests": tuple(dict.fromkeys(digest for digest, _, _ in found)),
        "artifact_type": _text(document, "artifactType"),
        "platforms": tuple(dict.fromkeys(p for p in platforms if p)),
        "size": sum(size for _, size, _ in found),
    }


def _descriptor(value: object, where: str) -> tuple[str, int, Mapping[str, Any]]:
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} has to be a descriptor")
    digest, size = value.get("digest"), value.get("size", 0)
    if not isinstance(digest, str) or not is_digest(digest):
        raise ManifestInvalid(f"{where}.digest has to be sha256: and 64 hex digits")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ManifestInvalid(f"{where}.size has to be a number of bytes")
    return digest, size, value


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name, [])
    if not isinstance(value, list):
        raise ManifestInvalid(f"{name} has to be a list")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise ManifestInvalid(f"{name} has to be a string")
    return value


def _subject(document: Mapping[str, Any]) -> str:
    subject = document.get("subject")
    return _descriptor(subject, "subject")[0] if subject is not None else ""


def _annotations(document: Mapping[str, Any]) -> dict[str, str] | None:
    value = document.get("annotations")
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ManifestInvalid("annotations are strings by name")
    return value


def _platform(entry: Mapping[str, Any]) -> str:
    platform = entry.get("platform")
    return platform_text(platform) if isinstance(platform, dict) else ""


def platform_text(platform: Mapping[str, Any]) -> str:
    """`linux/arm/v7`; empty where the system or the architecture is not told."""
    system, machine = platform.get("os"), platform.get("architecture")
    if not system or not machine:
        return ""
    variant = platform.get("variant")
    return f"{system}/{machine}/{variant}" if variant else f"{system}/{machine}"
