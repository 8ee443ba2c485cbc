"""What a statement may touch: the schemas that api says its roles may use, and the objects in them. Pure.

A table, a view, a sequence, a function or a file format belongs to the role that made it; others need a
privilege on it. A view's own tables are not looked at: on Snowflake, too, they are read with the rights of
the view's owner.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import Expr, exp

from snowcave.model import limits
from snowcave.model.errors import Kind, NotAuthorized, RemoteError, SnowcaveError, Unsupported
from snowcave.model.privileges import ALL_EVENT_TABLES, CALLER, EVENT_TABLE
from snowcave.model.telemetry import ALL_EVENTS
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import file_formats, guard, is_temporary, place_of, swapping

_EVERYBODY = {"SNOWFLAKE"}
_OF_A_DATABASE = {"INFORMATION_SCHEMA"}
# Of the system's tables, those that need a privilege.
_EVENTS = {
    ("SNOWFLAKE", "TELEMETRY", "EVENTS"): EVENT_TABLE,
    ("SNOWFLAKE", "TELEMETRY", ALL_EVENTS): ALL_EVENT_TABLES,
}
OWNERSHIP = "OWNERSHIP"
# Tables and views share their names; the others have theirs.
RELATION, SEQUENCE, FUNCTION, FORMAT = "relation", "sequence", "function", "format"
_GROUPS = {
    "TABLE": RELATION,
    "VIEW": RELATION,
    "SEQUENCE": SEQUENCE,
    "FUNCTION": FUNCTION,
    file_formats.KIND: FORMAT,
}

Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Need:
    """`privilege` on the object at `place`; empty: any. `bare`: named without its schema."""

    group: str
    place: Place
    privilege: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """An object that is there. `owner`: uid of its role; 0 where that is not known."""

    uid: int
    owner: int
    # A domain, such as table or file_format.
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of the objects that a statement needs, by group and place."""

    known: Mapping[tuple[str, Place], Known]
    # Names of the session's own temporary tables, which hide others that are named without a schema.
    temporary: frozenset[str] = frozenset()
    # What else is the session's own, by group and place in upper case.
    own: frozenset[tuple[str, Place]] = frozenset()


Look = Callable[[frozenset[tuple[str, Place]]], Found]


def check(statement: Expr, context: Context, look: Look) -> None:
    """Raises SnowcaveError, with the same words whether an object that may not be seen is there or not."""
    if context.schemas is None:
        return
    if isinstance(statement, exp.Show):
        return _show(statement, context, look)
    if isinstance(statement, exp.Command) and str(statement.this).upper() != "SHOW":
        # What sqlglot did not understand cannot be looked into.
        raise _not_for_all(str(statement.this).upper())
    ctes = guard.cte_names(statement)
    for table in statement.find_all(exp.Table):
        if isinstance(table.this, exp.DynamicIdentifier):
            raise _not_for_all("IDENTIFIER with a binding")
        if _is_named(table, ctes):
            _need_schema(place_of(table, context), context)
    if (table := _commented(statement)) is not None:
        _need_schema(place_of(table, context), context)
    for call in statement.find_all(exp.Anonymous):
        if isinstance(call.parent, (exp.Dot, exp.Table)):
            _need_schema(_called(call, context), context)
    _need_right_to_make(statement, context)
    _meet_all(list(_needs(statement, context, ctes)), context, look)


def _show(statement: exp.Show, context: Context, look: Look) -> None:
    """What `shows` answers is filtered there; fakesnow's SHOW COLUMNS is not, but for one table."""
    scope = statement.args.get("scope")
    if statement.name.upper() != "COLUMNS":
        return
    kind = statement.args.get("scope_kind")
    if kind not in ("TABLE", "VIEW") or not isinstance(scope, exp.Table):
        raise _not_for_all("SHOW COLUMNS of more than one table")
    place = place_of(scope, context)
    _need_schema(place, context)
    _meet_all([Need(RELATION, place, "", not scope.db)], context, look)


