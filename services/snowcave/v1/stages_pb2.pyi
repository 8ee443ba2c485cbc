import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StageFile(_message.Message):
    __slots__ = ("path", "size", "md5", "client_digest", "modified_on")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MD5_FIELD_NUMBER: _ClassVar[int]
    CLIENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODIFIED_ON_FIELD_NUMBER: _ClassVar[int]
    path: str
    size: int
    md5: str
    client_digest: str
    modified_on: _timestamp_pb2.Timestamp
    def __init__(self, path: _Optional[str] = ..., size: _Optional[int] = ..., md5: _Optional[str] = ..., client_digest: _Optional[str] = ..., modified_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PutFileRequest(_message.Message):
    __slots__ = ("head", "content", "complete")
    class Head(_message.Message):
        __slots__ = ("stage", "path", "overwrite", "client_digest", "limit")
        STAGE_FIELD_NUMBER: _ClassVar[int]
        PATH_FIELD_NUMBER: _ClassVar[int]
        OVERWRITE_FIELD_NUMBER: _ClassVar[int]
        CLIENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
        LIMIT_FIELD_NUMBER: _ClassVar[int]
        stage: int
        path: str
        overwrite: bool
        client_digest: str
        limit: int
        def __init__(self, stage: _Optional[int] = ..., path: _Optional[str] = ..., overwrite: _Optional[bool] = ..., client_digest: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...
    HEAD_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    head: PutFileRequest.Head
    content: bytes
    complete: bool
    def __init__(self, head: _Optional[_Union[PutFileRequest.Head, _Mapping]] = ..., content: _Optional[bytes] = ..., complete: _Optional[bool] = ...) -> None: ...

class PutFileReply(_message.Message):
    __slots__ = ("file", "kept")
    FILE_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    file: StageFile
    kept: bool
    def __init__(self, file: _Optional[_Union[StageFile, _Mapping]] = ..., kept: _Optional[bool] = ...) -> None: ...

class GetFileRequest(_message.Message):
    __slots__ = ("stage", "path", "offset", "length")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    stage: int
    path: str
    offset: int
    length: int
    def __init__(self, stage: _Optional[int] = ..., path: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class FilePiece(_message.Message):
    __slots__ = ("file", "content")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: StageFile
    content: bytes
    def __init__(self, file: _Optional[_Union[StageFile, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class ListFilesRequest(_message.Message):
    __slots__ = ("stage", "prefix", "pattern", "limit")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    stage: int
    prefix: str
    pattern: str
    limit: int
    def __init__(self, stage: _Optional[int] = ..., prefix: _Optional[str] = ..., pattern: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListFilesReply(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[StageFile]
    def __init__(self, files: _Optional[_Iterable[_Union[StageFile, _Mapping]]] = ...) -> None: ...

class RemoveFilesRequest(_message.Message):
    __slots__ = ("stage", "paths")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    stage: int
    paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stage: _Optional[int] = ..., paths: _Optional[_Iterable[str]] = ...) -> None: ...

class RemoveFilesReply(_message.Message):
    __slots__ = ("removed",)
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, removed: _Optional[_Iterable[str]] = ...) -> None: ...

class ClearStageRequest(_message.Message):
    __slots__ = ("stage",)
    STAGE_FIELD_NUMBER: _ClassVar[int]
    stage: int
    def __init__(self, stage: _Optional[int] = ...) -> None: ...

class ClearStageReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListStagesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListStagesReply(_message.Message):
    __slots__ = ("stages",)
    STAGES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, stages: _Optional[_Iterable[int]] = ...) -> None: ...
