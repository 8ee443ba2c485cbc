"""Stages in ordinary SQL: only those that api allowed, and only what the engine can do with them."""

from pathlib import Path

import pytest
from sqlglot import parse_one

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.stages.files import StageFiles
from snowcave.warehouse.stages.pointing import Pointing

ALLOWED = [pb.StageBinding(spelling="@st", stage=7), pb.StageBinding(spelling="@d.s.st", stage=7)]


@pytest.fixture
def pointing(tmp_path: Path) -> Pointing:
    files = StageFiles(tmp_path)
    for path in ("a.csv", "dir/b.csv", "dir/it's.csv"):
        upload = files.begin(100)
        upload.write(b'1,"x, y",\n')
        files.finish(upload, 7, path, overwrite=True, client_digest="")
        upload.close()
    return Pointing(files, lambda stage: None)


def pointed(pointing: Pointing, sql: str) -> tuple[str, list[str]]:
    statement = parse_one(sql, read="snowflake")
    relations = pointing.point(statement, ALLOWED)
    return statement.sql(dialect="snowflake"), [one.query for one in relations]


def test_copy_names_the_stage_by_its_number(pointing: Pointing) -> None:
    for place in ("@st/dir", "'@d.s.st/dir'"):
        sql, relations = pointed(pointing, f"COPY INTO t FROM {place}")
        assert "@7.DATA.STAGE/dir" in sql
        assert relations == []


def test_a_pattern_becomes_the_files_that_it_matches(pointing: Pointing) -> None:
    sql, _ = pointed(pointing, "COPY INTO t FROM @st PATTERN='.*b[.]csv'")
    assert "'dir/b.csv'" in sql
    assert "a.csv" not in sql
    nothing, _ = pointed(pointing, "COPY INTO t FROM @st PATTERN='nothing'")
    assert "FILES" not in nothing
    assert "@7.DATA.STAGE/\x7fnothing" in nothing


def test_a_query_reads_as_many_columns_as_the_file_has_or_it_names(pointing: Pointing) -> None:
    sql, (query,) = pointed(pointing, "SELECT $1, u.$2 FROM @st/dir u WHERE $1 = 'a'")
    assert '"$1"' in sql
    assert 'u."$2"' in sql
    assert "@" not in sql
    assert "'$3': 'VARCHAR'" in query
    assert "'$4'" not in query
    assert "it''s.csv" in query
    _, (wider,) = pointed(pointing, "SELECT $9 FROM @st")
    assert "'$9': 'VARCHAR'" in wider


@pytest.mark.parametrize(
    "sql",
    [
        "COPY INTO t FROM @other",
        "COPY INTO t FROM @7.DATA.STAGE",
        "SELECT $1 FROM @d.s.other/x",
        "SELECT * FROM t WHERE x IN (SELECT $1 FROM '@other')",
        "INSERT INTO t SELECT $1 FROM @ST",
        "COPY INTO @st FROM t",
        "COPY INTO t FROM @st FILES = ('../../../8/DATA/STAGE/a.csv')",
        "COPY INTO t FROM @st/dir FILES = ('/b.csv', '/../../x')",
        "COPY INTO t FROM (SELECT $1:a FROM @st) FILES = ('../x') FILE_FORMAT = (TYPE = PARQUET)",
        "CREATE VIEW v AS SELECT * FROM TABLE(INFER_SCHEMA(LOCATION => '@st'))",
        "SELECT * FROM TABLE(INFER_SCHEMA(LOCATION => '@st', FILES => ('../x')))",
        "COPY INTO t FROM (SELECT $1 FROM @st)",
        "CREATE VIEW v AS SELECT $1 FROM @st",
        "SELECT $1 FROM @st (FILE_FORMAT => 'f')",
    ],
)
def test_what_is_refused(pointing: Pointing, sql: str) -> None:
    with pytest.raises(SnowcaveError):
        pointed(pointing, sql)
