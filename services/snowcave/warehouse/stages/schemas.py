"""TABLE(INFER_SCHEMA(…)): the columns of Parquet files in a stage, as a table of them would have them.

Columns of the answer: as documented. Types are those with which COPY INTO loads the files' fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported, ValueInvalid
from snowcave.warehouse.engine.api import Relation
from snowcave.warehouse.stages.queries import in_view

_ANSWER = pa.schema(
    [
        ("COLUMN_NAME", pa.string()),
        ("TYPE", pa.string()),
        ("NULLABLE", pa.bool_()),
        ("EXPRESSION", pa.string()),
        ("FILENAMES", pa.string()),
        ("ORDER_ID", pa.int64()),
    ]
)
# What these say is either so anyway, or about the files that are looked at, which are all.
_WITHOUT_EFFECT = {"FILE_FORMAT", "MAX_FILE_COUNT", "MAX_RECORDS_PER_FILE", "KIND"}


@dataclass(frozen=True)
class Inference:
    """One call of INFER_SCHEMA. `location` is written as in the statement."""

    call: exp.TableFromRows
    location: str
    files: tuple[str, ...] | None
    ignore_case: bool


def inferences(statement: Expr) -> list[Inference]:
    """Raises ValueInvalid and Unsupported."""
    return [
        _read(call)
        for call in statement.find_all(exp.TableFromRows)
        if isinstance(call.this, exp.Anonymous) and call.this.name.upper() == "INFER_SCHEMA"
    ]


def answer(inference: Inference, name: str, files: Mapping[str, Path]) -> Relation:
    """The rows, under a name that now stands in the call's place. `files`: by what the stage calls them."""
    relation = exp.table_(name, db="MAIN", catalog="TEMP")
    if alias := inference.call.args.get("alias"):
        relation.set("alias", alias)
    inference.call.replace(relation)
    return Relation(name, _rows(files, ignore_case=inference.ignore_case))


def _read(call: exp.TableFromRows) -> Inference:
    if in_view(call):
        raise Unsupported("INFER_SCHEMA in a view")
    given: dict[str, Expr] = {}
    for argument in call.this.expressions:
        if not isinstance(argument, exp.Kwarg):
            raise ValueInvalid("The arguments of INFER_SCHEMA have names: LOCATION => '@stage', …")
        given[argument.this.name.upper()] = argument.expression
    location, files = given.pop("LOCATION", None), given.pop("FILES", None)
    ignore_case = given.pop("IGNORE_CASE", exp.false())
    if left := given.keys() - _WITHOUT_EFFECT:
        raise ValueInvalid(f"INFER_SCHEMA has no argument {min(left)}.")
    if not isinstance(location, exp.Literal) or not location.name.startswith("@"):
        raise ValueInvalid("INFER_SCHEMA needs a LOCATION => '@stage'.")
    names = None if files is None else tuple(one.name for one in files.find_all(exp.Literal))
    return Inference(call, location.name, names, ignore_case == exp.true())


def _rows(files: Mapping[str, Path], *, ignore_case: bool) -> pa.Table:
    columns: dict[str, str] = {}
    nullable: set[str] = set()
    places: dict[str, list[str]] = {}
    for file, path in files.items():
        for field in _schema(file, path):
            name, found = field.name.upper() if ignore_case else field.name, _type(field.type)
            known = columns.setdefault(name, found)
            columns[name] = found if known == found else _wider(known, found)
            places.setdefault(name, []).append(file)
            if field.nullable:
                nullable.add(name)
    rows = [
        {
            "COLUMN_NAME": name,
            "TYPE": kind,
            # What a file lacks is NULL in its rows.
            "NULLABLE": name in nullable or len(places[name]) < len(files),
            "EXPRESSION": f"{_field(name, ignore_case=ignore_case)}::{kind}",
            "FILENAMES": ", ".join(places[name]),
            "ORDER_ID": number,
        }
        for number, (name, kind) in enumerate(columns.items())
    ]
    return pa.Table.from_pylist(rows, schema=_ANSWER)


def _schema(file: str, path: Path) -> pa.Schema:
    try:
        return parquet.read_schema(path)
    except (OSError, pa.ArrowInvalid):
        raise Unsupported(f"INFER_SCHEMA of '{file}', which is not a Parquet file,") from None


def _field(name: str, *, ignore_case: bool) -> str:
    if ignore_case:
        return f"GET_IGNORE_CASE ($1, '{name}')"
    quoted = name.replace('"', '""')
    return f'$1:"{quoted}"' if quoted != name or not name.isidentifier() else f"$1:{name}"


def _type(found: pa.DataType) -> str:
    for is_it, kind in _KINDS:
        if is_it(found):
            return kind
    if pa.types.is_decimal(found):
        return f"NUMBER({found.precision}, {found.scale})"
    if pa.types.is_timestamp(found):
        return "TIMESTAMP_LTZ" if found.tz else "TIMESTAMP_NTZ"
    if pa.types.is_dictionary(found):
        return _type(found.value_type)
    return "VARIANT"


_TYPES: Sequence[tuple[str, str]] = (
    ("boolean", "BOOLEAN"),
    ("integer", "NUMBER(38, 0)"),
    ("floating", "REAL"),
    ("string", "TEXT"),
    ("large_string", "TEXT"),
    ("binary", "BINARY"),
    ("large_binary", "BINARY"),
    ("fixed_size_binary", "BINARY"),
    ("date", "DATE"),
    ("time", "TIME"),
    ("list", "ARRAY"),
    ("large_list", "ARRAY"),
    ("struct", "OBJECT"),
    ("map", "OBJECT"),
)
_KINDS = [(getattr(pa.types, f"is_{name}"), kind) for name, kind in _TYPES]


def _wider(one: str, other: str) -> str:
    """What holds both, for files that do not agree."""
    numbers = {"NUMBER(38, 0)", "REAL"}
    return "REAL" if {one, other} == numbers else "TEXT"
