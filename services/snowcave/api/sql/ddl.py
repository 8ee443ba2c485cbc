"""CREATE, ALTER, DROP and DESCRIBE of the objects that api keeps."""

from typing import Any

from snowcave.api.sql import properties
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.domains import accept_domain
from snowcave.api.sql.event_tables import clauses_of_event_table, clustering
from snowcave.api.sql.functions import argument_types, create_function, is_service_function
from snowcave.api.sql.lexer import Token
from snowcave.api.sql.options import Clause, Options, read_options, read_unset
from snowcave.api.sql.services import create_service, restore_volume, source_clauses
from snowcave.api.sql.snapshots import create_snapshot
from snowcave.api.sql.tags import allowed_values, tag_action
from snowcave.api.sql.tree import (
    Action,
    Alter,
    Create,
    Describe,
    Drop,
    Existing,
    SpecSource,
    Statement,
    Undrop,
)
from snowcave.api.sql.workloads import accept_types
from snowcave.model.errors import Unsupported
from snowcave.model.names import ObjectName

# What api keeps itself; tables and views are the warehouse's.
OURS = (
    "database",
    "schema",
    "role",
    "user",
    "warehouse",
    "compute_pool",
    "image_repository",
    "service",
    "function",
    "stage",
    "secret",
    "snapshot",
    "network_rule",
    "integration",
    "tag",
    "event_table",
)
_ACCOUNT_OBJECTS = ("database", "role", "user", "warehouse", "compute_pool", "integration")
NO_REPLACE = ("compute_pool", "service")


def parse_create(cursor: Cursor) -> Statement | None:
    cursor.expect("CREATE")
    replace = cursor.accept("OR", "REPLACE")
    alter = not replace and cursor.accept("OR", "ALTER")
    transient = cursor.accept("TRANSIENT")
    temporary = cursor.accept("TEMPORARY") or cursor.accept("TEMP")
    start = cursor.peek()
    if cursor.at("SECURE", "FUNCTION") or ((temporary or transient) and cursor.at("FUNCTION")):
        _refuse_kinds_of_service_functions(cursor)
    domain = accept_domain(cursor)
    if domain is None and start.is_name and cursor.peek(1).text in ("(", ".", "="):
        # The kind of object was left out.
        raise cursor.unexpected("object type")
    if temporary and domain != "stage":
        return None
    if domain not in OURS or (domain == "function" and not is_service_function(cursor)):
        return None
    if (replace and domain in NO_REPLACE) or (alter and domain != "function"):
        raise cursor.unexpected("", start)
    keep = _if("NOT", cursor)
    if replace and keep:
        raise cursor.unexpected()
    existing = (
        Existing.REPLACE
        if replace
        else Existing.ALTER
        if alter
        else Existing.KEEP
        if keep
        else Existing.FAIL
    )
    if domain == "function":
        return create_function(cursor, existing)
    if domain == "service":
        return create_service(cursor, existing)
    if domain == "snapshot":
        return create_snapshot(cursor, existing)
    flags = {"TRANSIENT"} if transient else {"TEMPORARY"} if temporary else set[str]()
    if domain == "integration":
        flags.add(_category(cursor, start))
    return _create_object(cursor, domain, existing, flags)


def _refuse_kinds_of_service_functions(cursor: Cursor) -> None:
    """Functions in SQL may be secure or temporary; the documents know neither of service functions."""
    if is_service_function(cursor):
        raise Unsupported("SECURE, TEMPORARY or TRANSIENT service function")


def _create_object(cursor: Cursor, domain: str, existing: Existing, flags: set[str]) -> Create:
    name = _name(cursor, domain)

    def managed(cursor: Cursor) -> None:
        cursor.expect("WITH", "MANAGED", "ACCESS")
        flags.add("MANAGED ACCESS")

    def no_clone(cursor: Cursor) -> None:
        raise Unsupported("CLONE")

    more: dict[str, Any] = {}
    clauses: dict[str, Clause] = {"CLONE": no_clone}
    if domain == "schema":
        clauses["WITH"] = managed
    elif domain == "tag":
        clauses |= allowed_values(more)
    elif domain == "event_table":
        clauses |= clauses_of_event_table(more, flags)
    elif domain == "compute_pool":
        clauses["FOR"] = _for_application
    elif domain == "warehouse":
        cursor.accept("WITH")
    options = read_options(cursor, properties.label(domain), properties.CREATE[domain], clauses)
    cursor.end()
    return Create(domain, name, existing, Options({**options, **more}), frozenset(flags))


def _category(cursor: Cursor, first: Token) -> str:
    """Of an integration, as its first word says."""
    if first.value not in ("EXTERNAL", "SECURITY"):
        raise cursor.unexpected("", first)
    return "EXTERNAL_ACCESS" if first.value == "EXTERNAL" else "SECURITY"


def _for_application(cursor: Cursor) -> None:
    cursor.expect("FOR", "APPLICATION")
    raise Unsupported("FOR APPLICATION")


def parse_alter(cursor: Cursor) -> Statement | None:
    cursor.expect("ALTER")
    domain = accept_domain(cursor)
    if domain not in OURS:
        return None
    if_exists = _if(None, cursor)
    name = _name(cursor, domain)
    arguments = argument_types(cursor) if domain == "function" else None
    if domain == "service" and cursor.at("RESTORE"):
        return restore_volume(cursor, name, if_exists)
    alter = _action(cursor, domain, name, if_exists, arguments)
    cursor.end()
    return alter


