from snowcave.v1 import warehouse_pb2 as _warehouse_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoginRequest(_message.Message):
    __slots__ = ("user", "password", "database", "schema", "role", "warehouse", "authenticator", "token")
    USER_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATOR_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    user: str
    password: str
    database: str
    schema: str
    role: str
    warehouse: str
    authenticator: str
    token: str
    def __init__(self, user: _Optional[str] = ..., password: _Optional[str] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., role: _Optional[str] = ..., warehouse: _Optional[str] = ..., authenticator: _Optional[str] = ..., token: _Optional[str] = ...) -> None: ...

class LoginReply(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class LogoutRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class LogoutReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FollowLogsRequest(_message.Message):
    __slots__ = ("token", "service", "instance_id", "container", "tail_lines")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    token: str
    service: str
    instance_id: int
    container: str
    tail_lines: int
    def __init__(self, token: _Optional[str] = ..., service: _Optional[str] = ..., instance_id: _Optional[int] = ..., container: _Optional[str] = ..., tail_lines: _Optional[int] = ...) -> None: ...

class FollowLogsReply(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: bytes
    def __init__(self, text: _Optional[bytes] = ...) -> None: ...

class SqlRequest(_message.Message):
    __slots__ = ("token", "sql")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    token: str
    sql: str
    def __init__(self, token: _Optional[str] = ..., sql: _Optional[str] = ...) -> None: ...

class SqlReply(_message.Message):
    __slots__ = ("query_id", "columns", "arrow_stream", "total_rows", "statement_type", "progress")
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    query_id: str
    columns: _containers.RepeatedCompositeFieldContainer[_warehouse_pb2.ColumnType]
    arrow_stream: bytes
    total_rows: int
    statement_type: int
    progress: SqlProgress
    def __init__(self, query_id: _Optional[str] = ..., columns: _Optional[_Iterable[_Union[_warehouse_pb2.ColumnType, _Mapping]]] = ..., arrow_stream: _Optional[bytes] = ..., total_rows: _Optional[int] = ..., statement_type: _Optional[int] = ..., progress: _Optional[_Union[SqlProgress, _Mapping]] = ...) -> None: ...

class SqlProgress(_message.Message):
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

class SqlCancelRequest(_message.Message):
    __slots__ = ("token", "query_id")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    token: str
    query_id: str
    def __init__(self, token: _Optional[str] = ..., query_id: _Optional[str] = ...) -> None: ...

class SqlCancelReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("uid",)
    UID_FIELD_NUMBER: _ClassVar[int]
    uid: int
    def __init__(self, uid: _Optional[int] = ...) -> None: ...

class ResumeReply(_message.Message):
    __slots__ = ("resumed",)
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    resumed: bool
    def __init__(self, resumed: _Optional[bool] = ...) -> None: ...

class SuspendRequest(_message.Message):
    __slots__ = ("uid", "by_policy")
    UID_FIELD_NUMBER: _ClassVar[int]
    BY_POLICY_FIELD_NUMBER: _ClassVar[int]
    uid: int
    by_policy: bool
    def __init__(self, uid: _Optional[int] = ..., by_policy: _Optional[bool] = ...) -> None: ...

class SuspendReply(_message.Message):
    __slots__ = ("suspended",)
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    suspended: bool
    def __init__(self, suspended: _Optional[bool] = ...) -> None: ...

class ForgetRequest(_message.Message):
    __slots__ = ("uid",)
    UID_FIELD_NUMBER: _ClassVar[int]
    uid: int
    def __init__(self, uid: _Optional[int] = ...) -> None: ...

class ForgetReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServiceTokenRequest(_message.Message):
    __slots__ = ("node", "instance")
    NODE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    node: str
    instance: str
    def __init__(self, node: _Optional[str] = ..., instance: _Optional[str] = ...) -> None: ...

class ServiceTokenReply(_message.Message):
    __slots__ = ("token", "valid_for")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALID_FOR_FIELD_NUMBER: _ClassVar[int]
    token: str
    valid_for: float
    def __init__(self, token: _Optional[str] = ..., valid_for: _Optional[float] = ...) -> None: ...

class ReadSecretRequest(_message.Message):
    __slots__ = ("node", "instance", "name")
    NODE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    node: str
    instance: str
    name: str
    def __init__(self, node: _Optional[str] = ..., instance: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ReadSecretReply(_message.Message):
    __slots__ = ("type", "values", "uid", "version")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    type: str
    values: _containers.ScalarMap[str, str]
    uid: int
    version: int
    def __init__(self, type: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ..., uid: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...
