"""Which schemas a statement may name: those that api says its role may use. Pure.

A view's own tables are not looked at: on Snowflake, too, they are read with the rights of the view's owner.
"""

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, RemoteError, SnowcaveError, Unsupported
from snowcave.warehouse import guard
from snowcave.warehouse.engine import Context
from snowcave.warehouse.rewrite import place_of

_EVERYBODY = {"SNOWFLAKE"}
_OF_A_DATABASE = {"INFORMATION_SCHEMA"}


def check(statement: Expr, context: Context) -> None:
    """Raises SnowcaveError, with the same words whether the object is there or not."""
    if context.schemas is None:
        return
    if isinstance(statement, exp.Show):
        return _show(statement, context)
    if isinstance(statement, exp.Command) and str(statement.this).upper() != "SHOW":
        # What sqlglot did not understand cannot be looked into.
        raise _not_for_all(str(statement.this).upper())
    ctes = guard.cte_names(statement)
    for table in statement.find_all(exp.Table):
        if isinstance(table.this, exp.DynamicIdentifier):
            raise _not_for_all("IDENTIFIER with a binding")
        named = isinstance(table.this, exp.Identifier) and not table.name.startswith("@")
        if named and (table.db or table.name.upper() not in ctes):
            database, schema, name = place_of(table, context)
            _need(database, schema, name, context)
    for call in statement.find_all(exp.Dot):
        _call(call, context)


def _show(statement: exp.Show, context: Context) -> None:
    """What `shows` answers is filtered there; fakesnow's SHOW COLUMNS is not, but for one table."""
    scope = statement.args.get("scope")
    if statement.name.upper() != "COLUMNS":
        return
    kind = statement.args.get("scope_kind")
    if kind not in ("TABLE", "VIEW") or not isinstance(scope, exp.Table):
        raise _not_for_all("SHOW COLUMNS of more than one table")
    _need(*place_of(scope, context), context)


def _call(call: exp.Dot, context: Context) -> None:
    """`db.schema.f(x)`"""
    *place, function = call.flatten()
    if isinstance(function, exp.Anonymous) and all(isinstance(p, exp.Identifier) for p in place):
        parts = dict(zip(("db", "catalog"), reversed(place), strict=False))
        table = exp.Table(this=exp.to_identifier(function.name), **parts)
        _need(*place_of(table, context), context)


def _need(database: str, schema: str, name: str, context: Context) -> None:
    allowed = context.schemas or frozenset()
    if not database or not schema or database in _EVERYBODY or (database, schema) in allowed:
        return
    if schema.upper() in _OF_A_DATABASE and any(database == known for known, _ in allowed):
        return
    raise _absent(f"{database}.{schema}.{name}")


def _not_for_all(what: str) -> SnowcaveError:
    return Unsupported(f"{what} by a role that may not use every schema")


def _absent(name: str) -> SnowcaveError:
    return RemoteError(
        Kind.NOT_FOUND,
        2003,
        "42S02",
        f"SQL compilation error:\nObject '{name}' does not exist or not authorized.",
    )
