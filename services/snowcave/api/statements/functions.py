"""Service functions: overloads told apart by their argument types."""

from collections.abc import Sequence

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import (
    Action,
    Alter,
    CreateFunction,
    Describe,
    Drop,
    Existing,
    Statement,
)
from snowcave.api.sql.types import signature
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought
from snowcave.api.statements.service_shows import ALL_ENDPOINTS
from snowcave.api.statements.work import Work
from snowcave.model.errors import (
    NotAuthorized,
    ObjectNotFound,
    Unsupported,
    ValueInvalid,
)
from snowcave.model.names import ObjectName
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

_MOST_TIMEOUT = 604_800
_DEFAULT_TIMEOUT = 3600
_DEFAULT_RETRIES = 3
_MOST_ROWS = 1_000_000
_COMMENT = "user-defined function"
_CONTEXT = frozenset(
    """
    CURRENT_ACCOUNT CURRENT_CLIENT CURRENT_DATABASE CURRENT_DATE CURRENT_IP_ADDRESS CURRENT_REGION
    CURRENT_ROLE CURRENT_SCHEMA CURRENT_SCHEMAS CURRENT_SESSION CURRENT_STATEMENT CURRENT_TIME
    CURRENT_TIMESTAMP CURRENT_TRANSACTION CURRENT_USER CURRENT_VERSION CURRENT_WAREHOUSE
    LAST_QUERY_ID LAST_TRANSACTION LOCALTIME LOCALTIMESTAMP
    """.split()  # noqa: SIM905  # a list of quoted words reads worse
)


