"""Parameters: what may be set where, how a value is inherited, and SHOW PARAMETERS."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import available_timezones

from snowcave.api.catalog.change import Change, domain_of
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Scope, SetParameters, ShowParameters, UnsetParameters
from snowcave.api.sql.workloads import check_types
from snowcave.api.statements import active_event_table
from snowcave.api.statements.existing import EXECUTED
from snowcave.api.statements.filters import columns, matches
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHAPE = columns("key", "value", "default", "level", "description", "type")
# Of sessions, inherited from their user and the account.
_SESSION = frozenset({"account", "user", "session"})
# Of what stands in databases, inherited from schema, database and account.
_OBJECT = frozenset({"account", "database", "schema"})
_ACCOUNT = frozenset({"account"})
_MOST_DAYS = 90
_LONGEST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Parameter:
    default: str
    kind: str
    about: str
    # Domains, and `session`.
    on: frozenset[str] = _SESSION
    allowed: tuple[str, ...] = ()
    most: int = 2**31 - 1


_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF")
PARAMETERS: dict[str, Parameter] = {
    "ABORT_DETACHED_QUERY": Parameter("false", "BOOLEAN", "End queries whose client is gone"),
    "AUTOCOMMIT": Parameter("true", "BOOLEAN", "Each statement is a transaction of its own"),
    "CLIENT_SESSION_KEEP_ALIVE": Parameter("false", "BOOLEAN", "Clients keep idle sessions open"),
    "DATE_OUTPUT_FORMAT": Parameter("YYYY-MM-DD", "STRING", "How dates are shown"),
    "QUERY_TAG": Parameter("", "STRING", "Text that is kept with each query"),
    "STATEMENT_TIMEOUT_IN_SECONDS": Parameter(
        "172800",
        "NUMBER",
        "Statements that run longer are cancelled",
        _SESSION | {"warehouse"},
        most=604_800,
    ),
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": Parameter(
        "0", "NUMBER", "Statements that wait longer are cancelled", _SESSION | {"warehouse"}
    ),
    "TIMESTAMP_OUTPUT_FORMAT": Parameter(
        "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM", "STRING", "How timestamps are shown"
    ),
    "TIMEZONE": Parameter("Etc/UTC", "STRING", "Time zone of the session"),
    "DATA_RETENTION_TIME_IN_DAYS": Parameter(
        "1", "NUMBER", "How long what was dropped may come back", _OBJECT, most=_MOST_DAYS
    ),
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": Parameter(
        "14", "NUMBER", "How much longer streams may keep it", _OBJECT, most=_MOST_DAYS
    ),
    "LOG_LEVEL": Parameter(
        "OFF", "STRING", "Which log messages are collected", _OBJECT | _SESSION, _LEVELS
    ),
    "TRACE_LEVEL": Parameter(
        "OFF",
        "STRING",
        "Which spans are collected",
        _OBJECT | _SESSION,
        ("ALWAYS", "ON_EVENT", "PROPAGATE", "OFF"),
    ),
    "METRIC_LEVEL": Parameter(
        "NONE", "STRING", "Which metrics are collected", _OBJECT | _SESSION, ("ALL", "NONE")
    ),
    "LOG_EVENT_LEVEL": Parameter(
        "OFF", "STRING", "Which platform events are collected", _OBJECT, ("INFO", "ERROR", "OFF")
    ),
    "ALLOWED_SPCS_WORKLOAD_TYPES": Parameter(
        "ALL", "STRING", "Workloads that may run in containers", _ACCOUNT
    ),
    "DISALLOWED_SPCS_WORKLOAD_TYPES": Parameter(
        "", "STRING", "Workloads that may not, even where they are allowed", _ACCOUNT
    ),
    "EVENT_TABLE": Parameter(
        "snowflake.telemetry.events",
        "STRING",
        "Where logs are collected",
        frozenset({"account", "database"}),
    ),
}


def check(key: str, value: str) -> str:
    """The value as it is kept. Raises ValueInvalid for what the parameter cannot be."""
    known = PARAMETERS.get(key)
    if len(value) > _LONGEST_VALUE or len(key) > _LONGEST_VALUE:
        raise invalid_value(value[:80], key)
    if known is None:
        return value
    if known.kind == "BOOLEAN" and value.lower() not in ("true", "false"):
        raise invalid_value(value, key)
    if known.kind == "NUMBER":
        if not (value.isascii() and value.isdigit() and len(value) < 11):
            raise invalid_value(value, key)
        if int(value) > known.most:
            raise invalid_value(value, key)
    if key == "TIMEZONE" and value not in available_timezones():
        raise invalid_value(value, key)
    if key.endswith("_SPCS_WORKLOAD_TYPES"):
        check_types(part for part in value.split(",") if part.strip())
    if known.allowed and value.upper() not in known.allowed:
        raise invalid_value(value, key)
    if known.allowed:
        return value.upper()
    return value.lower() if known.kind == "BOOLEAN" else value


def checked(options: Options, domain: str) -> dict[str, str]:
    """The parameters among a statement's properties, for an object of the domain."""
    return {
        key: check(key, str(options[key]))
        for key in options
        if key in PARAMETERS and domain in PARAMETERS[key].on and key != active_event_table.KEY
    }


# ---------------------------------------------------------------- of the account


