"""The OCI error table: every refusal of the registry, its code, its status and its words.

The form is that of `model/errors.py`; the codes are the distribution specification's, with
`UNAVAILABLE` for a part or an upstream that does not answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import ClassVar

from snowcave.model.errors import Kind, SnowcaveError


@dataclass(frozen=True, slots=True)
class Surface:
    http: int
    code: str
    message: str


@unique
class Code(Enum):
    BLOB_UNKNOWN = Surface(404, "BLOB_UNKNOWN", "blob unknown to registry")
    UPLOAD_INVALID = Surface(400, "BLOB_UPLOAD_INVALID", "blob upload invalid")
    UPLOAD_UNKNOWN = Surface(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    RANGE_INVALID = Surface(416, "BLOB_UPLOAD_INVALID", "the range does not continue the upload")
    DIGEST_INVALID = Surface(400, "DIGEST_INVALID", "provided digest did not match the content")
    BLOB_MISSING = Surface(
        404, "MANIFEST_BLOB_UNKNOWN", "manifest references a manifest or blob unknown to registry"
    )
    MANIFEST_INVALID = Surface(400, "MANIFEST_INVALID", "manifest invalid")
    MANIFEST_UNKNOWN = Surface(404, "MANIFEST_UNKNOWN", "manifest unknown to registry")
    NAME_INVALID = Surface(400, "NAME_INVALID", "invalid repository name")
    NAME_UNKNOWN = Surface(404, "NAME_UNKNOWN", "repository name not known to registry")
    SIZE_INVALID = Surface(400, "SIZE_INVALID", "provided length did not match content length")
    TOO_LARGE = Surface(413, "SIZE_INVALID", "the content is larger than the registry accepts")
    TOO_SLOW = Surface(408, "BLOB_UPLOAD_INVALID", "the client sent nothing for too long")
    UNAUTHORIZED = Surface(401, "UNAUTHORIZED", "authentication required")
    DENIED = Surface(403, "DENIED", "requested access to the resource is denied")
    UNSUPPORTED = Surface(405, "UNSUPPORTED", "the operation is unsupported")
    NOT_FOUND = Surface(404, "UNSUPPORTED", "there is nothing at this address")
    REQUEST_INVALID = Surface(400, "UNSUPPORTED", "the request is malformed")
    TOO_MANY = Surface(429, "TOOMANYREQUESTS", "too many requests")
    UNAVAILABLE = Surface(503, "UNAVAILABLE", "a part that is needed does not answer")
    TIMEOUT = Surface(504, "UNAVAILABLE", "a part that is needed did not answer in time")
    INTERNAL = Surface(500, "UNKNOWN", "the registry failed; its log says why")


class RegistryError(Exception):
    """Base of everything that a client of the registry may be told."""

    code: ClassVar[Code] = Code.INTERNAL

    def __init__(self, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return self.detail or self.code.value.message

    def body(self) -> dict[str, list[dict[str, str]]]:
        """As the specification wants it."""
        surface = self.code.value
        return {"errors": [{"code": surface.code, "message": str(self), "detail": self.detail}]}


class BlobUnknown(RegistryError):
    code = Code.BLOB_UNKNOWN


class UploadInvalid(RegistryError):
    code = Code.UPLOAD_INVALID


class UploadUnknown(RegistryError):
    code = Code.UPLOAD_UNKNOWN


class RangeInvalid(RegistryError):
    """The headers say how far the upload has come."""

    code = Code.RANGE_INVALID


class DigestInvalid(RegistryError):
    code = Code.DIGEST_INVALID


class BlobMissing(RegistryError):
    code = Code.BLOB_MISSING


class ManifestInvalid(RegistryError):
    code = Code.MANIFEST_INVALID


class ManifestUnknown(RegistryError):
    code = Code.MANIFEST_UNKNOWN


class NameInvalid(RegistryError):
    code = Code.NAME_INVALID


class NameUnknown(RegistryError):
    code = Code.NAME_UNKNOWN


class SizeInvalid(RegistryError):
    code = Code.SIZE_INVALID


class TooLarge(RegistryError):
    code = Code.TOO_LARGE


class TooSlow(RegistryError):
    code = Code.TOO_SLOW


class Unauthorized(RegistryError):
    code = Code.UNAUTHORIZED


class Denied(RegistryError):
    code = Code.DENIED


class MethodUnsupported(RegistryError):
    code = Code.UNSUPPORTED


class NothingHere(RegistryError):
    code = Code.NOT_FOUND


class RequestInvalid(RegistryError):
    code = Code.REQUEST_INVALID


class TooMany(RegistryError):
    code = Code.TOO_MANY


class PartUnavailable(RegistryError):
    code = Code.UNAVAILABLE


class PartTooSlow(RegistryError):
    code = Code.TIMEOUT


class InternalError(RegistryError):
    code = Code.INTERNAL


_KINDS: dict[Kind, type[RegistryError]] = {
    Kind.UNAUTHENTICATED: Unauthorized,
    Kind.DENIED: Denied,
    Kind.NOT_FOUND: NameUnknown,
    Kind.EXHAUSTED: TooMany,
    Kind.UNAVAILABLE: PartUnavailable,
    Kind.CONFLICT: PartUnavailable,
    Kind.TIMEOUT: PartTooSlow,
}


def from_snowcave(error: SnowcaveError) -> RegistryError:
    """What a failure of identity or store is to a client of the registry."""
    return _KINDS.get(error.kind, InternalError)(error.message)
