import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendRequest(_message.Message):
    __slots__ = ("sequence", "resources", "rows", "lines")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    resources: _containers.RepeatedCompositeFieldContainer[Resource]
    rows: _containers.RepeatedCompositeFieldContainer[EventRow]
    lines: LogLines
    def __init__(self, sequence: _Optional[int] = ..., resources: _Optional[_Iterable[_Union[Resource, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[EventRow, _Mapping]]] = ..., lines: _Optional[_Union[LogLines, _Mapping]] = ...) -> None: ...

class AppendReply(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class Resource(_message.Message):
    __slots__ = ("account_name", "compute_pool", "compute_pool_name", "node", "instance_family", "database", "database_name", "schema", "schema_name", "service", "service_name", "service_type", "instance_id", "container_name", "container_run_id", "query_id", "endpoint_name", "attributes", "source", "has_instance", "event_table")
    ACCOUNT_NAME_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_NAME_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TYPE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_NAME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    HAS_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TABLE_FIELD_NUMBER: _ClassVar[int]
    account_name: str
    compute_pool: int
    compute_pool_name: str
    node: str
    instance_family: str
    database: int
    database_name: str
    schema: int
    schema_name: str
    service: int
    service_name: str
    service_type: str
    instance_id: int
    container_name: str
    container_run_id: str
    query_id: str
    endpoint_name: str
    attributes: str
    source: str
    has_instance: bool
    event_table: int
    def __init__(self, account_name: _Optional[str] = ..., compute_pool: _Optional[int] = ..., compute_pool_name: _Optional[str] = ..., node: _Optional[str] = ..., instance_family: _Optional[str] = ..., database: _Optional[int] = ..., database_name: _Optional[str] = ..., schema: _Optional[int] = ..., schema_name: _Optional[str] = ..., service: _Optional[int] = ..., service_name: _Optional[str] = ..., service_type: _Optional[str] = ..., instance_id: _Optional[int] = ..., container_name: _Optional[str] = ..., container_run_id: _Optional[str] = ..., query_id: _Optional[str] = ..., endpoint_name: _Optional[str] = ..., attributes: _Optional[str] = ..., source: _Optional[str] = ..., has_instance: _Optional[bool] = ..., event_table: _Optional[int] = ...) -> None: ...

class LogLines(_message.Message):
    __slots__ = ("kinds", "kind", "timestamp", "offset", "value", "value_length")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedCompositeFieldContainer[LineKind]
    kind: _containers.RepeatedScalarFieldContainer[int]
    timestamp: _containers.RepeatedScalarFieldContainer[int]
    offset: _containers.RepeatedScalarFieldContainer[int]
    value: bytes
    value_length: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, kinds: _Optional[_Iterable[_Union[LineKind, _Mapping]]] = ..., kind: _Optional[_Iterable[int]] = ..., timestamp: _Optional[_Iterable[int]] = ..., offset: _Optional[_Iterable[int]] = ..., value: _Optional[bytes] = ..., value_length: _Optional[_Iterable[int]] = ...) -> None: ...

class LineKind(_message.Message):
    __slots__ = ("resource", "file_generation", "record_type", "record", "record_attributes", "scope")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    FILE_GENERATION_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    RECORD_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    resource: int
    file_generation: int
    record_type: str
    record: str
    record_attributes: str
    scope: str
    def __init__(self, resource: _Optional[int] = ..., file_generation: _Optional[int] = ..., record_type: _Optional[str] = ..., record: _Optional[str] = ..., record_attributes: _Optional[str] = ..., scope: _Optional[str] = ...) -> None: ...

class EventRow(_message.Message):
    __slots__ = ("resource", "timestamp", "record_type", "record", "record_attributes", "scope", "value", "file_generation", "offset", "trace", "start_timestamp", "observed_timestamp", "scope_attributes", "exemplars")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    RECORD_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FILE_GENERATION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SCOPE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXEMPLARS_FIELD_NUMBER: _ClassVar[int]
    resource: int
    timestamp: _timestamp_pb2.Timestamp
    record_type: str
    record: str
    record_attributes: str
    scope: str
    value: str
    file_generation: int
    offset: int
    trace: str
    start_timestamp: _timestamp_pb2.Timestamp
    observed_timestamp: _timestamp_pb2.Timestamp
    scope_attributes: str
    exemplars: str
    def __init__(self, resource: _Optional[int] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., record_type: _Optional[str] = ..., record: _Optional[str] = ..., record_attributes: _Optional[str] = ..., scope: _Optional[str] = ..., value: _Optional[str] = ..., file_generation: _Optional[int] = ..., offset: _Optional[int] = ..., trace: _Optional[str] = ..., start_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., observed_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scope_attributes: _Optional[str] = ..., exemplars: _Optional[str] = ...) -> None: ...

class ScanRequest(_message.Message):
    __slots__ = ("since", "until", "service", "limit", "newest_first", "record_type", "tail_only", "known", "attributes")
    class KnownEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAIL_ONLY_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    service: int
    limit: int
    newest_first: bool
    record_type: str
    tail_only: bool
    known: _containers.ScalarMap[int, int]
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., service: _Optional[int] = ..., limit: _Optional[int] = ..., newest_first: _Optional[bool] = ..., record_type: _Optional[str] = ..., tail_only: _Optional[bool] = ..., known: _Optional[_Mapping[int, int]] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ScanReply(_message.Message):
    __slots__ = ("arrow_stream", "rolled_files", "has_rolled_files", "held", "segment")
    class HeldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    ARROW_STREAM_FIELD_NUMBER: _ClassVar[int]
    ROLLED_FILES_FIELD_NUMBER: _ClassVar[int]
    HAS_ROLLED_FILES_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    arrow_stream: bytes
    rolled_files: _containers.RepeatedScalarFieldContainer[str]
    has_rolled_files: bool
    held: _containers.ScalarMap[int, int]
    segment: int
    def __init__(self, arrow_stream: _Optional[bytes] = ..., rolled_files: _Optional[_Iterable[str]] = ..., has_rolled_files: _Optional[bool] = ..., held: _Optional[_Mapping[int, int]] = ..., segment: _Optional[int] = ...) -> None: ...
