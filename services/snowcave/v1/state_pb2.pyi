import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Object(_message.Message):
    __slots__ = ("uid", "name", "parent", "owner_role", "comment", "created_on", "updated_on", "dropped_on", "tags", "parameters", "database", "schema", "role", "user", "warehouse", "compute_pool", "image_repository", "service", "function", "stage", "snapshot", "secret", "network_rule", "integration", "tag", "account", "event_table")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    UID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    OWNER_ROLE_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_ON_FIELD_NUMBER: _ClassVar[int]
    DROPPED_ON_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    NETWORK_RULE_FIELD_NUMBER: _ClassVar[int]
    INTEGRATION_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TABLE_FIELD_NUMBER: _ClassVar[int]
    uid: int
    name: str
    parent: int
    owner_role: int
    comment: str
    created_on: _timestamp_pb2.Timestamp
    updated_on: _timestamp_pb2.Timestamp
    dropped_on: _timestamp_pb2.Timestamp
    tags: _containers.ScalarMap[int, str]
    parameters: _containers.ScalarMap[str, str]
    database: Database
    schema: Schema
    role: Role
    user: User
    warehouse: Warehouse
    compute_pool: ComputePool
    image_repository: ImageRepository
    service: Service
    function: Function
    stage: Stage
    snapshot: Snapshot
    secret: Secret
    network_rule: NetworkRule
    integration: Integration
    tag: Tag
    account: Account
    event_table: EventTable
    def __init__(self, uid: _Optional[int] = ..., name: _Optional[str] = ..., parent: _Optional[int] = ..., owner_role: _Optional[int] = ..., comment: _Optional[str] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dropped_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tags: _Optional[_Mapping[int, str]] = ..., parameters: _Optional[_Mapping[str, str]] = ..., database: _Optional[_Union[Database, _Mapping]] = ..., schema: _Optional[_Union[Schema, _Mapping]] = ..., role: _Optional[_Union[Role, _Mapping]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., warehouse: _Optional[_Union[Warehouse, _Mapping]] = ..., compute_pool: _Optional[_Union[ComputePool, _Mapping]] = ..., image_repository: _Optional[_Union[ImageRepository, _Mapping]] = ..., service: _Optional[_Union[Service, _Mapping]] = ..., function: _Optional[_Union[Function, _Mapping]] = ..., stage: _Optional[_Union[Stage, _Mapping]] = ..., snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., secret: _Optional[_Union[Secret, _Mapping]] = ..., network_rule: _Optional[_Union[NetworkRule, _Mapping]] = ..., integration: _Optional[_Union[Integration, _Mapping]] = ..., tag: _Optional[_Union[Tag, _Mapping]] = ..., account: _Optional[_Union[Account, _Mapping]] = ..., event_table: _Optional[_Union[EventTable, _Mapping]] = ...) -> None: ...

class Database(_message.Message):
    __slots__ = ("transient", "event_table")
    TRANSIENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TABLE_FIELD_NUMBER: _ClassVar[int]
    transient: bool
    event_table: int
    def __init__(self, transient: _Optional[bool] = ..., event_table: _Optional[int] = ...) -> None: ...

class Schema(_message.Message):
    __slots__ = ("dns_hash", "managed_access")
    DNS_HASH_FIELD_NUMBER: _ClassVar[int]
    MANAGED_ACCESS_FIELD_NUMBER: _ClassVar[int]
    dns_hash: str
    managed_access: bool
    def __init__(self, dns_hash: _Optional[str] = ..., managed_access: _Optional[bool] = ...) -> None: ...

class Role(_message.Message):
    __slots__ = ("system",)
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    system: bool
    def __init__(self, system: _Optional[bool] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("login_name", "default_role", "default_warehouse", "default_namespace", "password_hash", "email", "disabled", "display_name", "first_name", "middle_name", "last_name", "must_change_password", "type", "rsa_public_key", "rsa_public_key_2", "default_secondary_roles", "expires_on", "password_set_on", "access_tokens")
    LOGIN_NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ROLE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_HASH_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    FIRST_NAME_FIELD_NUMBER: _ClassVar[int]
    MIDDLE_NAME_FIELD_NUMBER: _ClassVar[int]
    LAST_NAME_FIELD_NUMBER: _ClassVar[int]
    MUST_CHANGE_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    RSA_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    RSA_PUBLIC_KEY_2_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SECONDARY_ROLES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_SET_ON_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    login_name: str
    default_role: str
    default_warehouse: str
    default_namespace: str
    password_hash: str
    email: str
    disabled: bool
    display_name: str
    first_name: str
    middle_name: str
    last_name: str
    must_change_password: bool
    type: str
    rsa_public_key: PublicKey
    rsa_public_key_2: PublicKey
    default_secondary_roles: str
    expires_on: _timestamp_pb2.Timestamp
    password_set_on: _timestamp_pb2.Timestamp
    access_tokens: _containers.RepeatedCompositeFieldContainer[AccessToken]
    def __init__(self, login_name: _Optional[str] = ..., default_role: _Optional[str] = ..., default_warehouse: _Optional[str] = ..., default_namespace: _Optional[str] = ..., password_hash: _Optional[str] = ..., email: _Optional[str] = ..., disabled: _Optional[bool] = ..., display_name: _Optional[str] = ..., first_name: _Optional[str] = ..., middle_name: _Optional[str] = ..., last_name: _Optional[str] = ..., must_change_password: _Optional[bool] = ..., type: _Optional[str] = ..., rsa_public_key: _Optional[_Union[PublicKey, _Mapping]] = ..., rsa_public_key_2: _Optional[_Union[PublicKey, _Mapping]] = ..., default_secondary_roles: _Optional[str] = ..., expires_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., password_set_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., access_tokens: _Optional[_Iterable[_Union[AccessToken, _Mapping]]] = ...) -> None: ...

class PublicKey(_message.Message):
    __slots__ = ("text", "set_on")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SET_ON_FIELD_NUMBER: _ClassVar[int]
    text: str
    set_on: _timestamp_pb2.Timestamp
    def __init__(self, text: _Optional[str] = ..., set_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AccessToken(_message.Message):
    __slots__ = ("name", "sha256", "role_restriction", "created_on", "expires_on", "days", "disabled", "comment", "created_by", "rotated_to", "mins_to_bypass_network_policy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    ROLE_RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    ROTATED_TO_FIELD_NUMBER: _ClassVar[int]
    MINS_TO_BYPASS_NETWORK_POLICY_FIELD_NUMBER: _ClassVar[int]
    name: str
    sha256: str
    role_restriction: int
    created_on: _timestamp_pb2.Timestamp
    expires_on: _timestamp_pb2.Timestamp
    days: int
    disabled: bool
    comment: str
    created_by: str
    rotated_to: str
    mins_to_bypass_network_policy: int
    def __init__(self, name: _Optional[str] = ..., sha256: _Optional[str] = ..., role_restriction: _Optional[int] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., days: _Optional[int] = ..., disabled: _Optional[bool] = ..., comment: _Optional[str] = ..., created_by: _Optional[str] = ..., rotated_to: _Optional[str] = ..., mins_to_bypass_network_policy: _Optional[int] = ...) -> None: ...

class Warehouse(_message.Message):
    __slots__ = ("size", "auto_suspend_secs", "auto_resume", "suspended")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    AUTO_SUSPEND_SECS_FIELD_NUMBER: _ClassVar[int]
    AUTO_RESUME_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    size: str
    auto_suspend_secs: int
    auto_resume: bool
    suspended: bool
    def __init__(self, size: _Optional[str] = ..., auto_suspend_secs: _Optional[int] = ..., auto_resume: _Optional[bool] = ..., suspended: _Optional[bool] = ...) -> None: ...

class ComputePool(_message.Message):
    __slots__ = ("instance_family", "min_nodes", "max_nodes", "auto_resume", "auto_suspend_secs", "suspended", "resumed_on", "placement_group", "backup_instance_families")
    INSTANCE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    MIN_NODES_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    AUTO_RESUME_FIELD_NUMBER: _ClassVar[int]
    AUTO_SUSPEND_SECS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    RESUMED_ON_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_GROUP_FIELD_NUMBER: _ClassVar[int]
    BACKUP_INSTANCE_FAMILIES_FIELD_NUMBER: _ClassVar[int]
    instance_family: str
    min_nodes: int
    max_nodes: int
    auto_resume: bool
    auto_suspend_secs: int
    suspended: bool
    resumed_on: _timestamp_pb2.Timestamp
    placement_group: str
    backup_instance_families: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, instance_family: _Optional[str] = ..., min_nodes: _Optional[int] = ..., max_nodes: _Optional[int] = ..., auto_resume: _Optional[bool] = ..., auto_suspend_secs: _Optional[int] = ..., suspended: _Optional[bool] = ..., resumed_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., placement_group: _Optional[str] = ..., backup_instance_families: _Optional[_Iterable[str]] = ...) -> None: ...

class ImageRepository(_message.Message):
    __slots__ = ("encryption",)
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    encryption: str
    def __init__(self, encryption: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("directory", "encryption", "session")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    directory: bool
    encryption: str
    session: int
    def __init__(self, directory: _Optional[bool] = ..., encryption: _Optional[str] = ..., session: _Optional[int] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("type", "username", "sealed", "api_authentication", "oauth_scopes", "refresh_token_expires_on", "algorithm", "version")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    API_AUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    OAUTH_SCOPES_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    type: str
    username: str
    sealed: bytes
    api_authentication: str
    oauth_scopes: _containers.RepeatedScalarFieldContainer[str]
    refresh_token_expires_on: _timestamp_pb2.Timestamp
    algorithm: str
    version: int
    def __init__(self, type: _Optional[str] = ..., username: _Optional[str] = ..., sealed: _Optional[bytes] = ..., api_authentication: _Optional[str] = ..., oauth_scopes: _Optional[_Iterable[str]] = ..., refresh_token_expires_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., algorithm: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SecretContent(_message.Message):
    __slots__ = ("password", "secret_string", "oauth_refresh_token", "symmetric_key")
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    SECRET_STRING_FIELD_NUMBER: _ClassVar[int]
    OAUTH_REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SYMMETRIC_KEY_FIELD_NUMBER: _ClassVar[int]
    password: str
    secret_string: str
    oauth_refresh_token: str
    symmetric_key: bytes
    def __init__(self, password: _Optional[str] = ..., secret_string: _Optional[str] = ..., oauth_refresh_token: _Optional[str] = ..., symmetric_key: _Optional[bytes] = ...) -> None: ...

class NetworkRule(_message.Message):
    __slots__ = ("mode", "type", "values")
    MODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    mode: str
    type: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[str] = ..., type: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Integration(_message.Message):
    __slots__ = ("category", "type", "enabled", "network_rules", "secrets", "all_secrets", "properties", "sealed")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    NETWORK_RULES_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    ALL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    category: str
    type: str
    enabled: bool
    network_rules: _containers.RepeatedScalarFieldContainer[int]
    secrets: _containers.RepeatedScalarFieldContainer[int]
    all_secrets: str
    properties: _containers.ScalarMap[str, str]
    sealed: _containers.ScalarMap[str, bytes]
    def __init__(self, category: _Optional[str] = ..., type: _Optional[str] = ..., enabled: _Optional[bool] = ..., network_rules: _Optional[_Iterable[int]] = ..., secrets: _Optional[_Iterable[int]] = ..., all_secrets: _Optional[str] = ..., properties: _Optional[_Mapping[str, str]] = ..., sealed: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Tag(_message.Message):
    __slots__ = ("allowed_values",)
    ALLOWED_VALUES_FIELD_NUMBER: _ClassVar[int]
    allowed_values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, allowed_values: _Optional[_Iterable[str]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("event_table",)
    EVENT_TABLE_FIELD_NUMBER: _ClassVar[int]
    event_table: int
    def __init__(self, event_table: _Optional[int] = ...) -> None: ...

class EventTable(_message.Message):
    __slots__ = ("number", "cluster_by", "change_tracking", "default_ddl_collation")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_BY_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TRACKING_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_DDL_COLLATION_FIELD_NUMBER: _ClassVar[int]
    number: int
    cluster_by: str
    change_tracking: bool
    default_ddl_collation: str
    def __init__(self, number: _Optional[int] = ..., cluster_by: _Optional[str] = ..., change_tracking: _Optional[bool] = ..., default_ddl_collation: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("service", "service_name", "volume", "instance_id", "size_bytes", "encryption", "expires_on")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    service: int
    service_name: str
    volume: str
    instance_id: int
    size_bytes: int
    encryption: str
    expires_on: _timestamp_pb2.Timestamp
    def __init__(self, service: _Optional[int] = ..., service_name: _Optional[str] = ..., volume: _Optional[str] = ..., instance_id: _Optional[int] = ..., size_bytes: _Optional[int] = ..., encryption: _Optional[str] = ..., expires_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("compute_pool", "spec_text", "spec", "spec_digest", "min_instances", "max_instances", "min_ready_instances", "auto_resume", "auto_suspend_secs", "suspended", "external_access_integrations", "query_warehouse", "is_job", "is_async_job", "replicas", "resumed_on", "suspended_on", "ingress_labels", "log_level", "cancelled_on", "restores")
    class IngressLabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    SPEC_TEXT_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MIN_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    MAX_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    MIN_READY_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    AUTO_RESUME_FIELD_NUMBER: _ClassVar[int]
    AUTO_SUSPEND_SECS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ACCESS_INTEGRATIONS_FIELD_NUMBER: _ClassVar[int]
    QUERY_WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    IS_JOB_FIELD_NUMBER: _ClassVar[int]
    IS_ASYNC_JOB_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    RESUMED_ON_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_ON_FIELD_NUMBER: _ClassVar[int]
    INGRESS_LABELS_FIELD_NUMBER: _ClassVar[int]
    LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_ON_FIELD_NUMBER: _ClassVar[int]
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    compute_pool: int
    spec_text: str
    spec: ServiceSpec
    spec_digest: str
    min_instances: int
    max_instances: int
    min_ready_instances: int
    auto_resume: bool
    auto_suspend_secs: int
    suspended: bool
    external_access_integrations: _containers.RepeatedScalarFieldContainer[str]
    query_warehouse: str
    is_job: bool
    is_async_job: bool
    replicas: int
    resumed_on: _timestamp_pb2.Timestamp
    suspended_on: _timestamp_pb2.Timestamp
    ingress_labels: _containers.ScalarMap[str, str]
    log_level: str
    cancelled_on: _timestamp_pb2.Timestamp
    restores: _containers.RepeatedCompositeFieldContainer[VolumeRestore]
    def __init__(self, compute_pool: _Optional[int] = ..., spec_text: _Optional[str] = ..., spec: _Optional[_Union[ServiceSpec, _Mapping]] = ..., spec_digest: _Optional[str] = ..., min_instances: _Optional[int] = ..., max_instances: _Optional[int] = ..., min_ready_instances: _Optional[int] = ..., auto_resume: _Optional[bool] = ..., auto_suspend_secs: _Optional[int] = ..., suspended: _Optional[bool] = ..., external_access_integrations: _Optional[_Iterable[str]] = ..., query_warehouse: _Optional[str] = ..., is_job: _Optional[bool] = ..., is_async_job: _Optional[bool] = ..., replicas: _Optional[int] = ..., resumed_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., suspended_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ingress_labels: _Optional[_Mapping[str, str]] = ..., log_level: _Optional[str] = ..., cancelled_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restores: _Optional[_Iterable[_Union[VolumeRestore, _Mapping]]] = ...) -> None: ...

class VolumeRestore(_message.Message):
    __slots__ = ("volume", "instance_id", "snapshot", "number")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    volume: str
    instance_id: int
    snapshot: int
    number: int
    def __init__(self, volume: _Optional[str] = ..., instance_id: _Optional[int] = ..., snapshot: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class Function(_message.Message):
    __slots__ = ("arguments", "returns", "strict", "immutable", "service", "endpoint", "path", "max_batch_rows", "max_batch_retries", "return_null_on_failure", "batch_timeout_secs", "context_headers", "service_schema", "service_name")
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    RETURNS_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    IMMUTABLE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_ROWS_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_RETRIES_FIELD_NUMBER: _ClassVar[int]
    RETURN_NULL_ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    BATCH_TIMEOUT_SECS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_HEADERS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SERVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    arguments: _containers.RepeatedCompositeFieldContainer[Argument]
    returns: str
    strict: bool
    immutable: bool
    service: int
    endpoint: str
    path: str
    max_batch_rows: int
    max_batch_retries: int
    return_null_on_failure: bool
    batch_timeout_secs: float
    context_headers: _containers.RepeatedScalarFieldContainer[str]
    service_schema: int
    service_name: str
    def __init__(self, arguments: _Optional[_Iterable[_Union[Argument, _Mapping]]] = ..., returns: _Optional[str] = ..., strict: _Optional[bool] = ..., immutable: _Optional[bool] = ..., service: _Optional[int] = ..., endpoint: _Optional[str] = ..., path: _Optional[str] = ..., max_batch_rows: _Optional[int] = ..., max_batch_retries: _Optional[int] = ..., return_null_on_failure: _Optional[bool] = ..., batch_timeout_secs: _Optional[float] = ..., context_headers: _Optional[_Iterable[str]] = ..., service_schema: _Optional[int] = ..., service_name: _Optional[str] = ...) -> None: ...

class Argument(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class ServiceSpec(_message.Message):
    __slots__ = ("containers", "endpoints", "volumes", "service_roles", "log_level", "metric_groups", "execute_as_caller", "auto_scaling")
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ROLES_FIELD_NUMBER: _ClassVar[int]
    LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    METRIC_GROUPS_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_AS_CALLER_FIELD_NUMBER: _ClassVar[int]
    AUTO_SCALING_FIELD_NUMBER: _ClassVar[int]
    containers: _containers.RepeatedCompositeFieldContainer[ContainerSpec]
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointSpec]
    volumes: _containers.RepeatedCompositeFieldContainer[VolumeSpec]
    service_roles: _containers.RepeatedCompositeFieldContainer[ServiceRoleSpec]
    log_level: str
    metric_groups: _containers.RepeatedScalarFieldContainer[str]
    execute_as_caller: bool
    auto_scaling: AutoScalingPolicies
    def __init__(self, containers: _Optional[_Iterable[_Union[ContainerSpec, _Mapping]]] = ..., endpoints: _Optional[_Iterable[_Union[EndpointSpec, _Mapping]]] = ..., volumes: _Optional[_Iterable[_Union[VolumeSpec, _Mapping]]] = ..., service_roles: _Optional[_Iterable[_Union[ServiceRoleSpec, _Mapping]]] = ..., log_level: _Optional[str] = ..., metric_groups: _Optional[_Iterable[str]] = ..., execute_as_caller: _Optional[bool] = ..., auto_scaling: _Optional[_Union[AutoScalingPolicies, _Mapping]] = ...) -> None: ...

class AutoScalingPolicies(_message.Message):
    __slots__ = ("scale_up", "scale_down", "suspend")
    SCALE_UP_FIELD_NUMBER: _ClassVar[int]
    SCALE_DOWN_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    scale_up: _containers.RepeatedCompositeFieldContainer[MetricCondition]
    scale_down: _containers.RepeatedCompositeFieldContainer[MetricCondition]
    suspend: _containers.RepeatedCompositeFieldContainer[MetricCondition]
    def __init__(self, scale_up: _Optional[_Iterable[_Union[MetricCondition, _Mapping]]] = ..., scale_down: _Optional[_Iterable[_Union[MetricCondition, _Mapping]]] = ..., suspend: _Optional[_Iterable[_Union[MetricCondition, _Mapping]]] = ...) -> None: ...

class MetricCondition(_message.Message):
    __slots__ = ("metric_name", "container_name", "labels", "aggregation", "stabilization_period_secs", "target_value", "steps")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    STABILIZATION_PERIOD_SECS_FIELD_NUMBER: _ClassVar[int]
    TARGET_VALUE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    metric_name: str
    container_name: str
    labels: _containers.ScalarMap[str, str]
    aggregation: str
    stabilization_period_secs: int
    target_value: float
    steps: StepScaling
    def __init__(self, metric_name: _Optional[str] = ..., container_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., aggregation: _Optional[str] = ..., stabilization_period_secs: _Optional[int] = ..., target_value: _Optional[float] = ..., steps: _Optional[_Union[StepScaling, _Mapping]] = ...) -> None: ...

class StepScaling(_message.Message):
    __slots__ = ("adjustment_type", "steps")
    ADJUSTMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    adjustment_type: str
    steps: _containers.RepeatedCompositeFieldContainer[ScalingStep]
    def __init__(self, adjustment_type: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[ScalingStep, _Mapping]]] = ...) -> None: ...

class ScalingStep(_message.Message):
    __slots__ = ("lower_bound", "upper_bound", "target_adjustment")
    LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: _ClassVar[int]
    TARGET_ADJUSTMENT_FIELD_NUMBER: _ClassVar[int]
    lower_bound: float
    upper_bound: float
    target_adjustment: int
    def __init__(self, lower_bound: _Optional[float] = ..., upper_bound: _Optional[float] = ..., target_adjustment: _Optional[int] = ...) -> None: ...

class ContainerSpec(_message.Message):
    __slots__ = ("name", "image", "resolved", "command", "args", "env", "readiness_probe", "volume_mounts", "requests", "limits", "secrets")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    READINESS_PROBE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_MOUNTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    name: str
    image: str
    resolved: ImageRef
    command: _containers.RepeatedScalarFieldContainer[str]
    args: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.ScalarMap[str, str]
    readiness_probe: ReadinessProbe
    volume_mounts: _containers.RepeatedCompositeFieldContainer[VolumeMount]
    requests: Resources
    limits: Resources
    secrets: _containers.RepeatedCompositeFieldContainer[SecretMount]
    def __init__(self, name: _Optional[str] = ..., image: _Optional[str] = ..., resolved: _Optional[_Union[ImageRef, _Mapping]] = ..., command: _Optional[_Iterable[str]] = ..., args: _Optional[_Iterable[str]] = ..., env: _Optional[_Mapping[str, str]] = ..., readiness_probe: _Optional[_Union[ReadinessProbe, _Mapping]] = ..., volume_mounts: _Optional[_Iterable[_Union[VolumeMount, _Mapping]]] = ..., requests: _Optional[_Union[Resources, _Mapping]] = ..., limits: _Optional[_Union[Resources, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[SecretMount, _Mapping]]] = ...) -> None: ...

class SecretMount(_message.Message):
    __slots__ = ("object_name", "directory_path", "env_var_name", "secret_key_ref")
    OBJECT_NAME_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_PATH_FIELD_NUMBER: _ClassVar[int]
    ENV_VAR_NAME_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_REF_FIELD_NUMBER: _ClassVar[int]
    object_name: str
    directory_path: str
    env_var_name: str
    secret_key_ref: str
    def __init__(self, object_name: _Optional[str] = ..., directory_path: _Optional[str] = ..., env_var_name: _Optional[str] = ..., secret_key_ref: _Optional[str] = ...) -> None: ...

class ImageRef(_message.Message):
    __slots__ = ("repository", "repository_path", "image_name", "tag", "digest")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_PATH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    repository: int
    repository_path: str
    image_name: str
    tag: str
    digest: str
    def __init__(self, repository: _Optional[int] = ..., repository_path: _Optional[str] = ..., image_name: _Optional[str] = ..., tag: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class ReadinessProbe(_message.Message):
    __slots__ = ("port", "path")
    PORT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    port: int
    path: str
    def __init__(self, port: _Optional[int] = ..., path: _Optional[str] = ...) -> None: ...

class VolumeMount(_message.Message):
    __slots__ = ("name", "mount_path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MOUNT_PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    mount_path: str
    def __init__(self, name: _Optional[str] = ..., mount_path: _Optional[str] = ...) -> None: ...

class VolumeSpec(_message.Message):
    __slots__ = ("name", "source", "size_bytes", "uid", "gid", "block", "stage")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    source: str
    size_bytes: int
    uid: int
    gid: int
    block: BlockConfig
    stage: StageVolume
    def __init__(self, name: _Optional[str] = ..., source: _Optional[str] = ..., size_bytes: _Optional[int] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ..., block: _Optional[_Union[BlockConfig, _Mapping]] = ..., stage: _Optional[_Union[StageVolume, _Mapping]] = ...) -> None: ...

class BlockConfig(_message.Message):
    __slots__ = ("from_snapshot", "snapshot", "iops", "throughput", "encryption", "snapshot_on_delete", "snapshot_delete_after_secs")
    FROM_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    IOPS_FIELD_NUMBER: _ClassVar[int]
    THROUGHPUT_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ON_DELETE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_DELETE_AFTER_SECS_FIELD_NUMBER: _ClassVar[int]
    from_snapshot: str
    snapshot: int
    iops: int
    throughput: int
    encryption: str
    snapshot_on_delete: bool
    snapshot_delete_after_secs: int
    def __init__(self, from_snapshot: _Optional[str] = ..., snapshot: _Optional[int] = ..., iops: _Optional[int] = ..., throughput: _Optional[int] = ..., encryption: _Optional[str] = ..., snapshot_on_delete: _Optional[bool] = ..., snapshot_delete_after_secs: _Optional[int] = ...) -> None: ...

class StageVolume(_message.Message):
    __slots__ = ("path", "stage", "folder", "metadata_cache", "requests", "limits", "writable")
    PATH_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    METADATA_CACHE_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    WRITABLE_FIELD_NUMBER: _ClassVar[int]
    path: str
    stage: int
    folder: str
    metadata_cache: str
    requests: Resources
    limits: Resources
    writable: bool
    def __init__(self, path: _Optional[str] = ..., stage: _Optional[int] = ..., folder: _Optional[str] = ..., metadata_cache: _Optional[str] = ..., requests: _Optional[_Union[Resources, _Mapping]] = ..., limits: _Optional[_Union[Resources, _Mapping]] = ..., writable: _Optional[bool] = ...) -> None: ...

class Resources(_message.Message):
    __slots__ = ("cpu_milli", "memory_bytes", "gpu", "has_cpu", "has_memory")
    CPU_MILLI_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    HAS_CPU_FIELD_NUMBER: _ClassVar[int]
    HAS_MEMORY_FIELD_NUMBER: _ClassVar[int]
    cpu_milli: int
    memory_bytes: int
    gpu: int
    has_cpu: bool
    has_memory: bool
    def __init__(self, cpu_milli: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., gpu: _Optional[int] = ..., has_cpu: _Optional[bool] = ..., has_memory: _Optional[bool] = ...) -> None: ...

class EndpointSpec(_message.Message):
    __slots__ = ("name", "port", "port_last", "protocol", "public", "cors")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PORT_LAST_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_FIELD_NUMBER: _ClassVar[int]
    CORS_FIELD_NUMBER: _ClassVar[int]
    name: str
    port: int
    port_last: int
    protocol: str
    public: bool
    cors: CorsSettings
    def __init__(self, name: _Optional[str] = ..., port: _Optional[int] = ..., port_last: _Optional[int] = ..., protocol: _Optional[str] = ..., public: _Optional[bool] = ..., cors: _Optional[_Union[CorsSettings, _Mapping]] = ...) -> None: ...

class CorsSettings(_message.Message):
    __slots__ = ("allow_origin", "allow_methods", "allow_headers", "expose_headers")
    ALLOW_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ALLOW_METHODS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_HEADERS_FIELD_NUMBER: _ClassVar[int]
    EXPOSE_HEADERS_FIELD_NUMBER: _ClassVar[int]
    allow_origin: _containers.RepeatedScalarFieldContainer[str]
    allow_methods: _containers.RepeatedScalarFieldContainer[str]
    allow_headers: _containers.RepeatedScalarFieldContainer[str]
    expose_headers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, allow_origin: _Optional[_Iterable[str]] = ..., allow_methods: _Optional[_Iterable[str]] = ..., allow_headers: _Optional[_Iterable[str]] = ..., expose_headers: _Optional[_Iterable[str]] = ...) -> None: ...

class ServiceRoleSpec(_message.Message):
    __slots__ = ("name", "endpoints")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., endpoints: _Optional[_Iterable[str]] = ...) -> None: ...

class NameEntry(_message.Message):
    __slots__ = ("uid",)
    UID_FIELD_NUMBER: _ClassVar[int]
    uid: int
    def __init__(self, uid: _Optional[int] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("grantee_kind", "grantee", "domain", "securable", "privilege", "grant_option", "granted_by", "created_on", "service_role", "future_in")
    GRANTEE_KIND_FIELD_NUMBER: _ClassVar[int]
    GRANTEE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SECURABLE_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGE_FIELD_NUMBER: _ClassVar[int]
    GRANT_OPTION_FIELD_NUMBER: _ClassVar[int]
    GRANTED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ROLE_FIELD_NUMBER: _ClassVar[int]
    FUTURE_IN_FIELD_NUMBER: _ClassVar[int]
    grantee_kind: str
    grantee: int
    domain: str
    securable: int
    privilege: str
    grant_option: bool
    granted_by: int
    created_on: _timestamp_pb2.Timestamp
    service_role: str
    future_in: str
    def __init__(self, grantee_kind: _Optional[str] = ..., grantee: _Optional[int] = ..., domain: _Optional[str] = ..., securable: _Optional[int] = ..., privilege: _Optional[str] = ..., grant_option: _Optional[bool] = ..., granted_by: _Optional[int] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., service_role: _Optional[str] = ..., future_in: _Optional[str] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "user", "user_name", "role", "warehouse", "database", "schema", "parameters", "client_app", "client_version", "created_on", "expires_on", "last_query_id", "secondary_roles", "role_restriction", "called_service")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    USER_NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_APP_FIELD_NUMBER: _ClassVar[int]
    CLIENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    LAST_QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    SECONDARY_ROLES_FIELD_NUMBER: _ClassVar[int]
    ROLE_RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    CALLED_SERVICE_FIELD_NUMBER: _ClassVar[int]
    id: int
    user: int
    user_name: str
    role: str
    warehouse: str
    database: str
    schema: str
    parameters: _containers.ScalarMap[str, str]
    client_app: str
    client_version: str
    created_on: _timestamp_pb2.Timestamp
    expires_on: _timestamp_pb2.Timestamp
    last_query_id: str
    secondary_roles: str
    role_restriction: int
    called_service: int
    def __init__(self, id: _Optional[int] = ..., user: _Optional[int] = ..., user_name: _Optional[str] = ..., role: _Optional[str] = ..., warehouse: _Optional[str] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., parameters: _Optional[_Mapping[str, str]] = ..., client_app: _Optional[str] = ..., client_version: _Optional[str] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_query_id: _Optional[str] = ..., secondary_roles: _Optional[str] = ..., role_restriction: _Optional[int] = ..., called_service: _Optional[int] = ...) -> None: ...

class SessionToken(_message.Message):
    __slots__ = ("kind", "session", "user", "expires_on", "transfer", "host", "role", "service")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SessionToken.Kind]
        SESSION: _ClassVar[SessionToken.Kind]
        MASTER: _ClassVar[SessionToken.Kind]
        ISSUED: _ClassVar[SessionToken.Kind]
        SERVICE: _ClassVar[SessionToken.Kind]
        TRANSFER: _ClassVar[SessionToken.Kind]
        OAUTH: _ClassVar[SessionToken.Kind]
        BROWSER: _ClassVar[SessionToken.Kind]
        CALLER: _ClassVar[SessionToken.Kind]
        SPENT: _ClassVar[SessionToken.Kind]
    KIND_UNSPECIFIED: SessionToken.Kind
    SESSION: SessionToken.Kind
    MASTER: SessionToken.Kind
    ISSUED: SessionToken.Kind
    SERVICE: SessionToken.Kind
    TRANSFER: SessionToken.Kind
    OAUTH: SessionToken.Kind
    BROWSER: SessionToken.Kind
    CALLER: SessionToken.Kind
    SPENT: SessionToken.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_ON_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    kind: SessionToken.Kind
    session: int
    user: int
    expires_on: _timestamp_pb2.Timestamp
    transfer: Transfer
    host: str
    role: int
    service: int
    def __init__(self, kind: _Optional[_Union[SessionToken.Kind, str]] = ..., session: _Optional[int] = ..., user: _Optional[int] = ..., expires_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., transfer: _Optional[_Union[Transfer, _Mapping]] = ..., host: _Optional[str] = ..., role: _Optional[int] = ..., service: _Optional[int] = ...) -> None: ...

class Transfer(_message.Message):
    __slots__ = ("stage", "prefix", "upload", "overwrite")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_FIELD_NUMBER: _ClassVar[int]
    stage: int
    prefix: str
    upload: bool
    overwrite: bool
    def __init__(self, stage: _Optional[int] = ..., prefix: _Optional[str] = ..., upload: _Optional[bool] = ..., overwrite: _Optional[bool] = ...) -> None: ...

class Query(_message.Message):
    __slots__ = ("id", "session", "sql_text", "state", "error_code", "sqlstate", "error_message", "has_result", "rows", "statement_type", "started_on", "ended_on", "request_id", "runner", "user", "chunk_secret", "user_name", "cancel_requested", "error_kind")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Query.State]
        RUNNING: _ClassVar[Query.State]
        SUCCESS: _ClassVar[Query.State]
        FAILED_WITH_ERROR: _ClassVar[Query.State]
        ABORTED: _ClassVar[Query.State]
    STATE_UNSPECIFIED: Query.State
    RUNNING: Query.State
    SUCCESS: Query.State
    FAILED_WITH_ERROR: Query.State
    ABORTED: Query.State
    ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SQL_TEXT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    SQLSTATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HAS_RESULT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    ENDED_ON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RUNNER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SECRET_FIELD_NUMBER: _ClassVar[int]
    USER_NAME_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ERROR_KIND_FIELD_NUMBER: _ClassVar[int]
    id: str
    session: int
    sql_text: str
    state: Query.State
    error_code: int
    sqlstate: str
    error_message: str
    has_result: bool
    rows: int
    statement_type: int
    started_on: _timestamp_pb2.Timestamp
    ended_on: _timestamp_pb2.Timestamp
    request_id: str
    runner: str
    user: int
    chunk_secret: str
    user_name: str
    cancel_requested: bool
    error_kind: str
    def __init__(self, id: _Optional[str] = ..., session: _Optional[int] = ..., sql_text: _Optional[str] = ..., state: _Optional[_Union[Query.State, str]] = ..., error_code: _Optional[int] = ..., sqlstate: _Optional[str] = ..., error_message: _Optional[str] = ..., has_result: _Optional[bool] = ..., rows: _Optional[int] = ..., statement_type: _Optional[int] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., runner: _Optional[str] = ..., user: _Optional[int] = ..., chunk_secret: _Optional[str] = ..., user_name: _Optional[str] = ..., cancel_requested: _Optional[bool] = ..., error_kind: _Optional[str] = ...) -> None: ...

class PoolStatus(_message.Message):
    __slots__ = ("state", "active_nodes", "idle_nodes", "target_nodes", "services", "jobs", "error_code", "message", "idle_since")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_NODES_FIELD_NUMBER: _ClassVar[int]
    IDLE_NODES_FIELD_NUMBER: _ClassVar[int]
    TARGET_NODES_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_FIELD_NUMBER: _ClassVar[int]
    state: str
    active_nodes: int
    idle_nodes: int
    target_nodes: int
    services: int
    jobs: int
    error_code: str
    message: str
    idle_since: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[str] = ..., active_nodes: _Optional[int] = ..., idle_nodes: _Optional[int] = ..., target_nodes: _Optional[int] = ..., services: _Optional[int] = ..., jobs: _Optional[int] = ..., error_code: _Optional[str] = ..., message: _Optional[str] = ..., idle_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ServiceStatus(_message.Message):
    __slots__ = ("status", "service_address", "current_instances", "target_instances", "ready_instances", "is_upgrading", "instances", "ended_on", "scaled_instances", "scaled_on", "running_since", "untold_events")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    TARGET_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    READY_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    IS_UPGRADING_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    ENDED_ON_FIELD_NUMBER: _ClassVar[int]
    SCALED_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    SCALED_ON_FIELD_NUMBER: _ClassVar[int]
    RUNNING_SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTOLD_EVENTS_FIELD_NUMBER: _ClassVar[int]
    status: str
    service_address: str
    current_instances: int
    target_instances: int
    ready_instances: int
    is_upgrading: bool
    instances: _containers.RepeatedCompositeFieldContainer[InstanceStatus]
    ended_on: _timestamp_pb2.Timestamp
    scaled_instances: int
    scaled_on: _timestamp_pb2.Timestamp
    running_since: _timestamp_pb2.Timestamp
    untold_events: int
    def __init__(self, status: _Optional[str] = ..., service_address: _Optional[str] = ..., current_instances: _Optional[int] = ..., target_instances: _Optional[int] = ..., ready_instances: _Optional[int] = ..., is_upgrading: _Optional[bool] = ..., instances: _Optional[_Iterable[_Union[InstanceStatus, _Mapping]]] = ..., ended_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scaled_instances: _Optional[int] = ..., scaled_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., running_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., untold_events: _Optional[int] = ...) -> None: ...

class InstanceStatus(_message.Message):
    __slots__ = ("instance_id", "node", "address", "status", "spec_digest", "created_on", "started_on", "containers", "message")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    instance_id: int
    node: str
    address: str
    status: str
    spec_digest: str
    created_on: _timestamp_pb2.Timestamp
    started_on: _timestamp_pb2.Timestamp
    containers: _containers.RepeatedCompositeFieldContainer[ContainerStatus]
    message: str
    def __init__(self, instance_id: _Optional[int] = ..., node: _Optional[str] = ..., address: _Optional[str] = ..., status: _Optional[str] = ..., spec_digest: _Optional[str] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., containers: _Optional[_Iterable[_Union[ContainerStatus, _Mapping]]] = ..., message: _Optional[str] = ...) -> None: ...

class ContainerStatus(_message.Message):
    __slots__ = ("name", "status", "message", "image", "image_digest", "restart_count", "started_on", "has_exit_code", "last_exit_code", "last_restart_on", "container_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    HAS_EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    LAST_EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    LAST_RESTART_ON_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: str
    message: str
    image: str
    image_digest: str
    restart_count: int
    started_on: _timestamp_pb2.Timestamp
    has_exit_code: bool
    last_exit_code: int
    last_restart_on: _timestamp_pb2.Timestamp
    container_id: str
    def __init__(self, name: _Optional[str] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., image: _Optional[str] = ..., image_digest: _Optional[str] = ..., restart_count: _Optional[int] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., has_exit_code: _Optional[bool] = ..., last_exit_code: _Optional[int] = ..., last_restart_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., container_id: _Optional[str] = ...) -> None: ...

class SchedulerLedger(_message.Message):
    __slots__ = ("last_incarnation", "last_node", "last_service_address", "last_event")
    LAST_INCARNATION_FIELD_NUMBER: _ClassVar[int]
    LAST_NODE_FIELD_NUMBER: _ClassVar[int]
    LAST_SERVICE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_FIELD_NUMBER: _ClassVar[int]
    last_incarnation: int
    last_node: int
    last_service_address: int
    last_event: int
    def __init__(self, last_incarnation: _Optional[int] = ..., last_node: _Optional[int] = ..., last_service_address: _Optional[int] = ..., last_event: _Optional[int] = ...) -> None: ...

class SnapshotStatus(_message.Message):
    __slots__ = ("state", "host", "message")
    STATE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    state: str
    host: str
    message: str
    def __init__(self, state: _Optional[str] = ..., host: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class BlockSet(_message.Message):
    __slots__ = ("host", "holder", "node", "volumes")
    HOST_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    host: str
    holder: str
    node: str
    volumes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, host: _Optional[str] = ..., holder: _Optional[str] = ..., node: _Optional[str] = ..., volumes: _Optional[_Iterable[str]] = ...) -> None: ...

class BlockAttachment(_message.Message):
    __slots__ = ("instance", "node")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    instance: str
    node: str
    def __init__(self, instance: _Optional[str] = ..., node: _Optional[str] = ...) -> None: ...

class DnsServer(_message.Message):
    __slots__ = ("address", "port", "host")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    address: str
    port: int
    host: str
    def __init__(self, address: _Optional[str] = ..., port: _Optional[int] = ..., host: _Optional[str] = ...) -> None: ...

class Host(_message.Message):
    __slots__ = ("name", "underlay_address", "cpu_milli", "memory_bytes", "gpu", "architecture", "engine_version", "started_on")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNDERLAY_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CPU_MILLI_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    name: str
    underlay_address: str
    cpu_milli: int
    memory_bytes: int
    gpu: int
    architecture: str
    engine_version: str
    started_on: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., underlay_address: _Optional[str] = ..., cpu_milli: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., gpu: _Optional[int] = ..., architecture: _Optional[str] = ..., engine_version: _Optional[str] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Vm(_message.Message):
    __slots__ = ("node", "host", "compute_pool", "instance_family", "cpu_milli", "memory_bytes", "gpu", "underlay_address", "instance_network", "stopping", "draining")
    NODE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    CPU_MILLI_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    UNDERLAY_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_NETWORK_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    node: str
    host: str
    compute_pool: int
    instance_family: str
    cpu_milli: int
    memory_bytes: int
    gpu: int
    underlay_address: str
    instance_network: str
    stopping: bool
    draining: bool
    def __init__(self, node: _Optional[str] = ..., host: _Optional[str] = ..., compute_pool: _Optional[int] = ..., instance_family: _Optional[str] = ..., cpu_milli: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., gpu: _Optional[int] = ..., underlay_address: _Optional[str] = ..., instance_network: _Optional[str] = ..., stopping: _Optional[bool] = ..., draining: _Optional[bool] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("name", "host", "compute_pool", "agent_address", "engine_version", "started_on")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    AGENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    name: str
    host: str
    compute_pool: int
    agent_address: str
    engine_version: str
    started_on: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., host: _Optional[str] = ..., compute_pool: _Optional[int] = ..., agent_address: _Optional[str] = ..., engine_version: _Optional[str] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("instance", "node", "service", "instance_id", "address", "spec", "spec_digest", "identity", "stopping", "is_job", "job_index", "jobs_count", "created_on", "restores")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    IS_JOB_FIELD_NUMBER: _ClassVar[int]
    JOB_INDEX_FIELD_NUMBER: _ClassVar[int]
    JOBS_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    instance: str
    node: str
    service: int
    instance_id: int
    address: str
    spec: ServiceSpec
    spec_digest: str
    identity: ServiceIdentity
    stopping: bool
    is_job: bool
    job_index: int
    jobs_count: int
    created_on: _timestamp_pb2.Timestamp
    restores: _containers.RepeatedCompositeFieldContainer[VolumeRestore]
    def __init__(self, instance: _Optional[str] = ..., node: _Optional[str] = ..., service: _Optional[int] = ..., instance_id: _Optional[int] = ..., address: _Optional[str] = ..., spec: _Optional[_Union[ServiceSpec, _Mapping]] = ..., spec_digest: _Optional[str] = ..., identity: _Optional[_Union[ServiceIdentity, _Mapping]] = ..., stopping: _Optional[bool] = ..., is_job: _Optional[bool] = ..., job_index: _Optional[int] = ..., jobs_count: _Optional[int] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restores: _Optional[_Iterable[_Union[VolumeRestore, _Mapping]]] = ...) -> None: ...

class ServiceIdentity(_message.Message):
    __slots__ = ("service_name", "database_name", "schema_name", "dns_hash", "owner_role", "owner_role_name", "compute_pool", "compute_pool_name", "database", "schema")
    SERVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DATABASE_NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_NAME_FIELD_NUMBER: _ClassVar[int]
    DNS_HASH_FIELD_NUMBER: _ClassVar[int]
    OWNER_ROLE_FIELD_NUMBER: _ClassVar[int]
    OWNER_ROLE_NAME_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_POOL_NAME_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    service_name: str
    database_name: str
    schema_name: str
    dns_hash: str
    owner_role: int
    owner_role_name: str
    compute_pool: int
    compute_pool_name: str
    database: int
    schema: int
    def __init__(self, service_name: _Optional[str] = ..., database_name: _Optional[str] = ..., schema_name: _Optional[str] = ..., dns_hash: _Optional[str] = ..., owner_role: _Optional[int] = ..., owner_role_name: _Optional[str] = ..., compute_pool: _Optional[int] = ..., compute_pool_name: _Optional[str] = ..., database: _Optional[int] = ..., schema: _Optional[int] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("service", "instance_id", "instance", "node", "address", "ready", "owner_role", "service_address", "ports", "stopping")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    OWNER_ROLE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    service: int
    instance_id: int
    instance: str
    node: str
    address: str
    ready: bool
    owner_role: int
    service_address: str
    ports: _containers.RepeatedCompositeFieldContainer[EndpointSpec]
    stopping: bool
    def __init__(self, service: _Optional[int] = ..., instance_id: _Optional[int] = ..., instance: _Optional[str] = ..., node: _Optional[str] = ..., address: _Optional[str] = ..., ready: _Optional[bool] = ..., owner_role: _Optional[int] = ..., service_address: _Optional[str] = ..., ports: _Optional[_Iterable[_Union[EndpointSpec, _Mapping]]] = ..., stopping: _Optional[bool] = ...) -> None: ...

class InstanceReport(_message.Message):
    __slots__ = ("instance", "node", "service", "instance_id", "status", "message", "address", "spec_digest", "started_on", "containers")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    STARTED_ON_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    instance: str
    node: str
    service: int
    instance_id: int
    status: str
    message: str
    address: str
    spec_digest: str
    started_on: _timestamp_pb2.Timestamp
    containers: _containers.RepeatedCompositeFieldContainer[ContainerStatus]
    def __init__(self, instance: _Optional[str] = ..., node: _Optional[str] = ..., service: _Optional[int] = ..., instance_id: _Optional[int] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., address: _Optional[str] = ..., spec_digest: _Optional[str] = ..., started_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., containers: _Optional[_Iterable[_Union[ContainerStatus, _Mapping]]] = ...) -> None: ...

class ServiceUse(_message.Message):
    __slots__ = ("called_on",)
    CALLED_ON_FIELD_NUMBER: _ClassVar[int]
    called_on: _timestamp_pb2.Timestamp
    def __init__(self, called_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("repository", "image_name", "tag", "digest", "media_type", "size_bytes", "created_on")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    IMAGE_NAME_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATED_ON_FIELD_NUMBER: _ClassVar[int]
    repository: int
    image_name: str
    tag: str
    digest: str
    media_type: str
    size_bytes: int
    created_on: _timestamp_pb2.Timestamp
    def __init__(self, repository: _Optional[int] = ..., image_name: _Optional[str] = ..., tag: _Optional[str] = ..., digest: _Optional[str] = ..., media_type: _Optional[str] = ..., size_bytes: _Optional[int] = ..., created_on: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Reign(_message.Message):
    __slots__ = ("holder", "since")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    holder: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, holder: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
