"""What may not be done to event tables of the account's own, which are read like any table. Pure.

Dropping, altering and emptying one is a matter of the catalog and never comes here.
"""

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, ObjectExists, RemoteError, SnowcaveError
from snowcave.warehouse.databases import cloning
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import place_of

_VERBS: dict[type[Expr], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Copy: "COPY INTO",
}
_RELATIONS = ("TABLE", "VIEW")


def refuse(statement: Expr, context: Context) -> None:
    """Raises SnowcaveError: only telemetry is written into them, and their names are taken."""
    if not context.event_tables:
        return
    if isinstance(statement, exp.Create) and _kind(statement) in _RELATIONS:
        made = statement.this.find(exp.Table) if isinstance(statement.this, Expr) else None
        if _is_one(made, context):
            raise ObjectExists(made.name if made else "")
        source = cloning.source(statement)
        if source is not None and _is_one(source.table, context):
            verb = "CLONE" if source.with_rows else "LIKE"
            raise _not_for_event_tables(verb, place_of(source.table, context)[2])
    renamed = statement.find(exp.AlterRename) if isinstance(statement, exp.Alter) else None
    if renamed is not None and _is_one(renamed.this, context):
        raise ObjectExists(renamed.this.name)
    verb = _VERBS.get(type(statement))
    target = statement.this.find(exp.Table) if verb and isinstance(statement.this, Expr) else None
    if verb and target is not None and _is_one(target, context):
        raise _not_for_event_tables(verb, place_of(target, context)[2])


def _is_one(table: object, context: Context) -> bool:
    return isinstance(table, exp.Table) and place_of(table, context) in context.event_tables


def _kind(statement: Expr) -> str:
    return str(statement.args.get("kind") or "").upper()


def _not_for_event_tables(verb: str, name: str) -> SnowcaveError:
    return RemoteError(
        Kind.UNSUPPORTED,
        2,
        "0A000",
        f"SQL compilation error:\nUnsupported feature '{verb} on event table {name}'.",
    )
