"""`s.NEXTVAL`, wherever an expression may stand: also among VALUES and as a column's DEFAULT. Pure."""

from sqlglot import Expr, exp

from snowcave.model.names import ObjectName
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite.tables import place_of

_NEXT = "NEXTVAL"


def take_numbers(statement: Expr, context: Context) -> Expr:
    """DuckDB's call for it. fakesnow would drop the schema, and give it a name in every place."""
    for column in list(statement.find_all(exp.Column)):
        if column.name.upper() != _NEXT or not column.table:
            continue
        parts = {"this": "table", "db": "db", "catalog": "catalog"}
        sequence = exp.Table(**{key: column.args.get(part) for key, part in parts.items()})
        database, schema, name = place_of(sequence, context)
        path = exp.Literal.string(str(ObjectName(name, schema, database)))
        call: Expr = exp.Anonymous(this="nextval", expressions=[path])
        if isinstance(column.parent, exp.Select):
            call = exp.alias_(call, _NEXT)
        if column is statement:
            return call
        column.replace(call)
    return statement
