"""Who owns tables, views, sequences, functions and file formats: looked up, listed and changed in notes.

Only what DuckDB's own catalog still has counts, so a note that outlived its object does no harm; of file
formats there is nothing but the note.
"""

from collections.abc import Iterable, Sequence

import duckdb

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.catalog.objects import TABLE, literal, quoted
from snowcave.warehouse.rewrite import file_formats
from snowcave.warehouse.rewrite.access import (
    FORMAT,
    FUNCTION,
    RELATION,
    SEQUENCE,
    Found,
    Known,
    Place,
)

_GROUPS = {
    "TABLE": RELATION,
    "VIEW": RELATION,
    "SEQUENCE": SEQUENCE,
    "FUNCTION": FUNCTION,
    file_formats.KIND: FORMAT,
}
# What is there, in the words of the notes, which stand beside it as `noted`.
_THERE = """
    SELECT database_name, schema_name, table_name AS name, 'TABLE' AS kind
    FROM duckdb_tables() WHERE NOT internal AND NOT temporary
    UNION ALL SELECT database_name, schema_name, view_name, 'VIEW'
    FROM duckdb_views() WHERE NOT internal AND NOT temporary
    UNION ALL SELECT database_name, schema_name, sequence_name, 'SEQUENCE'
    FROM duckdb_sequences() WHERE NOT temporary
    UNION ALL SELECT DISTINCT database_name, schema_name, function_name, 'FUNCTION'
    FROM duckdb_functions() WHERE NOT internal
    UNION ALL SELECT database_name, schema_name, name, kind FROM noted WHERE kind = 'FILE FORMAT'"""


def look(duck: duckdb.DuckDBPyConnection, wanted: Iterable[tuple[str, Place]]) -> Found:
    """Names are compared as DuckDB does, without case, so that no spelling leads around a note."""
    groups: dict[tuple[str, str, str, str], tuple[str, Place]] = {
        (group, *(part.upper() for part in place)): (group, place)  # type: ignore[misc]
        for group, place in wanted
    }
    databases = {place[0] for _, place in groups.values()}
    known: dict[tuple[str, Place], Known] = {}
    for row in _noted(duck, databases, sorted({key[2:] for key in groups})):
        database, schema, name, kind, uid, owner = row
        group = _GROUPS.get(kind, "")
        asked = groups.get((group, database.upper(), schema.upper(), name.upper()))
        if asked is not None:
            known[asked] = Known(uid or 0, owner or 0, _domain(kind))
    return Found(known, _temporary(duck))


def _noted(
    duck: duckdb.DuckDBPyConnection, databases: Iterable[str], names: Sequence[tuple[str, ...]]
) -> list[tuple[str, str, str, str, int | None, int | None]]:
    """Objects of these schemas and names, in upper case, with what is noted of them."""
    attached = [database for database in sorted(databases) if database in _attached(duck)]
    if not attached or not names:
        return []
    pairs = ", ".join(f"({literal(schema)}, {literal(name)})" for schema, name in names)
    return duck.execute(
        f"""WITH noted AS ({_notes(attached)}), there AS ({_THERE})
        SELECT there.*, noted.uid, noted.owner_uid FROM there LEFT JOIN noted
        ON there.database_name = noted.database_name AND there.kind = noted.kind
        AND upper(there.schema_name) = upper(noted.schema_name)
        AND upper(there.name) = upper(noted.name)
        WHERE there.database_name IN ({", ".join(map(literal, attached))})
        AND (upper(there.schema_name), upper(there.name)) IN ({pairs})"""
    ).fetchall()


def listed(
    duck: duckdb.DuckDBPyConnection, request: pb.ListObjectsRequest
) -> list[pb.WarehouseObject]:
    """Those that have a note: others nobody can be given anything on."""
    attached = sorted(_attached(duck))
    if request.database:
        attached = [name for name in attached if name == request.database]
    if not attached:
        return []
    wanted = [
        f"noted.{column} = {literal(value)}"
        for column, value in (
            ("schema_name", request.schema),
            ("name", request.name),
            ("kind", request.kind.upper().replace("_", " ")),
        )
        if value
    ]
    if request.uids:
        wanted.append(f"noted.uid IN ({', '.join(map(str, request.uids))})")
    if request.owner:
        wanted.append(f"noted.owner_uid = {request.owner}")
    rows = duck.execute(
        f"""WITH noted AS ({_notes(attached)}), there AS ({_THERE})
        SELECT noted.uid, noted.kind, noted.database_name, noted.schema_name, noted.name,
        coalesce(noted.owner_uid, 0), coalesce(epoch_us(noted.created_on), 0)
        FROM noted SEMI JOIN there
        USING (database_name, schema_name, name, kind)
        WHERE {" AND ".join(["noted.uid IS NOT NULL", *wanted])}
        ORDER BY noted.database_name, noted.schema_name, noted.name"""
    ).fetchall()
    return [of_row(*row) for row in rows]


def of_row(
    uid: int, kind: str, database: str, schema: str, name: str, owner: int, created: int
) -> pb.WarehouseObject:
    """Of the columns that are noted of an object; `created` in microseconds since 1970."""
    return pb.WarehouseObject(
        uid=uid,
        kind=_domain(kind),
        database=database,
        schema=schema,
        name=name,
        owner=owner,
        created_on=created,
    )


def _domain(kind: str) -> str:
    return kind.lower().replace(" ", "_")


def change(duck: duckdb.DuckDBPyConnection, request: pb.ChangeOwnerRequest) -> None:
    uids = ", ".join(map(str, request.uids)) or "NULL"
    which = f"owner_uid = {request.from_role}" if request.from_role else f"uid IN ({uids})"
    for database in sorted(_attached(duck)):
        duck.execute(
            f"UPDATE {quoted(database)}.{TABLE} SET owner_uid = {request.owner}, "
            f"owner = {literal(request.owner_name)} WHERE {which}"
        )


def _notes(databases: Sequence[str]) -> str:
    return " UNION ALL ".join(
        f"SELECT {literal(name)} AS database_name, schema_name, name, kind, uid, owner_uid, created_on "
        f"FROM {quoted(name)}.{TABLE}"
        for name in databases
    )


def _attached(duck: duckdb.DuckDBPyConnection) -> set[str]:
    found = duck.execute(
        "SELECT database_name FROM duckdb_tables() WHERE table_name = '_sc_objects'"
    ).fetchall()
    return {str(row[0]) for row in found}


def _temporary(duck: duckdb.DuckDBPyConnection) -> frozenset[str]:
    found = duck.execute(
        "SELECT upper(table_name) FROM duckdb_tables() WHERE temporary "
        "UNION ALL SELECT upper(view_name) FROM duckdb_views() WHERE temporary AND NOT internal"
    ).fetchall()
    return frozenset(str(row[0]) for row in found)
