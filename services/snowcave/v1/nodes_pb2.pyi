from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: int
    def __init__(self, service: _Optional[int] = ...) -> None: ...

class ExplainReply(_message.Message):
    __slots__ = ("sentences",)
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    sentences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sentences: _Optional[_Iterable[str]] = ...) -> None: ...

class ListVmsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListVmsReply(_message.Message):
    __slots__ = ("vms",)
    VMS_FIELD_NUMBER: _ClassVar[int]
    vms: _containers.RepeatedCompositeFieldContainer[RunningVm]
    def __init__(self, vms: _Optional[_Iterable[_Union[RunningVm, _Mapping]]] = ...) -> None: ...

class RunningVm(_message.Message):
    __slots__ = ("node", "agent_pid", "namespace", "cgroup")
    NODE_FIELD_NUMBER: _ClassVar[int]
    AGENT_PID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    node: str
    agent_pid: int
    namespace: str
    cgroup: str
    def __init__(self, node: _Optional[str] = ..., agent_pid: _Optional[int] = ..., namespace: _Optional[str] = ..., cgroup: _Optional[str] = ...) -> None: ...

class ReadLogsRequest(_message.Message):
    __slots__ = ("instance", "container", "tail_lines", "previous", "since", "timestamps", "follow", "read_run")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    READ_RUN_FIELD_NUMBER: _ClassVar[int]
    instance: str
    container: str
    tail_lines: int
    previous: bool
    since: str
    timestamps: bool
    follow: bool
    read_run: str
    def __init__(self, instance: _Optional[str] = ..., container: _Optional[str] = ..., tail_lines: _Optional[int] = ..., previous: _Optional[bool] = ..., since: _Optional[str] = ..., timestamps: _Optional[bool] = ..., follow: _Optional[bool] = ..., read_run: _Optional[str] = ...) -> None: ...

class LogChunk(_message.Message):
    __slots__ = ("text", "run")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    text: bytes
    run: str
    def __init__(self, text: _Optional[bytes] = ..., run: _Optional[str] = ...) -> None: ...

class DescribeNetworkRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeNetworkReply(_message.Message):
    __slots__ = ("ruleset",)
    RULESET_FIELD_NUMBER: _ClassVar[int]
    ruleset: str
    def __init__(self, ruleset: _Optional[str] = ...) -> None: ...

class MeasureRequest(_message.Message):
    __slots__ = ("instances",)
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, instances: _Optional[_Iterable[str]] = ...) -> None: ...

class MeasureReply(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[DataPoint]
    def __init__(self, points: _Optional[_Iterable[_Union[DataPoint, _Mapping]]] = ...) -> None: ...

class DataPoint(_message.Message):
    __slots__ = ("instance", "metric", "value", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    instance: str
    metric: str
    value: float
    labels: _containers.ScalarMap[str, str]
    def __init__(self, instance: _Optional[str] = ..., metric: _Optional[str] = ..., value: _Optional[float] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...
