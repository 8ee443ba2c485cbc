"""What goes over the wire to a service function and comes back, said in SQL. Pure."""

from sqlglot import Expr, exp

_SEMI_STRUCTURED = {"VARIANT", "OBJECT", "ARRAY", "MAP"}
_TEXTS = {"VARCHAR", "STRING", "TEXT", "CHAR", "CHARACTER"}
_INTEGERS = {"INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"}
_NUMBERS = _INTEGERS | {
    *("NUMBER", "DECIMAL", "NUMERIC", "FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "REAL"),
}
# Of a timestamp's text: patterns without backslashes, which dialects read in different ways.
_OFFSETS = ((r"([+-][0-9]{2})$", r"\1:00"), (r"([+-][0-9]{2}):([0-9]{2})$", r"\1\2"))


def wire_form(argument: Expr, declared: str) -> Expr:
    """The argument cast to its declared type and written as the text that goes over the wire."""
    base = _base(declared)
    if base in _SEMI_STRUCTURED:
        return text(exp.Anonymous(this="TO_JSON", expressions=[argument.copy()]))
    typed = exp.cast(argument.copy(), declared, dialect="snowflake")
    if base in {"BINARY", "VARBINARY"}:
        return exp.Hex(this=typed)
    if base.startswith(("TIMESTAMP", "DATETIME")):
        # Hidden from those who write a timestamp as the session wants to read it.
        written = text(exp.Anonymous(this="IFNULL", expressions=[typed, exp.Null()]))
        return written if _is_without_zone(base) else _with_minutes(written)
    return typed if base in _TEXTS else text(typed)


def _is_without_zone(base: str) -> bool:
    return base.endswith("NTZ") or base in {"TIMESTAMP", "DATETIME"}


def _with_minutes(written: Expr) -> Expr:
    """DuckDB writes an offset as `-08` or `+05:30`; it goes out as `-0800` or `+0530`."""
    for pattern, becomes in _OFFSETS:
        said = [exp.Literal.string(pattern), exp.Literal.string(becomes)]
        written = exp.Anonymous(this="REGEXP_REPLACE", expressions=[written, *said])
    return written


def is_json(declared: str) -> bool:
    """Whether the text of `wire_form` is JSON already."""
    base = _base(declared)
    return base in _SEMI_STRUCTURED or base in _NUMBERS or base == "BOOLEAN"


def from_wire(answer: Expr, returns: str) -> Expr:
    """An answer's text as what the function returns."""
    base = _base(returns)
    if base in _SEMI_STRUCTURED:
        return exp.ParseJSON(this=answer)
    if base in {"BINARY", "VARBINARY"}:
        return exp.Anonymous(this="UNHEX", expressions=[answer])
    return exp.cast(answer, returns, dialect="snowflake")


def _base(declared: str) -> str:
    return declared.split("(")[0].split()[0].upper()


def text(value: Expr) -> Expr:
    return exp.cast(value, "TEXT")
