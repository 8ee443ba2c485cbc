"""Named file formats: notes of their schema, which go and come with it, or a session's own."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
from sqlglot import Expr, exp

from snowcave.model.errors import ContextMissing, ObjectExists, ObjectNotFound
from snowcave.warehouse.catalog.objects import TABLE, literal, quoted
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import access, file_formats, place_of

_DOMAIN = "File format"


@dataclass(frozen=True, slots=True)
class _Own:
    place: access.Place
    options: str
    made: datetime
    role: str
    role_uid: int


class FileFormats:
    """As one session sees them; a temporary one hides another of its name."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck
        # By place, in upper case.
        self._own: dict[access.Place, _Own] = {}

    def run(self, statement: Expr, context: Context) -> str | None:
        """DuckDB's SQL for what to answer; None where it is another statement, or one that goes on.

        COPY INTO gets the options of the formats that it names. Raises SnowcaveError and DuckDB's errors.
        """
        for option, table in file_formats.names_in(statement):
            file_formats.fill(option, self._options(place_of(table, context)))
        if not file_formats.of_format(statement):
            return None
        place = place_of(statement.find(exp.Table), context)
        for part, domain in zip(place, ("database", "schema"), strict=False):
            if not part:
                raise ContextMissing(domain)
        match statement:
            case exp.Create():
                return _status(self._create(statement, place, context))
            case exp.Drop():
                return _status(self._drop(statement, place))
            case exp.Describe():
                return _description(json.loads(self._options(place)))
            case _:
                return None

    def own(self) -> frozenset[tuple[str, access.Place]]:
        """The session's own, by group and place in upper case."""
        return frozenset((access.FORMAT, place) for place in self._own)

    def notes(self) -> list[str]:
        """Queries for the session's own, with columns as notes have them."""
        return [
            f"SELECT {literal(one.place[0])} AS database_name, {literal(one.place[1])} AS schema_name, "
            f"{literal(one.place[2])} AS name, '{file_formats.KIND}' AS kind, "
            f"{literal(one.made.isoformat())}::TIMESTAMPTZ AS created_on, {literal(one.role)} AS owner, "
            f"{literal(one.options)} AS text, {one.role_uid} AS owner_uid"
            for one in self._own.values()
        ]

    def _create(self, statement: exp.Create, place: access.Place, context: Context) -> str:
        options, name = file_formats.options(statement), place[2]
        self._need_schema(place)
        is_own = bool(statement.find(exp.TemporaryProperty))
        there = _upper(place) in self._own if is_own else self._noted(place) is not None
        if there and statement.args.get("exists"):
            return f"{name} already exists, statement succeeded."
        if there and not statement.args.get("replace"):
            raise ObjectExists(name)
        if is_own:
            now = datetime.now(UTC)
            made = _Own(place, options, now, context.role, context.role_uid)
            self._own[_upper(place)] = made
        return f"File format {name} successfully created."

    def _drop(self, statement: exp.Drop, place: access.Place) -> str:
        name = place[2]
        if self._own.pop(_upper(place), None) is not None:
            statement.set("temporary", True)
        elif self._noted(place) is None:
            if not statement.args.get("exists"):
                raise ObjectNotFound(_DOMAIN, name)
            return f"Drop statement executed successfully ({name} already dropped)."
        return f"{name} successfully dropped."

    def _options(self, place: access.Place) -> str:
        """As JSON. Raises ObjectNotFound."""
        own = self._own.get(_upper(place))
        options = own.options if own else self._noted(place)
        if options is None:
            raise ObjectNotFound(_DOMAIN, place[2])
        return options

    def _noted(self, place: access.Place) -> str | None:
        database, schema, name = place
        if not self._has("duckdb_tables()", "table_name = '_sc_objects'", database):
            return None
        found = self._duck.execute(
            f"SELECT text FROM {quoted(database)}.{TABLE} WHERE upper(schema_name) = upper(?) "
            "AND upper(name) = upper(?) AND kind = ?",
            [schema, name, file_formats.KIND],
        ).fetchall()
        return str(found[0][0]) if found else None

    def _need_schema(self, place: access.Place) -> None:
        database, schema, _ = place
        if not self._has("duckdb_schemas()", f"schema_name = {literal(schema)}", database):
            raise ObjectNotFound("Schema", f"{database}.{schema}")

    def _has(self, source: str, condition: str, database: str) -> bool:
        sql = f"SELECT 1 FROM {source} WHERE {condition} AND database_name = ?"
        return bool(self._duck.execute(sql, [database]).fetchall())


def _upper(place: access.Place) -> access.Place:
    database, schema, name = place
    return database.upper(), schema.upper(), name.upper()


def _status(text: str) -> str:
    return f"SELECT {literal(text)} AS status"


def _description(options: dict[str, object]) -> str:
    rows = ", ".join(
        f"({literal(name)}, {literal(_type(value))}, {literal(_shown(value))})"
        for name, value in options.items()
        if name != "COMMENT"
    )
    return (
        "SELECT property, property_type, property_value "
        f"FROM (VALUES {rows}) AS f(property, property_type, property_value)"
    )


def _type(value: object) -> str:
    match value:
        case bool():
            return "Boolean"
        case int():
            return "Integer"
        case list():
            return "List"
        case _:
            return "String"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"  # type: ignore[reportUnknownArgumentType]
    return str(value)
