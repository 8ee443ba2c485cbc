"""TABLE(INFER_SCHEMA(…)): what it reads of Parquet files, and what it refuses."""

from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from sqlglot import parse_one

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.stages.files import StageFiles
from snowcave.warehouse.stages.pointing import Pointing

ALLOWED = [pb.StageBinding(spelling="@st", stage=7)]


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = StageFiles(tmp_path).data(7)
    (folder / "dir").mkdir(parents=True)
    return folder


def inferred(stage: Path, arguments: str) -> list[dict[str, Any]]:
    """`stage` is the folder of its files."""
    files = StageFiles(next(p for p in stage.parents if StageFiles(p).data(7) == stage))
    statement = parse_one(f"SELECT * FROM TABLE(INFER_SCHEMA({arguments}))", read="snowflake")
    (relation,) = Pointing(files, lambda stage: None).point(statement, ALLOWED)
    assert statement.sql() == f"SELECT * FROM TEMP.MAIN.{relation.name}"
    return cast("pa.Table", relation.table).to_pylist()


def test_files_that_differ_have_columns_for_both(stage: Path) -> None:
    parquet.write_table(pa.table({"a": [1], "same": ["x"]}), stage / "dir/one")
    parquet.write_table(pa.table({"a": [1.5], "more": [True]}), stage / "dir/two")
    rows = inferred(stage, "LOCATION => '@st/dir', FILE_FORMAT => 'f'")
    assert [(row["COLUMN_NAME"], row["TYPE"], row["FILENAMES"]) for row in rows] == [
        ("a", "REAL", "dir/one, dir/two"),
        ("same", "TEXT", "dir/one"),
        ("more", "BOOLEAN", "dir/two"),
    ]
    assert [row["ORDER_ID"] for row in rows] == [0, 1, 2]
    assert rows[0]["EXPRESSION"] == "$1:a::REAL"


def test_only_the_files_that_are_named_are_read(stage: Path) -> None:
    parquet.write_table(pa.table({"a": [1]}), stage / "dir/one")
    (stage / "dir/text").write_text("none")
    (row,) = inferred(stage, "LOCATION => '@st/dir', FILES => ('one'), IGNORE_CASE => TRUE")
    assert (row["COLUMN_NAME"], row["EXPRESSION"]) == (
        "A",
        "GET_IGNORE_CASE ($1, 'A')::NUMBER(38, 0)",
    )


def test_a_column_that_may_not_be_null_says_so(stage: Path) -> None:
    schema = pa.schema([pa.field("a", pa.int32(), nullable=False), pa.field("b", pa.time64("us"))])
    parquet.write_table(pa.table({"a": [1], "b": [None]}, schema=schema), stage / "one")
    rows = inferred(stage, "LOCATION => '@st'")
    assert [(row["TYPE"], row["NULLABLE"]) for row in rows] == [
        ("NUMBER(38, 0)", False),
        ("TIME", True),
    ]


def test_a_stage_without_files_has_no_columns(stage: Path) -> None:
    assert inferred(stage, "LOCATION => '@st'") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("LOCATION => '@other'", "'OTHER' does not exist"),
        ("LOCATION => '@st'", "'dir/text', which is not a Parquet file"),
        ("LOCATION => 'st'", "needs a LOCATION"),
        ("FILE_FORMAT => 'f'", "needs a LOCATION"),
        ("'@st'", "arguments of INFER_SCHEMA have names"),
        ("LOCATION => '@st', ODD => 1", "no argument ODD"),
    ],
)
def test_what_it_cannot_read_is_said(stage: Path, arguments: str, words: str) -> None:
    (stage / "dir/text").write_text("none")
    with pytest.raises(SnowcaveError, match=words):
        inferred(stage, arguments)
