"""Foreign errors become Snowflake's here and nowhere else."""

import re

import duckdb
import snowflake.connector.errors
from sqlglot.errors import ParseError, TokenError

from snowcave.model.errors import (
    Kind,
    ObjectNotFound,
    RemoteError,
    SnowcaveError,
    SyntaxInvalid,
)
from snowcave.warehouse.engine import conversions

_NO_TABLE = re.compile(r"(?:Table|View) with name \"?(.+?)\"? does not exist")
_NO_FUNCTION = re.compile(
    r"(?:Function|Macro) with name \"?(.+?)\"? does not exist", re.IGNORECASE
)
_NO_COLUMN = re.compile(
    r'Referenced column "(.+?)" (?:was )?not found|does not have a column named "(.+?)"'
)
_EXISTS = re.compile(r"with name \"?(.+?)\"? already exists")
_ARGUMENTS = re.compile(r"(\w+)\(\) does not support the supplied arguments")
_NEAR = re.compile(r'syntax error at or near "(.*?)"')


class WriteConflict(SnowcaveError):
    """Another transaction changed the same rows first; the statement did nothing."""

    kind = Kind.CONFLICT
    code = 625
    sqlstate = "57014"

    def __init__(self) -> None:
        super().__init__(
            "Statement was aborted because another transaction changed the same rows. Run it again."
        )


def translated(error: Exception) -> SnowcaveError:
    """Whatever a statement raised, as something a client can be told."""
    match error:
        case SnowcaveError():
            return error
        case snowflake.connector.errors.Error():
            return _of_fakesnow(error)
        case duckdb.Error():
            return _of_duckdb(error)
        case ParseError() | TokenError():
            return syntax(error)
        case NotImplementedError():
            return _compilation(Kind.UNSUPPORTED, 2, "0A000", f"Unsupported feature '{error}'.")
        case _:
            # A defect of ours or of fakesnow: the text of it tells a client nothing.
            return RemoteError(
                Kind.INTERNAL, 370001, "XX000", "Processing aborted by an internal error."
            )


def is_defect(error: Exception) -> bool:
    """Whether `translated` had to hide it: such errors belong in the log."""
    known = (SnowcaveError, snowflake.connector.errors.Error, duckdb.Error, ParseError, TokenError)
    return not isinstance(error, (*known, NotImplementedError))


def syntax(error: ParseError | TokenError) -> SnowcaveError:
    first = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    line, column = first.get("line"), first.get("col")
    word = first.get("highlight") or ""
    if line is None or column is None:
        return SyntaxInvalid(1, 0, "<EOF>")
    # sqlglot counts to the end of the token, from 1.
    return SyntaxInvalid(line, max(0, column - len(word)), word or "<EOF>")


def _of_fakesnow(error: snowflake.connector.errors.Error) -> SnowcaveError:
    cause = error.__cause__
    if isinstance(cause, duckdb.Error):
        return _of_duckdb(cause)
    code, state = error.errno or 370001, error.sqlstate or "XX000"
    kind = Kind.INTERNAL if code == 370001 else Kind.INVALID
    if code == 9999:  # fakesnow's own number for what it has not got
        kind, code, state = Kind.UNSUPPORTED, 2, "0A000"
    message = (error.raw_msg or str(error)).split(" Please raise an issue")[0]
    return RemoteError(kind, code, state, message)


def _of_duckdb(error: duckdb.Error) -> SnowcaveError:
    text = str(error).split("\n")[0]
    detail = text.split(": ", 1)[-1]
    if detail.startswith("Division by zero"):
        return RemoteError(Kind.INVALID, 100051, "22012", "Division by zero")
    if "cannot affect the same target row more than once" in detail:
        return RemoteError(
            Kind.INVALID, 100090, "42P18", "Duplicate row detected during DML action"
        )
    match error:
        case duckdb.TransactionException() if "onflict" in text:
            return WriteConflict()
        case duckdb.CatalogException():
            return _of_catalog(detail)
        case duckdb.BinderException():
            return _of_binder(detail)
        case duckdb.ParserException() | duckdb.SyntaxException():
            near = _NEAR.search(text)
            return SyntaxInvalid(1, 0, near[1] if near else "<EOF>")
        case duckdb.ConversionException():
            return conversions.translated(str(error))
        case duckdb.ConstraintException():
            return RemoteError(Kind.INVALID, 100072, "22000", detail)
        case duckdb.OutOfRangeException():
            return RemoteError(Kind.INVALID, 100039, "22003", detail)
        case duckdb.OutOfMemoryException():
            return RemoteError(
                Kind.EXHAUSTED, 300005, "53200", "Not enough memory for this query."
            )
        case duckdb.PermissionException():
            return RemoteError(Kind.DENIED, 3001, "42501", "SQL access control error:\n" + detail)
        case _:
            return RemoteError(Kind.INVALID, 100183, "22000", detail)


def _of_catalog(detail: str) -> SnowcaveError:
    if found := _NO_TABLE.search(detail):
        missing = ObjectNotFound("Object", found[1])
        return RemoteError(Kind.NOT_FOUND, 2003, "42S02", missing.message)
    if found := _NO_FUNCTION.search(detail):
        return _compilation(Kind.INVALID, 2140, "42601", f"Unknown function {found[1].upper()}.")
    if found := _EXISTS.search(detail):
        return _compilation(Kind.EXISTS, 2002, "42710", f"Object '{found[1]}' already exists.")
    if "does not exist" in detail:
        return _compilation(Kind.NOT_FOUND, 2003, "02000", detail)
    return _compilation(Kind.INVALID, 2003, "42S02", detail)


def _of_binder(detail: str) -> SnowcaveError:
    if found := _NO_COLUMN.search(detail):
        name = found[1] or found[2]
        return _compilation(Kind.INVALID, 904, "42000", f"error: invalid identifier '{name}'")
    if found := _ARGUMENTS.search(detail):
        text = f"Invalid argument types for function '{found[1]}'"
        return _compilation(Kind.INVALID, 1044, "42P13", text)
    if "Duplicate struct entry name" in detail or "Duplicate named argument" in detail:
        return RemoteError(Kind.INVALID, 100103, "22000", detail)
    if "Catalog" in detail and "does not exist" in detail:
        return _compilation(Kind.NOT_FOUND, 2003, "02000", detail)
    return _compilation(Kind.INVALID, 2043, "02000", detail)


def _compilation(kind: Kind, code: int, sqlstate: str, what: str) -> RemoteError:
    return RemoteError(kind, code, sqlstate, f"SQL compilation error:\n{what}")
