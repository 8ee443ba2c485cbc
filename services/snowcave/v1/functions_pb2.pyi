from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InvokeRequest(_message.Message):
    __slots__ = ("header", "arrow_stream")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    header: InvokeHeader
    arrow_stream: bytes
    def __init__(self, header: _Optional[_Union[InvokeHeader, _Mapping]] = ..., arrow_stream: _Optional[bytes] = ...) -> None: ...

class InvokeHeader(_message.Message):
    __slots__ = ("function", "query_id", "user", "role", "account", "context", "call", "first_batch", "token", "name", "revision")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    FIRST_BATCH_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    function: int
    query_id: str
    user: str
    role: str
    account: str
    context: _containers.ScalarMap[str, str]
    call: int
    first_batch: int
    token: str
    name: str
    revision: int
    def __init__(self, function: _Optional[int] = ..., query_id: _Optional[str] = ..., user: _Optional[str] = ..., role: _Optional[str] = ..., account: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ..., call: _Optional[int] = ..., first_batch: _Optional[int] = ..., token: _Optional[str] = ..., name: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class InvokeReply(_message.Message):
    __slots__ = ("arrow_stream", "progress", "is_whole", "batches")
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    IS_WHOLE_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    arrow_stream: bytes
    progress: InvokeProgress
    is_whole: bool
    batches: int
    def __init__(self, arrow_stream: _Optional[bytes] = ..., progress: _Optional[_Union[InvokeProgress, _Mapping]] = ..., is_whole: _Optional[bool] = ..., batches: _Optional[int] = ...) -> None: ...

class InvokeProgress(_message.Message):
    __slots__ = ("rows", "batches", "retries", "hedges")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    HEDGES_FIELD_NUMBER: _ClassVar[int]
    rows: int
    batches: int
    retries: int
    hedges: int
    def __init__(self, rows: _Optional[int] = ..., batches: _Optional[int] = ..., retries: _Optional[int] = ..., hedges: _Optional[int] = ...) -> None: ...
