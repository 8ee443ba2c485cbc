from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenWarehouseSession(_message.Message):
    __slots__ = ("session", "context")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    session: int
    context: SessionContext
    def __init__(self, session: _Optional[int] = ..., context: _Optional[_Union[SessionContext, _Mapping]] = ...) -> None: ...

class OpenWarehouseSessionReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CloseWarehouseSession(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: int
    def __init__(self, session: _Optional[int] = ...) -> None: ...

class CloseWarehouseSessionReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SessionContext(_message.Message):
    __slots__ = ("user", "role", "warehouse", "database", "schema", "account", "organization", "parameters", "client_app", "client_version", "last_query_id", "role_uid", "user_uid")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    USER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_APP_FIELD_NUMBER: _ClassVar[int]
    CLIENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    LAST_QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_UID_FIELD_NUMBER: _ClassVar[int]
    USER_UID_FIELD_NUMBER: _ClassVar[int]
    user: str
    role: str
    warehouse: str
    database: str
    schema: str
    account: str
    organization: str
    parameters: _containers.ScalarMap[str, str]
    client_app: str
    client_version: str
    last_query_id: str
    role_uid: int
    user_uid: int
    def __init__(self, user: _Optional[str] = ..., role: _Optional[str] = ..., warehouse: _Optional[str] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., account: _Optional[str] = ..., organization: _Optional[str] = ..., parameters: _Optional[_Mapping[str, str]] = ..., client_app: _Optional[str] = ..., client_version: _Optional[str] = ..., last_query_id: _Optional[str] = ..., role_uid: _Optional[int] = ..., user_uid: _Optional[int] = ...) -> None: ...

class ExecuteRequest(_message.Message):
    __slots__ = ("session", "query_id", "sql", "context", "bindings", "functions", "timeout_secs", "describe_only", "stages", "restricted", "schemas", "roles", "held", "tentative", "event_tables")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    BINDINGS_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECS_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_ONLY_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    RESTRICTED_FIELD_NUMBER: _ClassVar[int]
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    TENTATIVE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TABLES_FIELD_NUMBER: _ClassVar[int]
    session: int
    query_id: str
    sql: str
    context: SessionContext
    bindings: _containers.RepeatedCompositeFieldContainer[Binding]
    functions: _containers.RepeatedCompositeFieldContainer[FunctionBinding]
    timeout_secs: float
    describe_only: bool
    stages: _containers.RepeatedCompositeFieldContainer[StageBinding]
    restricted: bool
    schemas: _containers.RepeatedCompositeFieldContainer[SchemaName]
    roles: _containers.RepeatedScalarFieldContainer[int]
    held: _containers.RepeatedCompositeFieldContainer[HeldPrivileges]
    tentative: bool
    event_tables: _containers.RepeatedCompositeFieldContainer[EventTableBinding]
    def __init__(self, session: _Optional[int] = ..., query_id: _Optional[str] = ..., sql: _Optional[str] = ..., context: _Optional[_Union[SessionContext, _Mapping]] = ..., bindings: _Optional[_Iterable[_Union[Binding, _Mapping]]] = ..., functions: _Optional[_Iterable[_Union[FunctionBinding, _Mapping]]] = ..., timeout_secs: _Optional[float] = ..., describe_only: _Optional[bool] = ..., stages: _Optional[_Iterable[_Union[StageBinding, _Mapping]]] = ..., restricted: _Optional[bool] = ..., schemas: _Optional[_Iterable[_Union[SchemaName, _Mapping]]] = ..., roles: _Optional[_Iterable[int]] = ..., held: _Optional[_Iterable[_Union[HeldPrivileges, _Mapping]]] = ..., tentative: _Optional[bool] = ..., event_tables: _Optional[_Iterable[_Union[EventTableBinding, _Mapping]]] = ...) -> None: ...

class EventTableBinding(_message.Message):
    __slots__ = ("uid", "number", "database", "schema", "name", "owner", "owner_name", "comment", "created_on")
    UID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    OWNER_NAME_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    uid: int
    number: int
    database: str
    schema: str
    name: str
    owner: int
    owner_name: str
    comment: str
    created_on: int
    def __init__(self, uid: _Optional[int] = ..., number: _Optional[int] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[int] = ..., owner_name: _Optional[str] = ..., comment: _Optional[str] = ..., created_on: _Optional[int] = ...) -> None: ...

class HeldPrivileges(_message.Message):
    __slots__ = ("object", "privileges")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    object: int
    privileges: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, object: _Optional[int] = ..., privileges: _Optional[_Iterable[str]] = ...) -> None: ...