def _action(
    cursor: Cursor,
    domain: str,
    name: ObjectName,
    if_exists: bool,
    arguments: tuple[str, ...] | None,
) -> Alter:
    what = properties.label(domain)
    if (of_tags := tag_action(cursor, domain, name, if_exists, arguments)) is not None:
        return of_tags
    if cursor.accept("SET"):
        options = read_options(cursor, what, properties.SET[domain])
        if not options:
            raise cursor.unexpected("property")
        return Alter(domain, name, if_exists, Action.SET, options, arguments=arguments)
    if cursor.accept("UNSET"):
        if domain == "image_repository":
            raise Unsupported("UNSET")
        unset = read_unset(cursor, what, properties.UNSET.get(domain, properties.SET[domain]))
        return Alter(domain, name, if_exists, Action.UNSET, unset=unset, arguments=arguments)
    if domain == "stage" and cursor.accept("REFRESH"):
        return Alter(domain, name, if_exists, Action.NOTHING)
    if cursor.accept("RENAME", "TO"):
        new_name = _name(cursor, domain)
        return Alter(
            domain, name, if_exists, Action.RENAME, new_name=new_name, arguments=arguments
        )
    if domain == "event_table":
        return clustering(cursor, name, if_exists)
    if domain == "service" and cursor.at("FROM"):
        return Alter(domain, name, if_exists, Action.FROM_SPECIFICATION, source=_source(cursor))
    if domain == "compute_pool" and cursor.accept("STOP", "ALL"):
        return Alter(domain, name, if_exists, Action.STOP_ALL, types=accept_types(cursor))
    return Alter(domain, name, if_exists, _simple_action(cursor, domain))


def _simple_action(cursor: Cursor, domain: str) -> Action:
    if domain in ("compute_pool", "service", "warehouse"):
        if cursor.accept("SUSPEND"):
            return Action.SUSPEND
        if cursor.accept("RESUME"):
            cursor.accept("IF", "SUSPENDED")
            return Action.RESUME
    if domain == "warehouse" and cursor.accept("ABORT", "ALL", "QUERIES"):
        return Action.ABORT_ALL
    raise cursor.unexpected()


def _source(cursor: Cursor) -> SpecSource:
    found: list[SpecSource] = []
    clauses = source_clauses(found)
    read_options(cursor, "SERVICE", {}, clauses)
    if len(found) != 1:
        raise cursor.unexpected("SPECIFICATION")
    return found[0]


def parse_drop(cursor: Cursor) -> Statement | None:
    cursor.expect("DROP")
    domain = accept_domain(cursor)
    if domain not in OURS:
        return None
    if_exists = _if(None, cursor)
    name = _name(cursor, domain)
    arguments = argument_types(cursor) if domain == "function" else None
    force = cursor.accept("FORCE")
    if domain in ("database", "schema", "event_table") and not cursor.accept("CASCADE"):
        cursor.accept("RESTRICT")
    cursor.end()
    return Drop(domain, name, if_exists, force, arguments)


def parse_describe(cursor: Cursor) -> Statement | None:
    cursor.take()
    domain = accept_domain(cursor)
    if domain not in OURS:
        return None
    name = _name(cursor, domain)
    arguments = argument_types(cursor) if domain == "function" else None
    if domain == "event_table":
        cursor.accept("TYPE", "=", "COLUMNS")
    cursor.end()
    return Describe(domain, name, arguments)


def parse_undrop(cursor: Cursor) -> Statement | None:
    """Tables are the warehouse's."""
    cursor.expect("UNDROP")
    domain = accept_domain(cursor, "database", "schema", "event_table")
    if domain is None:
        return None
    name = _name(cursor, domain)
    cursor.end()
    return Undrop(domain, name)


def parse_truncate(cursor: Cursor) -> Statement | None:
    """Of an event table; all others are the warehouse's."""
    cursor.expect("TRUNCATE")
    if accept_domain(cursor, "event_table") is None:
        return None
    if_exists = _if(None, cursor)
    name = cursor.name()
    cursor.end()
    return Alter("event_table", name, if_exists, Action.TRUNCATE)


def parse_comment(cursor: Cursor) -> Statement | None:
    """COMMENT ON … IS '…' is ALTER … SET COMMENT in other words."""
    cursor.expect("COMMENT")
    if_exists = _if(None, cursor)
    cursor.expect("ON")
    domain = accept_domain(cursor)
    if domain not in OURS:
        return None
    name = _name(cursor, domain)
    arguments = argument_types(cursor) if domain == "function" else None
    cursor.expect("IS")
    options = Options({"COMMENT": cursor.string()})
    cursor.end()
    return Alter(domain, name, if_exists, Action.SET, options, arguments=arguments)


def _name(cursor: Cursor, domain: str) -> ObjectName:
    if domain in _ACCOUNT_OBJECTS:
        return ObjectName(cursor.plain_name())
    start = cursor.peek()
    name = cursor.name()
    if domain == "schema" and name.database:
        raise cursor.unexpected("schema name", start)
    # A schema's name has its database where other names have their schema.
    return ObjectName(name.name, database=name.schema) if domain == "schema" else name


def _if(word: str | None, cursor: Cursor) -> bool:
    return cursor.accept("IF", "NOT", "EXISTS") if word else cursor.accept("IF", "EXISTS")
