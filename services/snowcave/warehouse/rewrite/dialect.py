"""Words and places that DuckDB or fakesnow would read otherwise. Pure."""

import re

from sqlglot import Expr, exp

from snowcave.warehouse.rewrite import guard

# Words that DuckDB keeps for itself and Snowflake gives away as names.
_WORDS = (
    "analyse analyze asymmetric at both collate deferrable desc describe do end except fetch for initially "
    "intersect lambda leading limit offset only pivot pivot_longer pivot_wider placing primary references "
    "returning show some summarize symmetric trailing unpivot user using variadic window"
)
_RESERVED = frozenset(_WORDS.split())
_WORD = re.compile(r"\w+")
_CLOCKS: dict[type[Expr], str] = {
    exp.CurrentDate: "today",
    exp.CurrentTimestamp: "now",
    exp.Localtime: "current_localtime",
    exp.Localtimestamp: "current_localtimestamp",
}


def quote_reserved(translated: Expr) -> Expr:
    for node in translated.find_all(exp.Identifier):
        if node.name.lower() in _RESERVED:
            node.set("quoted", True)
    return translated


def call_the_clock(translated: Expr) -> Expr:
    """DuckDB takes a bare CURRENT_DATE for a column, where one of the result has that name.

    Defaults of columns, which DESCRIBE shows, stay as they are; so does SYSDATE, which is the time in UTC.
    """
    for node in list(translated.find_all(*_CLOCKS)):
        plain = not node.this and not node.args.get("sysdate")
        if plain and node.find_ancestor(exp.Select):
            node.replace(exp.Anonymous(this=_CLOCKS[type(node)]))
    return translated


def unquote_calls(statement: Expr) -> Expr:
    """`"F"(1)` calls F: fakesnow looks for texts there, and DuckDB does not compare names by case.

    Raises SnowcaveError where the name is none that a function can have here.
    """
    for node in statement.find_all(exp.Anonymous):
        if isinstance(node.this, exp.Identifier):
            if not _WORD.fullmatch(node.name):
                raise guard.unknown_function(node.name)
            node.set("this", node.name)
    return statement


def keep_exact(translated: Expr) -> Expr:
    """Undo fakesnow's cast of every added-up value to DOUBLE: numbers are added exactly."""
    for node in translated.find_all(exp.Sum, exp.Avg, exp.Median):
        inner = node.this
        if isinstance(inner, exp.TryCast) and inner.to.this == exp.DataType.Type.DOUBLE:
            node.set("this", inner.this)
    return translated


def name_positions(statement: Expr) -> Expr:
    """`$1` of VALUES, which has no other names, is its first column."""
    for node in list(statement.find_all(exp.Parameter)):
        select = node.find_ancestor(exp.Select)
        source = select.args.get("from_") if select else None
        is_place = isinstance(node.this, exp.Literal) and node.this.is_int
        if is_place and isinstance(source, exp.From) and isinstance(source.this, exp.Values):
            node.replace(exp.column(f"COLUMN{node.this.name}"))
    return statement