async def set_account_parameters(statement: SetParameters, work: Work) -> Rows:
    given = {key: check(key, value) for key, value in statement.values.items()}
    for key in given:
        _need_account_parameter(key)
    return await _change_account(work, given, ())


async def unset_account_parameters(statement: UnsetParameters, work: Work) -> Rows:
    for key in statement.names:
        _need_account_parameter(key)
    return await _change_account(work, {}, statement.names)


def _need_account_parameter(key: str) -> None:
    known = PARAMETERS.get(key)
    if known is None:
        raise ValueInvalid(f"SQL compilation error:\ninvalid parameter '{key}'")
    if "account" not in known.on:
        raise Unsupported(f"ALTER ACCOUNT SET {key}")


async def _change_account(work: Work, given: Mapping[str, str], gone: tuple[str, ...]) -> Rows:
    """The account's object is made with the first parameter."""
    if not work.caller.is_admin:
        raise NotAuthorized(f"account '{work.context.account}'")
    change = Change()
    entry = work.catalog.entry("account", 0)
    if entry is None:
        changed = work.new(work.context.account)
        changed.uid = 0
        changed.account.SetInParent()
    else:
        changed = work.changed(entry.message)
    for key in gone:
        changed.parameters.pop(key, None)
    for key, value in given.items():
        if key == active_event_table.KEY:
            changed.account.event_table = active_event_table.chosen(value, work)
        else:
            changed.parameters[key] = value
    if active_event_table.KEY in gone:
        changed.account.event_table = 0
    if entry is None:
        change.create(changed)
    else:
        change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


# ---------------------------------------------------------------- SHOW PARAMETERS


@dataclass(frozen=True, slots=True)
class Level:
    """One place that a value may stand in: its name in SHOW, and what is set there."""

    name: str
    values: Mapping[str, str]


async def show_parameters(statement: ShowParameters, work: Work) -> Rows:
    scope = statement.scope or Scope("session")
    levels = list(_levels(scope, work))
    rows = [
        (key, *_effective(key, known, levels), known.about, known.kind)
        for key, known in sorted(_shown(scope.domain, levels).items())
        if matches(key, statement.like)
    ]
    return Rows(_SHAPE, rows)


def _shown(domain: str, levels: list[Level]) -> dict[str, Parameter]:
    if domain == "account":
        return PARAMETERS
    if domain == "service":
        return {
            key: PARAMETERS[key]
            for key in ("LOG_LEVEL", "LOG_EVENT_LEVEL", "METRIC_LEVEL", "TRACE_LEVEL")
        }
    shown = {key: known for key, known in PARAMETERS.items() if domain in known.on}
    if domain == "session":
        # Sessions may keep parameters that nobody here knows.
        for key in levels[0].values:
            shown.setdefault(key, Parameter("", "STRING", ""))
    return shown


def _effective(key: str, known: Parameter, levels: list[Level]) -> tuple[Cell, Cell, Cell]:
    """Value, default and level: the nearest one counts."""
    for level in levels:
        if key in level.values:
            return level.values[key], known.default, level.name
    return known.default, known.default, ""


def _levels(scope: Scope, work: Work) -> Iterator[Level]:
    """From the nearest outward."""
    match scope.domain:
        case "session":
            yield from _of_session(work)
        case "account":
            yield from _account(work)
        case "user":
            name = scope.name or ObjectName(work.context.user_name)
            yield _of(work, work.caller.find("user", name).message)
            yield from _account(work)
        case "warehouse":
            found = work.caller.find("warehouse", scope.name or ObjectName(work.context.warehouse))
            yield _of(work, found.message)
            yield from _account(work)
        case "database":
            yield _of(work, work.caller.database(scope.name.name if scope.name else "").message)
            yield from _account(work)
        case "schema":
            yield from _of_schema(work.caller.schema(scope.name).message, work)
        case "service":
            found = work.caller.find("service", scope.name or ObjectName("")).message
            own = {"LOG_LEVEL": found.service.log_level} if found.service.log_level else {}
            yield Level("SERVICE", {**own, **found.parameters})
            schema = work.catalog.get("schema", found.parent)
            yield from _of_schema(schema, work) if schema else ()
        case other:
            raise Unsupported(f"SHOW PARAMETERS IN {other.replace('_', ' ').upper()}")


def _of_session(work: Work) -> Iterator[Level]:
    inherited = (
        [_of(work, user)] if (user := work.catalog.get("user", work.context.user_uid)) else []
    )
    inherited += _account(work)
    known = {key: value for level in reversed(inherited) for key, value in level.values.items()}
    yield Level(
        "SESSION",
        {key: value for key, value in work.context.parameters.items() if known.get(key) != value},
    )
    yield from inherited


def _of_schema(schema: state.Object, work: Work) -> Iterator[Level]:
    yield _of(work, schema)
    database = work.catalog.get("database", schema.parent)
    if database is not None:
        yield _of(work, database)
    yield from _account(work)


def _account(work: Work) -> Iterator[Level]:
    found = work.catalog.get("account", 0)
    if found is not None:
        yield _of(work, found)


def _of(work: Work, found: state.Object) -> Level:
    values = {**found.parameters, **active_event_table.shown(found, work)}
    return Level(domain_of(found).upper(), values)
