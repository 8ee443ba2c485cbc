import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListServicesRequest(_message.Message):
    __slots__ = ("token", "like", "schema", "compute_pool", "limit", "after")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    token: str
    like: str
    schema: str
    compute_pool: str
    limit: int
    after: str
    def __init__(self, token: _Optional[str] = ..., like: _Optional[str] = ..., schema: _Optional[str] = ..., compute_pool: _Optional[str] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class ListServicesReply(_message.Message):
    __slots__ = ("services",)
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceInfo]
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceInfo, _Mapping]]] = ...) -> None: ...

class ServiceRequest(_message.Message):
    __slots__ = ("token", "service")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    token: str
    service: str
    def __init__(self, token: _Optional[str] = ..., service: _Optional[str] = ...) -> None: ...

class ServiceInfo(_message.Message):
    __slots__ = ("name", "status", "database_name", "schema_name", "owner", "compute_pool", "dns_name", "current_instances", "target_instances", "min_ready_instances", "min_instances", "max_instances", "auto_resume", "external_access_integrations", "created_on", "updated_on", "resumed_on", "suspended_on", "auto_suspend_secs", "comment", "owner_role_type", "query_warehouse", "is_job", "is_async_job", "spec_digest", "is_upgrading", "spec")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DATABASE_NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    DNS_NAME_FIELD_NUMBER: _ClassVar[int]
    CURRENT_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    TARGET_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    MIN_READY_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    MIN_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    MAX_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    AUTO_RESUME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ACCESS_INTEGRATIONS_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_ON_FIELD_NUMBER: _ClassVar[int]
    RESUMED_ON_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_ON_FIELD_NUMBER: _ClassVar[int]
    AUTO_SUSPEND_SECS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    OWNER_ROLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUERY_WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    IS_JOB_FIELD_NUMBER: _ClassVar[int]
    IS_ASYNC_JOB_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    IS_UPGRADING_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: str
    database_name: str
    schema_name: str
    owner: str
    compute_pool: str
    dns_name: str
    current_instances: int
    target_instances: int
    min_ready_instances: int
    min_instances: int
    max_instances: int
    auto_resume: bool
    external_access_integrations: str
    created_on: _timestamp_pb2.Timestamp
    updated_on: _timestamp_pb2.Timestamp
    resumed_on: _timestamp_pb2.Timestamp
    suspended_on: _timestamp_pb2.Timestamp
    auto_suspend_secs: int
    comment: str
    owner_role_type: str
    query_warehouse: str
    is_job: bool
    is_async_job: bool
    spec_digest: str
    is_upgrading: bool
    spec: str
    def __init__(self, name: _Optional[str] = ..., status: _Optional[str] = ..., database_name: _Optional[str] = ..., schema_name: _Optional[str] = ..., owner: _Optional[str] = ..., compute_pool: _Optional[str] = ..., dns_name: _Optional[str] = ..., current_instances: _Optional[int] = ..., target_instances: _Optional[int] = ..., min_ready_instances: _Optional[int] = ..., min_instances: _Optional[int] = ..., max_instances: _Optional[int] = ..., auto_resume: _Optional[bool] = ..., external_access_integrations: _Optional[str] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resumed_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., suspended_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., auto_suspend_secs: _Optional[int] = ..., comment: _Optional[str] = ..., owner_role_type: _Optional[str] = ..., query_warehouse: _Optional[str] = ..., is_job: _Optional[bool] = ..., is_async_job: _Optional[bool] = ..., spec_digest: _Optional[str] = ..., is_upgrading: _Optional[bool] = ..., spec: _Optional[str] = ...) -> None: ...

class ListEndpointsReply(_message.Message):
    __slots__ = ("endpoints",)
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointInfo]
    def __init__(self, endpoints: _Optional[_Iterable[_Union[EndpointInfo, _Mapping]]] = ...) -> None: ...

class EndpointInfo(_message.Message):
    __slots__ = ("name", "port", "port_range", "protocol", "is_public", "ingress_url")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PORT_RANGE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    IS_PUBLIC_FIELD_NUMBER: _ClassVar[int]
    INGRESS_URL_FIELD_NUMBER: _ClassVar[int]
    name: str
    port: int
    port_range: str
    protocol: str
    is_public: bool
    ingress_url: str
    def __init__(self, name: _Optional[str] = ..., port: _Optional[int] = ..., port_range: _Optional[str] = ..., protocol: _Optional[str] = ..., is_public: _Optional[bool] = ..., ingress_url: _Optional[str] = ...) -> None: ...

