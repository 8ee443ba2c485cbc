"""What SQL clients may not say, whatever DuckDB would understand. Pure.

The engine is locked down besides (no files outside its folders); inside them the files of all
databases lie, so whatever reads files, or looks behind Snowflake's surface, is refused here.
"""

import re

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, NotAuthorized, RemoteError, SnowcaveError, SyntaxInvalid

_FUNCTIONS = re.compile(
    r"(?:read|scan|parquet|sniff|duckdb|pragma|sqlite|postgres|mysql|iceberg|delta|_fs|_sc|arrow)_\w*"
    r"|glob|getenv|getvariable|query|query_table|which_secret|set_config|current_setting|from_substrait"
    r"|seq_scan|repeat_row|test_all_types|checkpoint|force_checkpoint|json_execute_serialized_sql|export_\w+"
    r"|in_search_path|txid_current|write_log|parse_duckdb_log_message|enable_logging|storage_info|sql_auto_complete",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(
    r"[/\\*?]|://|\.(?:parquet|csv|tsv|json|jsonl|ndjson|arrow|db|duckdb|blob|txt|gz|zst|xlsx)$",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"(?:_fs_|_sc_|duckdb_|sqlite_|pragma_|pg_)\w*", re.IGNORECASE)
# DuckDB's own names beside the databases that a user made.
_HIDDEN_CATALOGS = {"memory", "system", "temp", "_fs_global", "pg_catalog"}
_FOREIGN_WORDS = {"install", "load", "checkpoint", "reset", "detach", "vacuum", "force"}
_COMMANDS = re.compile(
    r"(?:LOAD|INSTALL|ATTACH|DETACH|PRAGMA|VACUUM|CHECKPOINT|EXPORT|IMPORT|EXECUTE|PREPARE|CALL|GET|RESET|FORCE)\Z",
    re.IGNORECASE,
)


def check(statement: Expr) -> None:
    """Raises SnowcaveError where the statement is not one for a client."""
    _statement(statement)
    names = cte_names(statement)
    for node in statement.walk():
        match node:
            case exp.Table():
                _table(node, names)
            case exp.Anonymous() if _FUNCTIONS.fullmatch(node.name):
                raise unknown_function(node.name)
            case exp.Func() if _FUNCTIONS.fullmatch(node.sql_name()):
                raise unknown_function(node.sql_name())
            case exp.Pragma() | exp.Attach() | exp.Detach() | exp.Install():
                raise _unexpected(node.key)
            case _:
                pass


def cte_names(statement: Expr) -> frozenset[str]:
    return frozenset(cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE))


def unknown_function(name: str) -> SnowcaveError:
    return RemoteError(
        Kind.INVALID, 2140, "42601", f"SQL compilation error:\nUnknown function {name.upper()}."
    )


def _statement(statement: Expr) -> None:
    match statement:
        case exp.Command():
            _command(statement)
        case exp.Alias(this=exp.Column() as word) if word.name.lower() in _FOREIGN_WORDS:
            raise _unexpected(word.name)
        case exp.Column():
            raise _unexpected(statement.name)
        case exp.Put() | exp.Get():
            raise _no_stage_transfer()
        case exp.Copy():
            _copy(statement)
        case exp.Create() | exp.Drop():
            _definition(statement)
        case exp.Undrop():
            raise _unsupported("UNDROP")
        case _:
            pass


def _command(statement: exp.Command) -> None:
    word = str(statement.this)
    text = str(statement.args.get("expression") or "")
    if _COMMANDS.match(word) or re.match(r"\s*MACRO\b", text, re.IGNORECASE):
        raise _no_stage_transfer() if word.upper() == "GET" else _unexpected(word)


def _copy(statement: exp.Copy) -> None:
    """COPY INTO a table from a stage, or a query of one; never a path or an address."""
    places = [
        str(part.this.this if isinstance(part, exp.Table) else part)
        for file in statement.args["files"]
        for part in (file.find_all(exp.Table) if isinstance(file, exp.Subquery) else (file,))
    ]
    are_stages = bool(places) and all(place.startswith("@") for place in places)
    if not statement.args.get("kind") or not are_stages:
        raise _unsupported("COPY from or to anything but a stage")


def _definition(statement: exp.Create | exp.Drop) -> None:
    kind = str(statement.args.get("kind") or "").upper()
    if kind in {"DATABASE", "SCHEMA"}:
        # Both live in the catalog first; api applies them here by ApplyDdl.
        raise _unsupported(f"{statement.key.upper()} {kind} in this form")
    if kind in {"MACRO", "TYPE", "SECRET", "PROCEDURE"}:
        raise _unsupported(f"{statement.key.upper()} {kind}")
    if kind == "STAGE" and re.search(
        r"\bURL\b\s*=", statement.sql(dialect="snowflake"), re.IGNORECASE
    ):
        raise _unsupported("CREATE STAGE with URL")


def _table(table: exp.Table, ctes: frozenset[str]) -> None:
    is_file = isinstance(table.this, exp.Literal) or _FILE_NAME.search(table.name)
    if is_file and not table.name.startswith("@"):
        raise not_found(table)
    if table.catalog.lower() in _HIDDEN_CATALOGS or table.db.lower() in {"pg_catalog", "main"}:
        raise not_found(table)
    if _HIDDEN.fullmatch(table.name) and table.name.upper() not in ctes:
        raise not_found(table)
    if _HIDDEN.fullmatch(table.db or "") or table.name.lower() in {
        "sqlite_master",
        "sqlite_schema",
    }:
        raise not_found(table)


def not_found(table: exp.Table) -> SnowcaveError:
    name = table.sql(dialect="snowflake").upper()
    return RemoteError(
        Kind.NOT_FOUND,
        2003,
        "42S02",
        f"SQL compilation error:\nObject '{name}' does not exist or not authorized.",
    )


def _unexpected(word: str) -> SnowcaveError:
    return SyntaxInvalid(1, 0, word.upper())


def _unsupported(feature: str) -> SnowcaveError:
    return RemoteError(
        Kind.UNSUPPORTED, 2, "0A000", f"SQL compilation error:\nUnsupported feature '{feature}'."
    )


def _no_stage_transfer() -> SnowcaveError:
    return NotAuthorized("file transfer inside the SQL engine")
