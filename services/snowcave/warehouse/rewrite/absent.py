"""Snowflake's statements that nobody here carries out, refused by their names. Pure.

sqlglot does not know most of them; DuckDB would answer with an error about its own grammar.
"""

import re

from sqlglot import Expr, exp

from snowcave.model.errors import SyntaxInvalid, Unsupported

_OBJECTS = (
    "EVENT TABLE|STREAM|TASK|PIPE|DYNAMIC TABLE|EXTERNAL TABLE|HYBRID TABLE|ICEBERG TABLE|ACCOUNT|ALERT"
    "|MASKING POLICY|ROW ACCESS POLICY|SESSION POLICY|PASSWORD POLICY|NETWORK POLICY|MATERIALIZED VIEW"
    "|EXTERNAL FUNCTION|STORAGE INTEGRATION|NOTIFICATION INTEGRATION|API INTEGRATION|RESOURCE MONITOR"
    "|STREAMLIT|FILE FORMAT|NOTEBOOK|MODEL|SHARE|TAG|PROCEDURE|APPLICATION"
).replace(" ", r"\s+")
_DEFINITION = re.compile(
    r"\s*(?:OR\s+(?:REPLACE|ALTER)\s+|TRANSIENT\s+|SECURE\s+|IF\s+(?:NOT\s+)?EXISTS\s+)*"
    + rf"(?P<what>{_OBJECTS})\b",
    re.IGNORECASE,
)
# Kinds of what fakesnow looks up by database and schema; at any other it stops.
_LOOKED_UP = {"DATABASE", "SCHEMA", "TABLE", "VIEW", "STAGE", "TAG", "SEQUENCE", "FILE FORMAT"}
_BY_KIND = (exp.Alter, exp.Comment, exp.Create, exp.Describe, exp.Drop)
# DuckDB's and PostgreSQL's, which sqlglot reads and Snowflake's grammar does not have.
_FOREIGN = {"CONSTRAINT", "INDEX", "MACRO", "POOL", "TRIGGER"}
_SHOWN = re.compile(r"\s*(?:VARIABLES|USER\s+FUNCTIONS)\b", re.IGNORECASE)


def refuse(statement: Expr) -> None:
    """Raises Unsupported, or SyntaxInvalid where Snowflake has no such word."""
    if isinstance(statement, _BY_KIND):
        _refuse_kind(statement)
    if not isinstance(statement, exp.Command):
        return
    word, rest = str(statement.this).upper(), _rest(statement)
    match word:
        case "CREATE" | "ALTER" | "DROP" | "DESCRIBE" | "DESC" | "UNDROP":
            if found := _DEFINITION.match(rest):
                raise Unsupported(f"{word} {' '.join(found['what'].upper().split())}")
        case "SHOW" if not _SHOWN.match(rest):
            raise Unsupported(f"SHOW {' '.join(rest.upper().split()[:2])}")
        case "CALL":
            raise Unsupported("CALL of a procedure")
        case "EXECUTE" if rest.upper().split()[:1] == ["IMMEDIATE"]:
            raise Unsupported("EXECUTE IMMEDIATE of anything but a text or a variable")
        case _:
            pass


def _refuse_kind(statement: Expr) -> None:
    """What sqlglot reads by its kind, and nobody after it knows."""
    kind = statement.args.get("kind")
    if not isinstance(kind, str) or kind.upper() in _LOOKED_UP or not _names_table(statement):
        return
    if kind.upper() == "FUNCTION" and isinstance(statement, (exp.Drop, exp.Describe)):
        return  # those of SQL are ours, and never reach fakesnow
    if kind.upper() in _FOREIGN:
        raise SyntaxInvalid(1, 0, kind)
    verb = "COMMENT ON" if isinstance(statement, exp.Comment) else statement.key.upper()
    raise Unsupported(f"{verb} {kind.upper()}")


def _names_table(statement: Expr) -> bool:
    named = [statement.this, *(statement.args.get("tables") or [])]
    return any(
        isinstance(name.this if isinstance(name, exp.Schema) else name, exp.Table)
        for name in named
    )


def _rest(statement: exp.Command) -> str:
    rest = statement.args.get("expression")
    return rest.name if isinstance(rest, exp.Literal) else str(rest or "")