async def create_function(statement: CreateFunction, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    types = tuple(kind.base for _, kind in statement.arguments)
    old = work.catalog.named("function", schema.message.uid, signature(name, types))
    if old is not None and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE FUNCTION", schema.message)
    if not statement.path.startswith("/"):
        raise invalid_value(statement.path, "AS")
    if len({argument for argument, _ in statement.arguments}) < len(types):
        raise ValueInvalid("SQL compilation error:\nduplicate argument names in a function.")
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT", _COMMENT))
    body = made.function
    body.arguments.extend(
        state.Argument(name=argument, type=kind.text) for argument, kind in statement.arguments
    )
    body.returns = statement.returns.text
    body.strict, body.immutable, body.path = statement.strict, statement.immutable, statement.path
    body.max_batch_retries, body.batch_timeout_secs = _DEFAULT_RETRIES, _DEFAULT_TIMEOUT
    _apply(work, body, statement.options)
    change = Change()
    if old is not None and statement.existing is Existing.ALTER:
        _altered(work, change, old, made)
    else:
        create(work, change, made, statement.existing)
    change.stands(schema)
    await work.catalog.commit(change)
    return status(f"Function {name} successfully created.")


def _altered(work: Work, change: Change, old: Entry[state.Object], made: state.Object) -> None:
    """CREATE OR ALTER: the same function with another service, endpoint or batch size."""
    was, now = old.message.function, made.function
    work.caller.need_ownership(old.message)
    if (was.returns, was.strict, was.immutable) != (now.returns, now.strict, now.immutable):
        raise Unsupported("CREATE OR ALTER of RETURNS, volatility or NULL handling")
    if tuple(one.name for one in was.arguments) != tuple(one.name for one in now.arguments):
        raise Unsupported("CREATE OR ALTER of argument names")
    changed = work.changed(old.message)
    changed.function.CopyFrom(now)
    changed.comment = made.comment
    change.update(old, changed)


def _apply(work: Work, body: state.Function, options: Options) -> None:
    if "SERVICE" in options or "ENDPOINT" in options:
        _bind(work, body, options)
    for key, attribute, least, most in (
        ("MAX_BATCH_ROWS", "max_batch_rows", 1, _MOST_ROWS),
        ("MAX_BATCH_RETRIES", "max_batch_retries", 0, 100),
        ("BATCH_TIMEOUT_SECS", "batch_timeout_secs", 1, _MOST_TIMEOUT),
    ):
        if key in options:
            value = options.integer(key)
            if not least <= value <= most:
                raise invalid_value(value, key)
            setattr(body, attribute, value)
    if "ON_BATCH_FAILURE" in options:
        choice = options.text("ON_BATCH_FAILURE")
        if choice not in ("ABORT", "RETURN_NULL"):
            raise invalid_value(choice, "ON_BATCH_FAILURE")
        body.return_null_on_failure = choice == "RETURN_NULL"
    if "CONTEXT_HEADERS" in options:
        headers = [name.upper() for name in options.names("CONTEXT_HEADERS")]
        for header in headers:
            if header not in _CONTEXT:
                raise invalid_value(header, "CONTEXT_HEADERS")
        body.ClearField("context_headers")
        body.context_headers.extend(headers)


def _bind(work: Work, body: state.Function, options: Options) -> None:
    """The service and its endpoint, to both of which the caller must have the way."""
    name = options.object_name("SERVICE")
    if name is not None:
        found = work.caller.find("service", name).message
    else:
        kept_service = work.catalog.get("service", body.service)
        if kept_service is None:
            raise ObjectNotFound("Service", str(body.service))
        found = kept_service
    wanted = options.text("ENDPOINT", body.endpoint)
    endpoint = next(
        (one for one in found.service.spec.endpoints if one.name == wanted.lower()), None
    )
    if endpoint is None:
        raise ObjectNotFound("Endpoint", f"{found.name}!{wanted}")
    if endpoint.protocol == "TCP" or endpoint.port_last:
        raise ValueInvalid(
            f"Endpoint '{endpoint.name}' of service '{found.name}' cannot be the target of a "
            "service function: its protocol must be HTTP."
        )
    if found.service.is_job:
        raise ValueInvalid(f"A function cannot call the job service '{found.name}'.")
    usable = may_use_endpoint(work, work.caller.roles, found, endpoint.name)
    if not usable and not work.caller.is_admin:
        raise NotAuthorized(f"endpoint '{endpoint.name}' of service '{found.name}'")
    body.service, body.endpoint = found.uid, endpoint.name
    body.service_schema, body.service_name = found.parent, found.name


def take_up(work: Work, change: Change, made: state.Object) -> None:
    """Functions whose service is gone belong to the one that is made in its place: they go by its name.

    Whether their owners may use the new one's endpoint is looked at with each call.
    """
    for found in work.catalog.all("function"):
        body, entry = found.function, work.catalog.entry("function", found.uid)
        is_meant = (body.service_schema, body.service_name) == (made.parent, made.name)
        if entry and is_meant and work.catalog.get("service", body.service) is None:
            changed = work.changed(found)
            changed.function.service = made.uid
            change.update(entry, changed)


def may_use_endpoint(
    work: Work, roles: frozenset[int], service: state.Object, endpoint: str
) -> bool:
    """Whether one of the roles owns the service or holds a service role that covers the endpoint."""
    if service.owner_role in roles:
        return True
    held = {name.upper() for name in work.caller.access.service_roles(roles, service.uid)}
    covering = {
        role.name.upper()
        for role in service.service.spec.service_roles
        if endpoint in role.endpoints
    }
    return bool(held & (covering | {ALL_ENDPOINTS}))


def find_function(
    work: Work, name: ObjectName, types: Sequence[str] | None
) -> Entry[state.Object]:
    schema = work.caller.holder(name)
    shown = str(work.caller.full_name(name))
    found = work.catalog.named(
        "function", schema.message.uid, signature(name.name, tuple(types or ()))
    )
    if found is None or not work.caller.sees(found.message):
        raise ObjectNotFound("Function", shown)
    return found


def is_foreign(statement: Statement, work: Work) -> bool:
    """DESCRIBE and DROP of a function where its schema has none of ours: the warehouse has functions too.

    Raises ContextMissing where no schema is said nor in use.
    """
    if not isinstance(statement, (Drop, Describe)) or statement.domain != "function":
        return False
    name = statement.name
    try:
        schema = work.caller.holder(name).message.uid
    except ObjectNotFound:
        return False  # which is then said, or not, as of any function that is not there
    return not any(one.name == name.name for one in work.catalog.children("function", schema))


async def alter_function(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: find_function(work, statement.name, statement.arguments))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed, change = work.changed(entry.message), Change()
    match statement.action:
        case Action.SET | Action.UNSET:
            _unset(changed, statement.unset)
            _apply(work, changed.function, statement.options)
            if "COMMENT" in statement.options:
                changed.comment = statement.options.text("COMMENT")
            change.update(entry, changed)
        case _:
            raise Unsupported(f"ALTER FUNCTION {statement.action.name}")
    await work.catalog.commit(change)
    return status(EXECUTED)


_DEFAULTS = {
    "MAX_BATCH_ROWS": 0,
    "MAX_BATCH_RETRIES": _DEFAULT_RETRIES,
    "BATCH_TIMEOUT_SECS": _DEFAULT_TIMEOUT,
}


def _unset(changed: state.Object, names: Sequence[str]) -> None:
    for key in names:
        match key:
            case "COMMENT":
                changed.comment = _COMMENT
            case "ON_BATCH_FAILURE":
                changed.function.return_null_on_failure = False
            case "CONTEXT_HEADERS":
                changed.function.ClearField("context_headers")
            case _:
                setattr(changed.function, key.lower(), _DEFAULTS[key])


async def drop_function(statement: Drop, work: Work) -> Rows:
    return await drop(
        statement, work, lambda: find_function(work, statement.name, statement.arguments)
    )