class ListInstancesReply(_message.Message):
    __slots__ = ("instances",)
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[InstanceInfo]
    def __init__(self, instances: _Optional[_Iterable[_Union[InstanceInfo, _Mapping]]] = ...) -> None: ...

class InstanceInfo(_message.Message):
    __slots__ = ("instance_id", "status", "spec_digest", "creation_time", "start_time", "ip_address")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATION_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    status: str
    spec_digest: str
    creation_time: str
    start_time: str
    ip_address: str
    def __init__(self, instance_id: _Optional[str] = ..., status: _Optional[str] = ..., spec_digest: _Optional[str] = ..., creation_time: _Optional[str] = ..., start_time: _Optional[str] = ..., ip_address: _Optional[str] = ...) -> None: ...

class ListContainersReply(_message.Message):
    __slots__ = ("containers",)
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    containers: _containers.RepeatedCompositeFieldContainer[ContainerInfo]
    def __init__(self, containers: _Optional[_Iterable[_Union[ContainerInfo, _Mapping]]] = ...) -> None: ...

class ContainerInfo(_message.Message):
    __slots__ = ("instance_id", "instance_status", "container_name", "status", "message", "image_name", "image_digest", "restart_count", "start_time")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_STATUS_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    instance_status: str
    container_name: str
    status: str
    message: str
    image_name: str
    image_digest: str
    restart_count: int
    start_time: str
    def __init__(self, instance_id: _Optional[str] = ..., instance_status: _Optional[str] = ..., container_name: _Optional[str] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., image_name: _Optional[str] = ..., image_digest: _Optional[str] = ..., restart_count: _Optional[int] = ..., start_time: _Optional[str] = ...) -> None: ...

class ListComputePoolsRequest(_message.Message):
    __slots__ = ("token", "like")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    token: str
    like: str
    def __init__(self, token: _Optional[str] = ..., like: _Optional[str] = ...) -> None: ...

class ListComputePoolsReply(_message.Message):
    __slots__ = ("compute_pools",)
    COMPUTE_POOLS_FIELD_NUMBER: _ClassVar[int]
    compute_pools: _containers.RepeatedCompositeFieldContainer[ComputePoolInfo]
    def __init__(self, compute_pools: _Optional[_Iterable[_Union[ComputePoolInfo, _Mapping]]] = ...) -> None: ...

class ComputePoolInfo(_message.Message):
    __slots__ = ("name", "state", "min_nodes", "max_nodes", "instance_family", "num_services", "num_jobs", "auto_suspend_secs", "auto_resume", "active_nodes", "idle_nodes", "target_nodes", "created_on", "resumed_on", "updated_on", "owner", "comment")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MIN_NODES_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    NUM_SERVICES_FIELD_NUMBER: _ClassVar[int]
    NUM_JOBS_FIELD_NUMBER: _ClassVar[int]
    AUTO_SUSPEND_SECS_FIELD_NUMBER: _ClassVar[int]
    AUTO_RESUME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_NODES_FIELD_NUMBER: _ClassVar[int]
    IDLE_NODES_FIELD_NUMBER: _ClassVar[int]
    TARGET_NODES_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    RESUMED_ON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_ON_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    min_nodes: int
    max_nodes: int
    instance_family: str
    num_services: int
    num_jobs: int
    auto_suspend_secs: int
    auto_resume: bool
    active_nodes: int
    idle_nodes: int
    target_nodes: int
    created_on: _timestamp_pb2.Timestamp
    resumed_on: _timestamp_pb2.Timestamp
    updated_on: _timestamp_pb2.Timestamp
    owner: str
    comment: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., min_nodes: _Optional[int] = ..., max_nodes: _Optional[int] = ..., instance_family: _Optional[str] = ..., num_services: _Optional[int] = ..., num_jobs: _Optional[int] = ..., auto_suspend_secs: _Optional[int] = ..., auto_resume: _Optional[bool] = ..., active_nodes: _Optional[int] = ..., idle_nodes: _Optional[int] = ..., target_nodes: _Optional[int] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resumed_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owner: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("token", "compute_pool")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    token: str
    compute_pool: str
    def __init__(self, token: _Optional[str] = ..., compute_pool: _Optional[str] = ...) -> None: ...

class ListNodesReply(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeInfo]
    def __init__(self, nodes: _Optional[_Iterable[_Union[NodeInfo, _Mapping]]] = ...) -> None: ...

class NodeInfo(_message.Message):
    __slots__ = ("name", "compute_pool", "instance_family", "status", "started_on")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    name: str
    compute_pool: str
    instance_family: str
    status: str
    started_on: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., compute_pool: _Optional[str] = ..., instance_family: _Optional[str] = ..., status: _Optional[str] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
