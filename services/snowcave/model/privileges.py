"""Which privileges there are: what may be granted on what. Pure tables.

Source: facts on privileges (S0-S4, D:security access control).
"""

_CREATED_IN_SCHEMA = (
    "SERVICE",
    "IMAGE REPOSITORY",
    "FUNCTION",
    "STAGE",
    "TABLE",
    "VIEW",
    "SECRET",
    "SNAPSHOT",
    "NETWORK RULE",
    "TAG",
    "SEQUENCE",
    "PROCEDURE",
    "STREAM",
    "TASK",
    "FILE FORMAT",
    "EVENT TABLE",
)
# What may be granted on what, OWNERSHIP aside; ALL means these.
PRIVILEGES: dict[str, tuple[str, ...]] = {
    "account": (
        "CREATE DATABASE",
        "CREATE ROLE",
        "CREATE USER",
        "CREATE WAREHOUSE",
        "CREATE COMPUTE POOL",
        "CREATE INTEGRATION",
        "APPLY TAG",
        "BIND SERVICE ENDPOINT",
        "MANAGE CALLER GRANTS",
        "MANAGE GRANTS",
        "MONITOR USAGE",
    ),
    "database": ("CREATE SCHEMA", "MODIFY", "MONITOR", "USAGE"),
    "schema": (
        "MODIFY",
        "MONITOR",
        "USAGE",
        *(f"CREATE {word}" for word in _CREATED_IN_SCHEMA),
    ),
    "warehouse": ("MODIFY", "MONITOR", "OPERATE", "USAGE"),
    "compute_pool": ("MODIFY", "MONITOR", "OPERATE", "USAGE"),
    "service": ("MONITOR", "OPERATE", "USAGE"),
    "image_repository": ("READ", "WRITE", "USAGE", "SERVICE READ", "SERVICE WRITE"),
    "function": ("USAGE",),
    "stage": ("READ", "WRITE", "USAGE"),
    "secret": ("READ", "USAGE"),
    "snapshot": ("USAGE",),
    "network_rule": ("USAGE",),
    "integration": ("USAGE",),
    "tag": ("APPLY", "READ"),
    "user": ("MONITOR",),
    "role": (),
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"),
    "event_table": ("SELECT", "INSERT", "DELETE", "TRUNCATE", "REFERENCES"),
    "view": ("SELECT", "REFERENCES"),
    "sequence": ("USAGE",),
    "procedure": ("USAGE",),
    "file_format": ("USAGE",),
}
# Objects that the warehouse keeps; functions in SQL are among them, service functions are not.
OF_WAREHOUSE = (
    "table",
    "view",
    "sequence",
    "function",
    "procedure",
    "event_table",
    "file_format",
)
# SNOWFLAKE.TELEMETRY.EVENTS: there is one, and it is older than any grant on it.
EVENT_TABLE = 1
# What stands for all event tables: nothing can be granted on it.
ALL_EVENT_TABLES = 2
# Objects that future grants may be about.
IN_SCHEMA = (
    "service",
    "function",
    "image_repository",
    "stage",
    "secret",
    "snapshot",
    "network_rule",
    "tag",
    "table",
    "event_table",
    "view",
    "sequence",
    "procedure",
    "file_format",
)
# Caller grants stand among the others, under names of their own: they give nothing, but leave a service that
# acts for its caller some of the caller's rights. The second kind is about all objects in a container.
CALLER = "CALLER "
INHERITED_CALLER = "INHERITED CALLER "
# Their ownership stays with the role that made them.
NEVER_TRANSFERRED = ("service",)


def is_caller_grant(privilege: str) -> bool:
    return privilege.startswith((CALLER, INHERITED_CALLER))
