"""SQLAlchemy by snowflake-sqlalchemy, and the statements that dbt's adapter makes models with."""

import json
from typing import Any

import pytest

from tests.kit.mesh import ROOT, Snowcave, run
from tests.kit.snow_cli import PYTHON

pytestmark = [pytest.mark.docker, pytest.mark.documented]

MODEL = "ALCHEMY_DB.PUBLIC.MODEL"
STATEMENTS = (
    "create schema if not exists ALCHEMY_DB.STAGING",
    f"create or replace transient table {MODEL} as (select 1 as id, 'x' as name)",
    "create or replace transient table ALCHEMY_DB.STAGING.NEWER as (select 1 as id, 'z' as name"
    " union all select 2, 'y')",
    f"merge into {MODEL} as D using ALCHEMY_DB.STAGING.NEWER as S on (S.id = D.id)"
    " when matched then update set name = S.name"
    " when not matched then insert (id, name) values (id, name)",
    f"alter table {MODEL} add column extra varchar(16777216)",
    "select table_name, column_name, data_type from ALCHEMY_DB.information_schema.columns"
    " where table_schema = 'PUBLIC' and table_name = 'MODEL' order by ordinal_position",
    f"select id, name, extra from {MODEL} order by id",
    "show terse schemas in database ALCHEMY_DB limit 10000",
    "show objects in ALCHEMY_DB.PUBLIC limit 10000",
    f"drop table if exists {MODEL} cascade",
    "drop schema if exists ALCHEMY_DB.STAGING cascade",
)


@pytest.fixture(scope="module")
def done(tutorial: Snowcave) -> dict[str, Any]:
    with tutorial.connect() as admin:
        admin.cursor().execute("CREATE DATABASE alchemy_db")
    connect = tutorial.api()
    order = {
        "url": {
            **{key: connect[key] for key in ("account", "user", "password", "host", "port")},
            "database": "ALCHEMY_DB",
            "schema": "PUBLIC",
            "warehouse": "TUTORIAL_WAREHOUSE",
        },
        "connect": {"protocol": connect["protocol"]},
        "statements": STATEMENTS,
    }
    program = ROOT / "tests/clients/programs/sqlalchemy_session.py"
    return json.loads(run(str(PYTHON), str(program), json.dumps(order)))


def test_rows_are_inserted_updated_and_read_with_their_types(done: dict[str, Any]):
    assert done["changed"] == {
        "touched": 1,
        "rows": [
            ["1", "a", "1.50", "2020-01-02 03:04:05", "True"],
            ["2", "b", "2.00", "None", "False"],
        ],
    }


def test_a_transaction_that_is_rolled_back_leaves_nothing(done: dict[str, Any]):
    assert done["rolled back"] == 2


def test_a_schema_is_inspected_and_a_table_reflected(done: dict[str, Any]):
    found = done["inspected"]
    assert "public" in found["schemas"]
    assert found["tables"] == ["people", "pets"]
    assert found["views"] == ["names"]
    assert found["columns"] == [
        ["id", "DECIMAL(38, 0)", False],
        ["name", "VARCHAR(50)", False],
        ["amount", "DECIMAL(10, 2)", True],
        ["born", "TIMESTAMP_NTZ", True],
        ["good", "BOOLEAN", True],
    ]
    assert found["primary"] == ["id"]
    assert found["foreign"] == [[["owner"], "people", ["id"]]]
    assert found["has"] == [True, False]
    assert found["sequences"] == ["people_seq"]
    assert done["reflected"] == {
        "columns": ["id", "name", "amount", "born", "good"],
        "primary": ["id"],
    }


def test_objects_are_mapped_to_rows(done: dict[str, Any]):
    assert done["mapped"] == ["x", "y"]


def test_models_are_made_merged_and_dropped_as_dbt_does(done: dict[str, Any]):
    answers = dict(zip(STATEMENTS, done["transformed"], strict=True))
    columns, rows, schemas, objects = (answers[sql] for sql in STATEMENTS[5:9])
    assert [row[1] for row in columns] == ["ID", "NAME", "EXTRA"]
    assert rows == [["1", "z", "None"], ["2", "y", "None"]]
    assert {"PUBLIC", "STAGING"} <= {row[1] for row in schemas}
    assert "MODEL" in {row[1] for row in objects}
