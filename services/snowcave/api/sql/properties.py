"""The properties that each kind of object takes, for CREATE, SET and UNSET alike."""

from collections.abc import Mapping

from snowcave.api.sql.options import (
    Reader,
    read_boolean,
    read_group,
    read_integer,
    read_name,
    read_names,
    read_string,
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
    **_COMMENT,
}
SERVICE: dict[str, Reader] = {
    "MIN_INSTANCES": read_integer,
    "MAX_INSTANCES": read_integer,
    "MIN_READY_INSTANCES": read_integer,
    "AUTO_SUSPEND_SECS": read_integer,
    "AUTO_RESUME": read_boolean,
    "LOG_LEVEL": read_upper,
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
    "LAST_NAME": read_text,
    "EMAIL": read_text,
    "TYPE": read_upper,
    "MIDDLE_NAME": read_text,
    "DISABLED": read_boolean,
    "MUST_CHANGE_PASSWORD": read_boolean,
    "DEFAULT_ROLE": read_name,
    "DEFAULT_WAREHOUSE": read_name,
    "DEFAULT_NAMESPACE": read_name,
    "DEFAULT_SECONDARY_ROLES": read_names,
    **_COMMENT,
}
WAREHOUSE: dict[str, Reader] = {
    "RSA_PUBLIC_KEY": read_string,
    "RSA_PUBLIC_KEY_FP": read_string,
    "RSA_PUBLIC_KEY_2": read_string,
    "RSA_PUBLIC_KEY_2_FP": read_string,
    "DAYS_TO_EXPIRY": read_integer,
    "MINS_TO_UNLOCK": read_integer,
    "MINS_TO_BYPASS_MFA": read_integer,
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
    **_COMMENT,
}

CREATE: Mapping[str, Mapping[str, Reader]] = {
    "database": _RETENTION,
    "schema": _RETENTION,
    "role": _COMMENT,
    "user": USER,
    "warehouse": WAREHOUSE,
    "compute_pool": {**COMPUTE_POOL_SET, "INITIALLY_SUSPENDED": read_boolean},
    "image_repository": {"ENCRYPTION": read_group, **_COMMENT},
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
    "database": _RETENTION,
    "schema": _RETENTION,
    "role": _COMMENT,
    "user": USER,
    "warehouse": WAREHOUSE,
    "compute_pool": COMPUTE_POOL_SET,
    "image_repository": _COMMENT,
    "stage": {"DIRECTORY": read_group, "FILE_FORMAT": read_group, **_COMMENT},
    "service": SERVICE,
    "function": FUNCTION,
}


def label(domain: str) -> str:
    """How messages about properties name a domain."""
    # An image repository is a stage underneath, and its messages say so.
    return "STAGE" if domain == "image_repository" else domain.upper()
