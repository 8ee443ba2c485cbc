"""USE, ALTER SESSION and SHOW PARAMETERS."""

from dataclasses import dataclass
from zoneinfo import available_timezones

from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import invalid_value
from snowcave.api.sql.tree import SetParameters, ShowParameters, UnsetParameters, Use
from snowcave.api.statements.caller import roles_of
from snowcave.api.statements.filters import columns, matches
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, ObjectNotFound, Unsupported
from snowcave.model.names import ObjectName

_EXECUTED = "Statement executed successfully."
_SHAPE = columns("key", "value", "default", "level", "description", "type")
_MOST_PARAMETERS = 200
_LONGEST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Parameter:
    default: str
    kind: str
    about: str


# The session parameters that clients ask about; others may be set and are kept.
PARAMETERS: dict[str, Parameter] = {
    "ABORT_DETACHED_QUERY": Parameter("false", "BOOLEAN", "End queries whose client is gone"),
    "AUTOCOMMIT": Parameter("true", "BOOLEAN", "Each statement is a transaction of its own"),
    "CLIENT_SESSION_KEEP_ALIVE": Parameter("false", "BOOLEAN", "Clients keep idle sessions open"),
    "DATE_OUTPUT_FORMAT": Parameter("YYYY-MM-DD", "STRING", "How dates are shown"),
    "QUERY_TAG": Parameter("", "STRING", "Text that is kept with each query"),
    "STATEMENT_TIMEOUT_IN_SECONDS": Parameter(
        "172800", "NUMBER", "Statements that run longer are cancelled"
    ),
    "TIMESTAMP_OUTPUT_FORMAT": Parameter(
        "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM", "STRING", "How timestamps are shown"
    ),
    "TIMEZONE": Parameter("Etc/UTC", "STRING", "Time zone of the session"),
}
_ACCOUNT_PARAMETERS: dict[str, Parameter] = {
    "EVENT_TABLE": Parameter("snowflake.telemetry.events", "STRING", "Where logs are collected"),
    "LOG_LEVEL": Parameter("OFF", "STRING", "Which log messages are collected"),
    "METRIC_LEVEL": Parameter("NONE", "STRING", "Which metrics are collected"),
    "TRACE_LEVEL": Parameter("OFF", "STRING", "Which spans are collected"),
    "LOG_EVENT_LEVEL": Parameter("OFF", "STRING", "Which platform events are collected"),
}


async def use(statement: Use, work: Work) -> Rows:
    name = statement.name
    match statement.what:
        case "role":
            _use_role(name.name, work)
        case "secondary_roles":
            if name.name not in ("ALL", "NONE"):
                raise Unsupported(f"USE SECONDARY ROLES {name.name}")
            if work.context.role_restriction and name.name != "NONE":
                raise NotAuthorized("secondary roles with a token for one role")
            work.context.secondary_roles = name.name
        case "warehouse":
            warehouse = work.caller.find("warehouse", name).message
            work.caller.need("USAGE", warehouse)
            work.context.warehouse = warehouse.name
        case "schema":
            _use_schema(name, work)
        case _:
            _use_database(name.name, work)
    return status(_EXECUTED)


def _use_role(name: str, work: Work) -> None:
    found = work.catalog.named("role", 0, name)
    if found is None:
        raise ObjectNotFound("Role", name)
    only = work.context.role_restriction
    granted = roles_of(work.caller.access, work.context)
    is_left_out = only and found.message.uid != only
    if is_left_out or (found.message.uid not in granted and name != "PUBLIC"):
        raise NotAuthorized(f"role '{name}', which is not granted to this user")
    work.context.role, work.context.role_uid = name, found.message.uid


def _use_database(name: str, work: Work) -> None:
    database = work.caller.database(name).message
    public = work.catalog.named("schema", database.uid, "PUBLIC")
    work.context.database = database.name
    work.context.schema = "PUBLIC" if public and work.caller.sees(public.message) else ""


def _use_schema(name: ObjectName, work: Work) -> None:
    if name.name == "INFORMATION_SCHEMA":
        # Every database has it; it is the warehouse's, not the catalog's.
        work.context.database = work.caller.database(name.database).message.name
        work.context.schema = name.name
        return
    schema = work.caller.schema(name).message
    work.context.database = work.catalog.name("database", schema.parent)
    work.context.schema = schema.name


async def set_parameters(statement: SetParameters, work: Work) -> Rows:
    for key, value in statement.values.items():
        known = PARAMETERS.get(key)
        if len(value) > _LONGEST_VALUE or len(key) > _LONGEST_VALUE:
            raise invalid_value(value[:80], key)
        if known and known.kind == "BOOLEAN" and value not in ("true", "false"):
            raise invalid_value(value, key)
        if key == "TIMEZONE" and value not in available_timezones():
            raise invalid_value(value, key)
        if known and known.kind == "NUMBER" and not (value.isascii() and value.isdigit()):
            raise invalid_value(value, key)
        if len(work.context.parameters) >= _MOST_PARAMETERS and key not in work.context.parameters:
            raise Unsupported(f"more than {_MOST_PARAMETERS} session parameters")
        work.context.parameters[key] = value
    return status(_EXECUTED)


async def unset_parameters(statement: UnsetParameters, work: Work) -> Rows:
    for name in statement.names:
        work.context.parameters.pop(name, None)
    return status(_EXECUTED)


async def show_parameters(statement: ShowParameters, work: Work) -> Rows:
    domain = statement.scope.domain if statement.scope else "session"
    shown: dict[str, tuple[str, str, Parameter]] = {}
    if domain == "session":
        shown = {
            key: (work.context.parameters.get(key, known.default), _level(key, work), known)
            for key, known in PARAMETERS.items()
        }
        for key, value in work.context.parameters.items():
            shown.setdefault(key, (value, "SESSION", Parameter("", "STRING", "")))
    else:
        for key, known in {**PARAMETERS, **_ACCOUNT_PARAMETERS}.items():
            shown[key] = (known.default, "", known)
    rows: list[tuple[Cell, ...]] = [
        (key, value, known.default, level, known.about, known.kind)
        for key, (value, level, known) in sorted(shown.items())
        if matches(key, statement.like)
    ]
    return Rows(_SHAPE, rows)


def _level(key: str, work: Work) -> str:
    return "SESSION" if key in work.context.parameters else ""