def _is_named(table: exp.Table, ctes: frozenset[str]) -> bool:
    named = isinstance(table.this, exp.Identifier) and not table.name.startswith("@")
    if not named or is_temporary(table):
        return False
    return bool(table.db) or table.name.upper() not in ctes


def _called(call: exp.Anonymous, context: Context) -> Place:
    """Of `f(x)` and `db.schema.f(x)`, also in the place of a table."""
    named = exp.Table(this=exp.to_identifier(call.name))
    parent = call.parent
    if isinstance(parent, exp.Table):
        named.set("db", parent.args.get("db"))
        named.set("catalog", parent.args.get("catalog"))
    elif isinstance(parent, exp.Dot):
        *parts, _ = parent.flatten()
        if all(isinstance(part, exp.Identifier) for part in parts):
            for key, part in zip(("db", "catalog"), reversed(parts), strict=False):
                named.set(key, part.copy())
    return place_of(named, context)


# ---------------------------------------------------------------- needs


def _needs(statement: Expr, context: Context, ctes: frozenset[str]) -> Iterator[Need]:
    group = _GROUPS.get(_kind(statement), "")
    written = {id(table): privileges for table, privileges in _written(statement)}
    made = _made(statement)
    for table in statement.find_all(exp.Table):
        if not _is_named(table, ctes) or table is made:
            continue
        is_target = id(table) in written
        if is_target and isinstance(statement, (exp.Drop, exp.Alter, exp.Comment, exp.Describe)):
            of = group
        else:
            of = RELATION
        for privilege in written.get(id(table), ("SELECT",)):
            if of:
                yield Need(of, place_of(table, context), privilege, not table.db)
    replaces = isinstance(statement, exp.Create) and statement.args.get("replace")
    if made and group and replaces and not statement.find(exp.TemporaryProperty):
        yield Need(group, place_of(made, context), OWNERSHIP)
    yield from _called_needs(statement, context)
    for _, table in file_formats.names_in(statement):
        yield Need(FORMAT, place_of(table, context), "USAGE")


def _called_needs(statement: Expr, context: Context) -> Iterator[Need]:
    for call in statement.find_all(exp.Anonymous):
        yield Need(FUNCTION, _called(call, context), "USAGE")
    for column in statement.find_all(exp.Column):
        if column.name.upper() == "NEXTVAL" and column.table:
            yield Need(SEQUENCE, place_of(_holder(column), context), "USAGE")
    if (table := _commented(statement)) is not None:
        yield Need(RELATION, place_of(table, context), OWNERSHIP, not table.db)


def _holder(column: exp.Column) -> exp.Table:
    """What stands before the last dot."""
    parts = {"this": "table", "db": "db", "catalog": "catalog"}
    return exp.Table(**{key: column.args.get(part) for key, part in parts.items()})


def _commented(statement: Expr) -> exp.Table | None:
    """The table of COMMENT ON COLUMN."""
    column = statement.this if isinstance(statement, exp.Comment) else None
    return _holder(column) if isinstance(column, exp.Column) and column.table else None


def _written(statement: Expr) -> Iterator[tuple[exp.Table, tuple[str, ...]]]:
    """The tables that a statement is about, with what it takes; all others it only reads."""
    match statement:
        case exp.Insert():
            privileges = ("INSERT", "DELETE") if statement.args.get("overwrite") else ("INSERT",)
        case exp.Update():
            privileges = ("UPDATE",)
        case exp.Delete():
            privileges = ("DELETE",)
        case exp.Merge():
            privileges = _merged(statement)
        case exp.Copy():
            privileges = ("INSERT",)
        case exp.Alter() | exp.Comment():
            privileges = (OWNERSHIP,)
            if other := swapping.partner(statement):
                yield other, privileges
        case exp.Describe():
            privileges = ("",)
        case exp.TruncateTable():
            yield from ((one, ("TRUNCATE",)) for one in statement.expressions)
            return
        case exp.Drop():
            yield from ((one, (OWNERSHIP,)) for one in statement.find_all(exp.Table))
            return
        case _:
            return
    target = statement.this.find(exp.Table) if isinstance(statement.this, Expr) else None
    if target is not None:
        yield target, privileges


