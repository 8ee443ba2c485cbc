"""Data types of functions' arguments and results: Snowflake's synonyms, and the spelling it shows."""

from dataclasses import dataclass

from snowcave.api.sql.cursor import Cursor
from snowcave.model.errors import Unsupported

_TEXT = "VARCHAR"
_NUMBER = "NUMBER"
_FLOAT = "FLOAT"
_SYNONYMS = {
    **dict.fromkeys(("VARCHAR", "STRING", "TEXT", "NVARCHAR", "NVARCHAR2", "NCHAR"), _TEXT),
    **dict.fromkeys(("CHAR", "CHARACTER"), "CHAR"),
    **dict.fromkeys(("NUMBER", "NUMERIC", "DECIMAL", "DEC"), _NUMBER),
    **dict.fromkeys(("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"), "INT"),
    **dict.fromkeys(("FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "REAL"), _FLOAT),
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMP_NTZ", "TIMESTAMPNTZ"), "TIMESTAMP_NTZ"),
    **dict.fromkeys(("TIMESTAMP_LTZ", "TIMESTAMPLTZ"), "TIMESTAMP_LTZ"),
    **dict.fromkeys(("TIMESTAMP_TZ", "TIMESTAMPTZ"), "TIMESTAMP_TZ"),
    "VARIANT": "VARIANT",
    "OBJECT": "OBJECT",
    "ARRAY": "ARRAY",
    **dict.fromkeys(("BINARY", "VARBINARY"), "BINARY"),
}


@dataclass(frozen=True, slots=True)
class DataType:
    """`base` tells overloads apart; `text` is the full spelling, such as NUMBER(38,0)."""

    base: str
    text: str


def read_type(cursor: Cursor) -> DataType:
    token = cursor.peek()
    word = cursor.identifier()
    if word not in _SYNONYMS:
        raise (
            Unsupported(f"data type {word}")
            if word.isidentifier()
            else cursor.unexpected("data type", token)
        )
    if word == "DOUBLE":
        cursor.accept("PRECISION")
    if word in ("CHAR", "CHARACTER", "NCHAR"):
        cursor.accept("VARYING")
    figures = cursor.in_parentheses(cursor.integer) if cursor.at("(") else ()
    return _typed(_SYNONYMS[word], figures)


def _typed(base: str, figures: tuple[int, ...]) -> DataType:
    match base:
        case "VARCHAR":
            return DataType(_TEXT, f"VARCHAR({figures[0] if figures else 16777216})")
        case "CHAR":
            return DataType(_TEXT, f"VARCHAR({figures[0] if figures else 1})")
        case "NUMBER":
            precision = figures[0] if figures else 38
            scale = figures[1] if len(figures) > 1 else 0
            return DataType(_NUMBER, f"NUMBER({precision},{scale})")
        case "INT":
            return DataType(_NUMBER, "NUMBER(38,0)")
        case "BINARY":
            return DataType(base, f"BINARY({figures[0] if figures else 8388608})")
        case "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return DataType(base, f"{base}({figures[0] if figures else 9})")
        case _:
            return DataType(base, base)


def base_of(text: str) -> str:
    """VARCHAR(16777216) → VARCHAR."""
    return text.partition("(")[0]


def signature(name: str, bases: tuple[str, ...]) -> str:
    """How the catalog names one overload: `F(VARCHAR, NUMBER)`."""
    return f"{name}({', '.join(bases)})"
