"""Snowflake's statements that nobody here carries out, refused by their names. Pure.

sqlglot does not know most of them; DuckDB would answer with an error about its own grammar.
"""

import re

from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported

_OBJECTS = (
    "EVENT TABLE|STREAM|TASK|PIPE|DYNAMIC TABLE|EXTERNAL TABLE|HYBRID TABLE|ICEBERG TABLE|ACCOUNT|ALERT"
    "|MASKING POLICY|ROW ACCESS POLICY|SESSION POLICY|PASSWORD POLICY|NETWORK POLICY|MATERIALIZED VIEW"
    "|EXTERNAL FUNCTION|STORAGE INTEGRATION|NOTIFICATION INTEGRATION|API INTEGRATION|RESOURCE MONITOR"
    "|STREAMLIT|NOTEBOOK|MODEL|SHARE|TAG|PROCEDURE|APPLICATION"
).replace(" ", r"\s+")
_DEFINITION = re.compile(
    r"\s*(?:OR\s+(?:REPLACE|ALTER)\s+|TRANSIENT\s+|SECURE\s+|IF\s+(?:NOT\s+)?EXISTS\s+)*"
    + rf"(?P<what>{_OBJECTS})\b",
    re.IGNORECASE,
)
_SHOWN = re.compile(r"\s*(?:VARIABLES|USER\s+FUNCTIONS)\b", re.IGNORECASE)


def refuse(statement: Expr) -> None:
    """Raises Unsupported."""
    if isinstance(statement, exp.Alter) and statement.find(exp.SwapTable):
        raise Unsupported("ALTER TABLE SWAP WITH")
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


def _rest(statement: exp.Command) -> str:
    rest = statement.args.get("expression")
    return rest.name if isinstance(rest, exp.Literal) else str(rest or "")
