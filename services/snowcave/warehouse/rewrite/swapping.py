"""ALTER TABLE … SWAP WITH: two tables of one schema change names, each with its rows and grants. Pure."""

from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported
from snowcave.warehouse.catalog.objects import TABLE, literal, path, quoted
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import place_of

_BETWEEN = "_sc_swapped"


def partner(statement: Expr) -> exp.Table | None:
    """The other table, where the statement is such a one."""
    found = statement.find(exp.SwapTable) if isinstance(statement, exp.Alter) else None
    return found.this if found and isinstance(found.this, exp.Table) else None


def steps(statement: exp.Alter, other: exp.Table, context: Context) -> list[str]:
    """For one transaction. Raises Unsupported."""
    one, two = place_of(statement.this, context), place_of(other, context)
    if one[:2] != two[:2]:
        raise Unsupported("SWAP WITH a table of another schema")
    if one[2].upper() == two[2].upper():
        return []
    database, schema, name = one
    between = (database, schema, _BETWEEN)
    return [
        _rename(one, _BETWEEN),
        _rename(two, name),
        _rename(between, two[2]),
        _note(one, two[2]),
    ]


def _note(place: tuple[str, str, str], other: str) -> str:
    """Notes bear the numbers that grants are about, and go with their tables."""
    database, schema, name = place
    one, two = literal(name), literal(other)
    return f"""UPDATE {quoted(database)}.{TABLE}
        SET name = CASE WHEN upper(name) = upper({one}) THEN {two} ELSE {one} END
        WHERE kind = 'TABLE' AND upper(schema_name) = upper({literal(schema)})
        AND upper(name) IN (upper({one}), upper({two}))"""


def _rename(place: tuple[str, str, str], name: str) -> str:
    return f"ALTER TABLE {path(place)} RENAME TO {quoted(name)}"