def _merged(statement: exp.Merge) -> tuple[str, ...]:
    found: set[str] = set()
    for when in statement.find_all(exp.When):
        match when.args.get("then"):
            case exp.Update():
                found.add("UPDATE")
            case exp.Insert():
                found.add("INSERT")
            case _:
                found.add("DELETE")
    return tuple(sorted(found))


def _made(statement: Expr) -> exp.Table | None:
    """The name that a statement gives: nothing is there to be allowed for."""
    if isinstance(statement, exp.Create) and isinstance(statement.this, Expr):
        return statement.this.find(exp.Table)
    renamed = statement.find(exp.AlterRename) if isinstance(statement, exp.Alter) else None
    return renamed.this if renamed and isinstance(renamed.this, exp.Table) else None


def _need_right_to_make(statement: Expr, context: Context) -> None:
    made, kind = _made(statement), _kind(statement)
    if made is None or kind not in _GROUPS:
        return
    database, schema, _ = place_of(made, context)
    if isinstance(statement, exp.Create):
        if statement.find(exp.TemporaryProperty):
            return
    elif place_of(statement.this, context)[:2] == (database, schema):
        return
    held = (context.schemas or {}).get((database, schema), frozenset())
    if not held & {f"CREATE {kind}", OWNERSHIP}:
        raise NotAuthorized(f"schema '{schema}'")


# ---------------------------------------------------------------- meeting them


def _meet_all(needs: list[Need], context: Context, look: Look) -> None:
    if not needs:
        return
    found = look(frozenset((need.group, need.place) for need in needs))
    for need in needs:
        if need.bare and need.group == RELATION and need.place[2] in found.temporary:
            continue
        database, schema, name = (part.upper() for part in need.place)
        if (need.group, (database, schema, name)) in found.own:
            continue
        _meet(need, found.known.get((need.group, need.place)), context)


def _meet(need: Need, known: Known | None, context: Context) -> None:
    database, schema, name = need.place
    if need.place in _EVENTS:
        known = Known(_EVENTS[need.place], 0, "event table")
    elif (own := context.event_tables.get(need.place)) is not None:
        known = Known(own.uid, own.owner, "event table")
    elif database in _EVERYBODY or schema.upper() in _OF_A_DATABASE:
        return
    if known is None:
        return  # what is not there is refused as such when the statement runs
    held = context.held.get(known.uid, frozenset[str]())
    in_schema = (context.schemas or {}).get((database, schema), frozenset[str]())
    left = limits.left(context.schemas or {}, in_schema, held, known.kind)
    if left is not None and not left.allows(need.privilege):
        raise _absent(f"{database}.{schema}.{name}")
    if known.owner in context.roles or (left is not None and left.has_all):
        return
    held = frozenset(one for one in held if not one.startswith(CALLER))
    dropping = need.privilege == OWNERSHIP and OWNERSHIP in in_schema
    if need.privilege in held or (held and not need.privilege) or dropping:
        return
    if not held:
        raise _absent(f"{database}.{schema}.{name}")
    raise NotAuthorized(f"{known.kind.replace('_', ' ')} '{name}'")


def _need_schema(place: Place, context: Context) -> None:
    database, schema, name = place
    allowed = context.schemas or {}
    if not database or not schema or database in _EVERYBODY or (database, schema) in allowed:
        return
    if schema.upper() in _OF_A_DATABASE and any(database == known for known, _ in allowed):
        return
    raise _absent(f"{database}.{schema}.{name}")


def _kind(statement: Expr) -> str:
    return str(statement.args.get("kind") or "").upper()


def _not_for_all(what: str) -> SnowcaveError:
    return Unsupported(f"{what} by a role that may not use every schema")


def _absent(name: str) -> SnowcaveError:
    return RemoteError(
        Kind.NOT_FOUND,
        2003,
        "42S02",
        f"SQL compilation error:\nObject '{name}' does not exist or not authorized.",
    )
