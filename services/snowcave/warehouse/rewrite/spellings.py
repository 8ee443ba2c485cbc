"""Snowflake's statements that are other statements in a shorter spelling, written out as those. Pure."""

import re

from sqlglot import Expr, exp

from snowcave.model.errors import SyntaxInvalid, Unsupported

_IMMEDIATE = re.compile(
    r"\s*EXECUTE\s+IMMEDIATE\s+(?:'(?P<quoted>(?:[^']|'')*)'|\$\$(?P<body>.*?)\$\$)\s*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_BLOCK = re.compile(r"\s*(?:DECLARE\b|BEGIN\s+(?!TRANSACTION\b|WORK\b|NAME\b)\w)", re.IGNORECASE)
_CLONE = re.compile(
    r"(?P<clone>\s*CREATE\s[^'\"$]*?\bTABLE\b.*\bCLONE\b.*?)\s+COPY\s+GRANTS\s*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_STRTOK = "STRTOK_SPLIT_TO_TABLE"


def immediate(sql: str) -> str:
    """The statement that EXECUTE IMMEDIATE of a text runs; any other statement as it is.

    Raises Unsupported where the text is a block of Snowflake Scripting.
    """
    found = _IMMEDIATE.match(sql)
    if not found:
        return sql
    quoted = found["quoted"]
    text = found["body"] if quoted is None else quoted.replace("''", "'")
    if _BLOCK.match(text):
        raise Unsupported("EXECUTE IMMEDIATE of a block")
    return text


def clone_of(sql: str) -> tuple[str, bool]:
    """The statement without COPY GRANTS behind CLONE, where sqlglot knows none; and whether it has any."""
    found = _CLONE.match(sql)
    return (found["clone"], True) if found else (sql, False)


def written_out(statement: Expr) -> Expr:
    """Raises SyntaxInvalid."""
    for node in list(statement.find_all(exp.Window)):
        if _calls(node.this, "RATIO_TO_REPORT"):
            node.replace(_ratio(node))
    for node in list(statement.find_all(exp.TableFromRows, exp.Lateral)):
        if rows := _split(node.this):
            node.replace(_named(node, rows))
    return statement


def _calls(node: object, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() == name


def _ratio(window: exp.Window) -> Expr:
    """RATIO_TO_REPORT(x) OVER w: the share of x in the sum over w; NULL where that is zero."""
    arguments = window.this.expressions
    if len(arguments) != 1:
        raise SyntaxInvalid(1, 0, "RATIO_TO_REPORT")
    (value,) = arguments
    total = window.copy()
    total.set("this", exp.Sum(this=value.copy()))
    whole = exp.Nullif(this=total, expression=exp.Literal.number(0))
    return exp.Paren(this=exp.Div(this=exp.Paren(this=value.copy()), expression=whole))


def _split(node: object) -> Expr | None:
    """The list of parts, where the node is one of the two functions."""
    if isinstance(node, exp.SplitToTable):
        return _duck("string_split", node.this.copy(), node.expression.copy())
    if _calls(node, _STRTOK) and isinstance(node, exp.Anonymous):
        return _tokens(node)
    return None


def _tokens(node: exp.Anonymous) -> Expr:
    """Each character of the second argument ends a token; empty ones are left out."""
    if not 1 <= len(node.expressions) <= 2:
        raise SyntaxInvalid(1, 0, _STRTOK)
    text, *given = (one.copy() for one in node.expressions)
    marks = given[0] if given else exp.Literal.string(" ")
    if not isinstance(marks, exp.Literal):
        raise Unsupported(f"{_STRTOK} with delimiters that are no literal")
    ends = exp.Literal.string(f"[{re.escape(marks.name)}]+" if marks.name else "$^")
    parts = _duck("string_split_regex", text, ends)
    part = exp.to_identifier("part")
    kept = exp.NEQ(this=exp.Column(this=part), expression=exp.Literal.string(""))
    return _duck("list_filter", parts, exp.Lambda(this=kept, expressions=[part.copy()]))


def _named(node: Expr, parts: Expr) -> Expr:
    """SEQ, INDEX and VALUE of every part, under the alias that the call had."""
    places = _duck("range", _one(), exp.Add(this=_duck("len", parts.copy()), expression=_one()))
    rows = exp.select(
        exp.alias_(_one(), "SEQ"),
        exp.alias_(_duck("unnest", places), "INDEX"),
        exp.alias_(_duck("unnest", parts), "VALUE"),
    ).subquery()
    if alias := node.args.get("alias"):
        rows.set("alias", alias.copy())
    return rows


def _one() -> Expr:
    return exp.Literal.number(1)


def _duck(name: str, *arguments: Expr) -> Expr:
    """A call that nobody translates."""
    return exp.Anonymous(this=name, expressions=list(arguments))
