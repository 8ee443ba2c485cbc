"""SELECT $1, $2 FROM @stage: a query of files becomes a query of what the engine reads of them.

Pure but for a look at the first file, which tells how many columns there are.

What a file is its name tells: JSON and Parquet have one column, `$1`, with whole records; all else is CSV.
"""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported
from snowcave.warehouse.engine.api import Relation

# Columns that a query may name, and characters of a first line that are looked at.
_MOST_COLUMNS = 1000
_FIRST = 1 << 20
_JSON = (".json", ".jsonl", ".ndjson")


def read_files(table: exp.Table, name: str, files: Sequence[Path]) -> Relation:
    """The files' rows, under a name that now stands in the table's place; their columns in that of `$1`, …"""
    if table.args.get("format") is not None:
        raise Unsupported("FILE_FORMAT in a query of a stage")
    if in_view(table):
        raise Unsupported("stage in a view")
    query = table.find_ancestor(exp.Select)
    named = _name_columns(query) if query is not None else 0
    relation = exp.table_(name, db="MAIN", catalog="TEMP")
    if alias := table.args.get("alias"):
        relation.set("alias", alias)
    table.replace(relation)
    return Relation(name, pa.table({}), query=_rows(files, named))


def in_view(table: Expr) -> bool:
    made = table.find_ancestor(exp.Create)
    return made is not None and str(made.args.get("kind")).upper() == "VIEW"


def _name_columns(query: Expr) -> int:
    """`$n` and `t.$n` become columns; the highest n of them."""
    highest = 0
    for parameter in list(query.find_all(exp.Parameter)):
        number = parameter.name
        if not number.isdigit() or not 1 <= int(number) <= _MOST_COLUMNS:
            continue
        highest = max(highest, int(number))
        identifier = exp.to_identifier(f"${number}", quoted=True)
        if isinstance(parameter.parent, exp.Column):
            parameter.replace(identifier)
        else:
            parameter.replace(exp.Column(this=identifier))
    return highest


def _rows(files: Sequence[Path], named: int) -> str:
    """DuckDB's query of the files."""
    if not files:
        columns = ", ".join(f'NULL::VARCHAR AS "${n}"' for n in range(1, max(named, 1) + 1))
        return f"SELECT {columns} WHERE FALSE"
    listed = "[" + ", ".join(_literal(str(file)) for file in files) + "]"
    name = files[0].name.lower().removesuffix(".gz")
    if name.endswith(_JSON):
        return f'SELECT json AS "$1" FROM READ_JSON_OBJECTS({listed})'
    if name.endswith(".parquet"):
        return f'SELECT TO_JSON(part) AS "$1" FROM READ_PARQUET({listed}) AS part'
    count = min(max(named, _columns_of(files[0])), _MOST_COLUMNS)
    names = ", ".join(f"'${n}': 'VARCHAR'" for n in range(1, count + 1))
    return (
        f"SELECT * FROM READ_CSV({listed}, header = FALSE, auto_detect = FALSE, "
        f"null_padding = TRUE, parallel = FALSE, columns = {{{names}}}, "
        "delim = ',', quote = '\"', escape = '\"')"
    )


def _columns_of(file: Path) -> int:
    try:
        opener = gzip.open if file.name.lower().endswith(".gz") else open
        with opener(file, "rt", errors="replace", newline="") as text:
            first = next(csv.reader([text.readline(_FIRST)]), [])
    except (OSError, EOFError, csv.Error):
        return 1
    return max(len(first), 1)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
