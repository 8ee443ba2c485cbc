"""The properties that each kind of object takes, for CREATE, SET and UNSET alike."""

from collections.abc import Mapping

from snowcave.api.sql.options import (
    Reader,
    read_boolean,
    read_group,
    read_integer,
    read_name,
    read_names,
    read_object_names,
    read_string,
    read_strings,
    read_text,
    read_upper,
)

_COMMENT: dict[str, Reader] = {"COMMENT": read_string}

COMPUTE_POOL_SET: dict[str, Reader] = {
    "MIN_NODES": read_integer,
    "MAX_NODES": read_integer,
    "INSTANCE_FAMILY": read_upper,
    "AUTO_RESUME": read_boolean,
    "AUTO_SUSPEND_SECS": read_integer,
    "PLACEMENT_GROUP": read_text,
    "BACKUP_INSTANCE_FAMILIES": read_names,
    **_COMMENT,
}
SERVICE: dict[str, Reader] = {
    "MIN_INSTANCES": read_integer,
    "MAX_INSTANCES": read_integer,
    "MIN_READY_INSTANCES": read_integer,
    "AUTO_SUSPEND_SECS": read_integer,
    "AUTO_RESUME": read_boolean,
    "LOG_LEVEL": read_upper,
    "LOG_EVENT_LEVEL": read_upper,
    "QUERY_WAREHOUSE": read_name,
    "EXTERNAL_ACCESS_INTEGRATIONS": read_names,
    **_COMMENT,
}
JOB: dict[str, Reader] = {
    "NAME": read_name,
    "ASYNC": read_boolean,
    "REPLICAS": read_integer,
    "QUERY_WAREHOUSE": read_name,
    "EXTERNAL_ACCESS_INTEGRATIONS": read_names,
    **_COMMENT,
}
FUNCTION: dict[str, Reader] = {
    "SERVICE": read_name,
    "ENDPOINT": read_text,
    "CONTEXT_HEADERS": read_names,
    "MAX_BATCH_ROWS": read_integer,
    "MAX_BATCH_RETRIES": read_integer,
    "ON_BATCH_FAILURE": read_upper,
    "BATCH_TIMEOUT_SECS": read_integer,
    **_COMMENT,
}
USER: dict[str, Reader] = {
    "PASSWORD": read_string,
    "LOGIN_NAME": read_upper,
    "DISPLAY_NAME": read_text,
    "FIRST_NAME": read_text,
    "MIDDLE_NAME": read_text,
    "LAST_NAME": read_text,
    "EMAIL": read_text,
    "TYPE": read_upper,
    "DISABLED": read_boolean,
    "MUST_CHANGE_PASSWORD": read_boolean,
    "DEFAULT_ROLE": read_name,
    "DEFAULT_WAREHOUSE": read_name,
    "DEFAULT_NAMESPACE": read_name,
    "DEFAULT_SECONDARY_ROLES": read_names,
    "RSA_PUBLIC_KEY": read_string,
    "RSA_PUBLIC_KEY_FP": read_string,
    "RSA_PUBLIC_KEY_2": read_string,
    "RSA_PUBLIC_KEY_2_FP": read_string,
    "DAYS_TO_EXPIRY": read_integer,
    "MINS_TO_UNLOCK": read_integer,
    "MINS_TO_BYPASS_MFA": read_integer,
    **_COMMENT,
}
WAREHOUSE: dict[str, Reader] = {
    "WAREHOUSE_SIZE": read_upper,
    "WAREHOUSE_TYPE": read_upper,
    "AUTO_SUSPEND": read_text,
    "AUTO_RESUME": read_boolean,
    "INITIALLY_SUSPENDED": read_boolean,
    "MIN_CLUSTER_COUNT": read_integer,
    "MAX_CLUSTER_COUNT": read_integer,
    "SCALING_POLICY": read_upper,
    "STATEMENT_TIMEOUT_IN_SECONDS": read_integer,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": read_integer,
    **_COMMENT,
}
_RETENTION: dict[str, Reader] = {
    "DATA_RETENTION_TIME_IN_DAYS": read_integer,
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": read_integer,
    "LOG_LEVEL": read_upper,
    "TRACE_LEVEL": read_upper,
    "METRIC_LEVEL": read_upper,
    "LOG_EVENT_LEVEL": read_upper,
    **_COMMENT,
}
_EVENT_TABLE_SET: dict[str, Reader] = {
    "DATA_RETENTION_TIME_IN_DAYS": read_integer,
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": read_integer,
    "CHANGE_TRACKING": read_boolean,
    **_COMMENT,
}

