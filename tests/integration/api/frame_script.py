"""Run by both generations of the connector: what write_pandas sends, of files that are there; as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import snowflake.connector

port, password, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
connection: Any = snowflake.connector.connect(
    account="LOCAL-SNOWCAVE",
    user="ADMIN",
    password=password,
    host="127.0.0.1",
    port=port,
    protocol="http",
)
cursor = connection.cursor()
seen: dict[str, object] = {}


def bound(sql: str, *values: str) -> list[Any]:
    return cursor.execute(sql, params=values, _force_qmark_paramstyle=True).fetchall()


def message(sql: str) -> str:
    try:
        cursor.execute(sql)
    except snowflake.connector.errors.Error as error:
        return str(error)
    return ""


stage, form, table = '"SNOWPARK_TEMP_STAGE"', '"SNOWPARK_TEMP_FILE_FORMAT"', '"Frame"'
cursor.execute("create or replace database frames")
bound(
    "CREATE TEMP STAGE /* write_pandas */ identifier(?) "
    "FILE_FORMAT=(TYPE=PARQUET COMPRESSION=snappy BINARY_AS_TEXT=FALSE)",
    stage,
)
cursor.execute(f"put file://{folder}/file*.txt @{stage} auto_compress=false")
bound("CREATE TEMP FILE FORMAT identifier(?) TYPE=PARQUET COMPRESSION=auto", form)
asked = "FROM table(infer_schema(location=>?, file_format=>?))"
seen["types"] = bound(f"SELECT COLUMN_NAME, TYPE {asked}", f"@{stage}", form)
seen["schema"] = bound(f"SELECT * {asked} AS s LIMIT 1", f"@{stage}", form)
columns = ", ".join(f'"{name}" {kind}' for name, kind in seen["types"])  # type: ignore[attr-defined]
bound(f"CREATE TABLE IF NOT EXISTS identifier(?) ({columns})", table)
names = ",".join(f'"{name}"' for name, _ in seen["types"])  # type: ignore[attr-defined]
typed = ",".join(f'$1:"{name}"::{kind}' for name, kind in seen["types"])  # type: ignore[attr-defined]
copied = (
    f"COPY INTO identifier(?) /* write_pandas */ ({names}) FROM (SELECT {typed} FROM '@{stage}') "
    "FILE_FORMAT=(TYPE=PARQUET USE_VECTORIZED_SCANNER=False COMPRESSION=auto BINARY_AS_TEXT=FALSE) "
    "PURGE=TRUE ON_ERROR=?"
)
seen["copied"] = [row[1:4] for row in bound(copied, table, "abort_statement")]
seen["purged"] = cursor.execute(f"list @{stage}").fetchall()
seen["rows"] = [[str(value) for value in row] for row in cursor.execute('select * from "Frame"')]

cursor.execute(f"put file://{folder}/file*.txt @{stage} auto_compress=false")
cursor.execute('create table one ("a b" varchar, k number)')
cursor.execute(
    f"""COPY INTO one FROM (SELECT t.$1:"a b", t.$1['O']:k FROM @{stage} t)
    FILES = ('file1.txt') FILE_FORMAT = (TYPE = PARQUET)"""
)
seen["one file"] = cursor.execute("select * from one").fetchall()
seen["filtered"] = message(
    f"COPY INTO one FROM (SELECT $1:a, $1:b FROM @{stage} WHERE $1:a > 1) FILE_FORMAT = (TYPE = PARQUET)"
)
cursor.describe(
    "SELECT s.COLUMN_NAME FROM TABLE(INFER_SCHEMA(LOCATION => '@\"SNOWPARK_TEMP_STAGE\"')) s"
)
seen["described"] = [column.name for column in cursor.description]
seen["another's file"] = message(
    f"COPY INTO one FROM @{stage} FILES = ('../../../8/DATA/STAGE/x') FILE_FORMAT = (TYPE = CSV)"
)
seen["other stage"] = message("SELECT * FROM TABLE(INFER_SCHEMA(LOCATION => '@nowhere'))")
print(json.dumps(seen))