class StageBinding(_message.Message):
    __slots__ = ("spelling", "stage")
    SPELLING_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    spelling: str
    stage: int
    def __init__(self, spelling: _Optional[str] = ..., stage: _Optional[int] = ...) -> None: ...

class Binding(_message.Message):
    __slots__ = ("type", "values", "is_array")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    IS_ARRAY_FIELD_NUMBER: _ClassVar[int]
    type: str
    values: _containers.RepeatedCompositeFieldContainer[BoundValue]
    is_array: bool
    def __init__(self, type: _Optional[str] = ..., values: _Optional[_Iterable[_Union[BoundValue, _Mapping]]] = ..., is_array: _Optional[bool] = ...) -> None: ...

class BoundValue(_message.Message):
    __slots__ = ("is_null", "value")
    IS_NULL_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    is_null: bool
    value: str
    def __init__(self, is_null: _Optional[bool] = ..., value: _Optional[str] = ...) -> None: ...

class FunctionBinding(_message.Message):
    __slots__ = ("function", "database", "schema", "name", "argument_types", "returns", "spellings", "strict", "immutable", "revision")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    RETURNS_FIELD_NUMBER: _ClassVar[int]
    SPELLINGS_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    IMMUTABLE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    function: int
    database: str
    schema: str
    name: str
    argument_types: _containers.RepeatedScalarFieldContainer[str]
    returns: str
    spellings: _containers.RepeatedScalarFieldContainer[str]
    strict: bool
    immutable: bool
    revision: int
    def __init__(self, function: _Optional[int] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., name: _Optional[str] = ..., argument_types: _Optional[_Iterable[str]] = ..., returns: _Optional[str] = ..., spellings: _Optional[_Iterable[str]] = ..., strict: _Optional[bool] = ..., immutable: _Optional[bool] = ..., revision: _Optional[int] = ...) -> None: ...

class ColumnType(_message.Message):
    __slots__ = ("name", "type", "nullable", "length", "byte_length", "precision", "scale")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NULLABLE_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    BYTE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    nullable: bool
    length: int
    byte_length: int
    precision: int
    scale: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., nullable: _Optional[bool] = ..., length: _Optional[int] = ..., byte_length: _Optional[int] = ..., precision: _Optional[int] = ..., scale: _Optional[int] = ...) -> None: ...

class ExecuteReply(_message.Message):
    __slots__ = ("columns", "rows", "statement_type", "database", "schema", "arrow_stream", "rows_affected", "made", "asked_by")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    ROWS_AFFECTED_FIELD_NUMBER: _ClassVar[int]
    MADE_FIELD_NUMBER: _ClassVar[int]
    ASKED_BY_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedCompositeFieldContainer[ColumnType]
    rows: int
    statement_type: int
    database: str
    schema: str
    arrow_stream: bytes
    rows_affected: int
    made: _containers.RepeatedCompositeFieldContainer[WarehouseObject]
    asked_by: int
    def __init__(self, columns: _Optional[_Iterable[_Union[ColumnType, _Mapping]]] = ..., rows: _Optional[int] = ..., statement_type: _Optional[int] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., arrow_stream: _Optional[bytes] = ..., rows_affected: _Optional[int] = ..., made: _Optional[_Iterable[_Union[WarehouseObject, _Mapping]]] = ..., asked_by: _Optional[int] = ...) -> None: ...

class WarehouseObject(_message.Message):
    __slots__ = ("uid", "kind", "database", "schema", "name", "owner", "created_on")
    UID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    uid: int
    kind: str
    database: str
    schema: str
    name: str
    owner: int
    created_on: int
    def __init__(self, uid: _Optional[int] = ..., kind: _Optional[str] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[int] = ..., created_on: _Optional[int] = ...) -> None: ...

class ListObjectsRequest(_message.Message):
    __slots__ = ("database", "schema", "kind", "name", "uids", "owner")
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UIDS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    database: str
    schema: str
    kind: str
    name: str
    uids: _containers.RepeatedScalarFieldContainer[int]
    owner: int
    def __init__(self, database: _Optional[str] = ..., schema: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., uids: _Optional[_Iterable[int]] = ..., owner: _Optional[int] = ...) -> None: ...

class ListObjectsReply(_message.Message):
    __slots__ = ("objects",)
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    objects: _containers.RepeatedCompositeFieldContainer[WarehouseObject]
    def __init__(self, objects: _Optional[_Iterable[_Union[WarehouseObject, _Mapping]]] = ...) -> None: ...

class ChangeOwnerRequest(_message.Message):
    __slots__ = ("uids", "from_role", "owner", "owner_name")
    UIDS_FIELD_NUMBER: _ClassVar[int]
    FROM_ROLE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    OWNER_NAME_FIELD_NUMBER: _ClassVar[int]
    uids: _containers.RepeatedScalarFieldContainer[int]
    from_role: int
    owner: int
    owner_name: str
    def __init__(self, uids: _Optional[_Iterable[int]] = ..., from_role: _Optional[int] = ..., owner: _Optional[int] = ..., owner_name: _Optional[str] = ...) -> None: ...

class ChangeOwnerReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Questions(_message.Message):
    __slots__ = ("questions",)
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    questions: _containers.RepeatedCompositeFieldContainer[Question]
    def __init__(self, questions: _Optional[_Iterable[_Union[Question, _Mapping]]] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("number", "execute", "keep", "dropped")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    number: int
    execute: ExecuteRequest
    keep: KeepResultRequest
    dropped: bool
    def __init__(self, number: _Optional[int] = ..., execute: _Optional[_Union[ExecuteRequest, _Mapping]] = ..., keep: _Optional[_Union[KeepResultRequest, _Mapping]] = ..., dropped: _Optional[bool] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("number", "executed", "kept", "refused")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    number: int
    executed: ExecuteReply
    kept: KeepResultReply
    refused: Refusal
    def __init__(self, number: _Optional[int] = ..., executed: _Optional[_Union[ExecuteReply, _Mapping]] = ..., kept: _Optional[_Union[KeepResultReply, _Mapping]] = ..., refused: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("kind", "code", "sqlstate", "message")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SQLSTATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    code: int
    sqlstate: str
    message: str
    def __init__(self, kind: _Optional[str] = ..., code: _Optional[int] = ..., sqlstate: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("session", "query_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    session: int
    query_id: str
    def __init__(self, session: _Optional[int] = ..., query_id: _Optional[str] = ...) -> None: ...

class CancelReply(_message.Message):
    __slots__ = ("was_running",)
    WAS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    was_running: bool
    def __init__(self, was_running: _Optional[bool] = ...) -> None: ...

class ProgressRequest(_message.Message):
    __slots__ = ("session", "query_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    session: int
    query_id: str
    def __init__(self, session: _Optional[int] = ..., query_id: _Optional[str] = ...) -> None: ...

class ProgressReply(_message.Message):
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

class FetchResultRequest(_message.Message):
    __slots__ = ("query_id", "offset", "limit", "max_rows")
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    query_id: str
    offset: int
    limit: int
    max_rows: int
    def __init__(self, query_id: _Optional[str] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ..., max_rows: _Optional[int] = ...) -> None: ...

class ResultBatch(_message.Message):
    __slots__ = ("columns", "total_rows", "arrow_stream")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedCompositeFieldContainer[ColumnType]
    total_rows: int
    arrow_stream: bytes
    def __init__(self, columns: _Optional[_Iterable[_Union[ColumnType, _Mapping]]] = ..., total_rows: _Optional[int] = ..., arrow_stream: _Optional[bytes] = ...) -> None: ...

class KeepResultRequest(_message.Message):
    __slots__ = ("query_id", "session", "columns", "arrow_stream", "user_uid")
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    USER_UID_FIELD_NUMBER: _ClassVar[int]
    query_id: str
    session: int
    columns: _containers.RepeatedCompositeFieldContainer[ColumnType]
    arrow_stream: bytes
    user_uid: int
    def __init__(self, query_id: _Optional[str] = ..., session: _Optional[int] = ..., columns: _Optional[_Iterable[_Union[ColumnType, _Mapping]]] = ..., arrow_stream: _Optional[bytes] = ..., user_uid: _Optional[int] = ...) -> None: ...

class KeepResultReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ApplyDdlRequest(_message.Message):
    __slots__ = ("create_database", "drop_database", "create_schema", "drop_schema", "forget", "replace", "uid")
    CREATE_DATABASE_FIELD_NUMBER: _ClassVar[int]
    DROP_DATABASE_FIELD_NUMBER: _ClassVar[int]
    CREATE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DROP_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    create_database: str
    drop_database: str
    create_schema: SchemaName
    drop_schema: SchemaName
    forget: int
    replace: bool
    uid: int
    def __init__(self, create_database: _Optional[str] = ..., drop_database: _Optional[str] = ..., create_schema: _Optional[_Union[SchemaName, _Mapping]] = ..., drop_schema: _Optional[_Union[SchemaName, _Mapping]] = ..., forget: _Optional[int] = ..., replace: _Optional[bool] = ..., uid: _Optional[int] = ...) -> None: ...

class SchemaName(_message.Message):
    __slots__ = ("database", "schema", "privileges")
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    database: str
    schema: str
    privileges: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, database: _Optional[str] = ..., schema: _Optional[str] = ..., privileges: _Optional[_Iterable[str]] = ...) -> None: ...

class ApplyDdlReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
