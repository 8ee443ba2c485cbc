"""Dates in texts: Snowflake's AUTO takes `12/31/2024` and `31-DEC-2024` besides `2024-12-31`. Pure."""

from collections.abc import Mapping

from sqlglot import Expr, exp

from snowcave.warehouse.engine.macros import call

_TEXTS = (
    exp.Concat,
    exp.DPipe,
    exp.Lower,
    exp.Max,
    exp.Min,
    exp.SplitPart,
    exp.Substring,
    exp.Trim,
    exp.Upper,
)


def read_formats(statement: Expr, types: Mapping[str, str]) -> Expr:
    """`types`: DuckDB's type of each column in reach, by upper-case name."""
    for node in list(statement.find_all(exp.Cast, exp.TsOrDsToDate)):
        if not _makes_date(node) or not _may_be_text(node.this, types):
            continue
        tried = isinstance(node, exp.TryCast) or node.args.get("safe")
        read = call("tried_day" if tried else "day", node.this.copy())
        if isinstance(node, exp.Cast):
            node.this.replace(read)  # fakesnow looks for casts to dates
        elif node is not statement:
            node.replace(exp.cast(read, exp.DataType.Type.DATE))
    return statement


def _makes_date(node: Expr) -> bool:
    if isinstance(node, exp.Cast):  # sqlglot itself knows the formats of TRY_TO_DATE
        return node.to.this == exp.DataType.Type.DATE and not node.args.get("probe_date_format")
    return not node.args.get("format")


def _may_be_text(node: Expr, types: Mapping[str, str]) -> bool:
    """Whether asking is worth it: of a literal that says a date as it is, DuckDB knows more.

    Not of calls that may be of services: the macro has its argument in several places.
    """
    inner = node.unnest()
    if inner.find(exp.Anonymous, exp.Query) is not None:
        return False
    if isinstance(inner, exp.Column):
        return types.get(inner.name.upper(), "VARCHAR") == "VARCHAR"
    if isinstance(inner, exp.Cast):
        return inner.to.this in exp.DataType.TEXT_TYPES
    if isinstance(inner, exp.Literal):
        return inner.is_string and not inner.name[:4].isdecimal()
    return isinstance(inner, _TEXTS)
