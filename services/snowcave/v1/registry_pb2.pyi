from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ResolveRequest(_message.Message):
    __slots__ = ("repository_path", "image_name", "reference")
    REPOSITORY_PATH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_NAME_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    repository_path: str
    image_name: str
    reference: str
    def __init__(self, repository_path: _Optional[str] = ..., image_name: _Optional[str] = ..., reference: _Optional[str] = ...) -> None: ...

class ResolveReply(_message.Message):
    __slots__ = ("digest", "media_type", "platforms", "size_bytes")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    PLATFORMS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    media_type: str
    platforms: _containers.RepeatedScalarFieldContainer[str]
    size_bytes: int
    def __init__(self, digest: _Optional[str] = ..., media_type: _Optional[str] = ..., platforms: _Optional[_Iterable[str]] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class PullTokenRequest(_message.Message):
    __slots__ = ("repository_path",)
    REPOSITORY_PATH_FIELD_NUMBER: _ClassVar[int]
    repository_path: str
    def __init__(self, repository_path: _Optional[str] = ...) -> None: ...

class PullTokenReply(_message.Message):
    __slots__ = ("username", "password", "expires_in_secs")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_SECS_FIELD_NUMBER: _ClassVar[int]
    username: str
    password: str
    expires_in_secs: int
    def __init__(self, username: _Optional[str] = ..., password: _Optional[str] = ..., expires_in_secs: _Optional[int] = ...) -> None: ...

class CollectGarbageRequest(_message.Message):
    __slots__ = ("dry_run",)
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    def __init__(self, dry_run: _Optional[bool] = ...) -> None: ...

class CollectGarbageReply(_message.Message):
    __slots__ = ("blobs", "bytes")
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    blobs: int
    bytes: int
    def __init__(self, blobs: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...