SECRET_SET: dict[str, Reader] = {
    "USERNAME": read_string,
    "PASSWORD": read_string,
    "SECRET_STRING": read_string,
    "API_AUTHENTICATION": read_name,
    "OAUTH_SCOPES": read_strings,
    "OAUTH_REFRESH_TOKEN": read_string,
    "OAUTH_REFRESH_TOKEN_EXPIRY_TIME": read_string,
    **_COMMENT,
}
EXTERNAL_ACCESS_INTEGRATION: dict[str, Reader] = {
    "ALLOWED_NETWORK_RULES": read_object_names,
    "ALLOWED_AUTHENTICATION_SECRETS": read_object_names,
    "ALLOWED_API_AUTHENTICATION_INTEGRATIONS": read_object_names,
    "ENABLED": read_boolean,
    **_COMMENT,
}
SECURITY_INTEGRATION: dict[str, Reader] = {
    "TYPE": read_upper,
    "AUTH_TYPE": read_upper,
    "OAUTH_CLIENT_ID": read_string,
    "OAUTH_CLIENT_SECRET": read_string,
    "OAUTH_CLIENT_AUTH_METHOD": read_upper,
    "OAUTH_TOKEN_ENDPOINT": read_string,
    "OAUTH_AUTHORIZATION_ENDPOINT": read_string,
    "OAUTH_GRANT": read_upper,
    "OAUTH_ALLOWED_SCOPES": read_strings,
    "OAUTH_ACCESS_TOKEN_VALIDITY": read_integer,
    "OAUTH_REFRESH_TOKEN_VALIDITY": read_integer,
    "ENABLED": read_boolean,
    **_COMMENT,
}

CREATE: Mapping[str, Mapping[str, Reader]] = {
    "secret": {"TYPE": read_upper, "ALGORITHM": read_upper, "ENABLED": read_boolean, **SECRET_SET},
    "network_rule": {
        "TYPE": read_upper,
        "MODE": read_upper,
        "VALUE_LIST": read_strings,
        **_COMMENT,
    },
    # Which of its properties an integration may have, its category says.
    "integration": {**SECURITY_INTEGRATION, **EXTERNAL_ACCESS_INTEGRATION},
    "tag": _COMMENT,
    "event_table": {**_EVENT_TABLE_SET, "DEFAULT_DDL_COLLATION": read_string},
    "database": _RETENTION,
    "schema": _RETENTION,
    "role": _COMMENT,
    "user": USER,
    "warehouse": WAREHOUSE,
    "compute_pool": {**COMPUTE_POOL_SET, "INITIALLY_SUSPENDED": read_boolean},
    "image_repository": {"ENCRYPTION": read_group, **_COMMENT},
    "snapshot": _COMMENT,
    "stage": {
        "ENCRYPTION": read_group,
        "DIRECTORY": read_group,
        "FILE_FORMAT": read_group,
        "COPY_OPTIONS": read_group,
        "URL": read_string,
        **_COMMENT,
    },
}
SET: Mapping[str, Mapping[str, Reader]] = {
    "secret": SECRET_SET,
    "network_rule": {"VALUE_LIST": read_strings, **_COMMENT},
    "integration": {**SECURITY_INTEGRATION, **EXTERNAL_ACCESS_INTEGRATION},
    "tag": _COMMENT,
    "event_table": _EVENT_TABLE_SET,
    "database": {**_RETENTION, "EVENT_TABLE": read_name},
    "schema": _RETENTION,
    "role": _COMMENT,
    "user": USER,
    "warehouse": WAREHOUSE,
    "compute_pool": COMPUTE_POOL_SET,
    "image_repository": _COMMENT,
    "snapshot": _COMMENT,
    "stage": {"DIRECTORY": read_group, "FILE_FORMAT": read_group, **_COMMENT},
    "service": SERVICE,
    "function": FUNCTION,
}
# Where UNSET takes fewer than SET.
UNSET: Mapping[str, Mapping[str, Reader]] = {
    "compute_pool": {
        name: reader
        for name, reader in COMPUTE_POOL_SET.items()
        if name not in ("MIN_NODES", "MAX_NODES", "INSTANCE_FAMILY")
    },
    "function": {
        name: reader for name, reader in FUNCTION.items() if name not in ("SERVICE", "ENDPOINT")
    },
}


def label(domain: str) -> str:
    """How messages about properties name a domain."""
    # An image repository is a stage underneath, and its messages say so.
    return "STAGE" if domain == "image_repository" else domain.upper()
