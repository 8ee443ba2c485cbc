"""What SQL clients are refused, whatever DuckDB would do with it."""

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.warehouse import rewrite
from snowcave.warehouse.rewrite import guard


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('x')",
        "SELECT * FROM READ_PARQUET('x')",
        "SELECT * FROM TABLE(read_json('x'))",
        "SELECT content FROM read_blob('x')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM pragma_database_list()",
        "SELECT getenv('HOME')",
        "SELECT current_setting('temp_directory')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('x')",
        "SELECT (SELECT max(x) FROM parquet_scan('x'))",
        "WITH a AS (SELECT * FROM read_csv('x')) SELECT * FROM a",
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        'SELECT * FROM "x.parquet"',
        'SELECT * FROM "x.CSV"',
        "SELECT * FROM duckdb_tables",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM memory.main.x",
        "SELECT * FROM _fs_global._fs_information_schema._fs_users",
        "SELECT * FROM temp.main._sc_events",
        "SELECT * FROM _SC_RESULT_0",
        "ATTACH 'x' AS y",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA show_tables",
        "CHECKPOINT",
        "VACUUM",
        "EXPORT DATABASE 'x'",
        "CREATE MACRO f() AS 1",
        "COPY t TO '/tmp/x'",
        "COPY INTO t FROM 'file:///etc/passwd'",
        "COPY INTO t FROM 's3://bucket/x'",
        "COPY INTO t FROM (SELECT 1)",
        "COPY INTO @stage FROM t",
        "PUT file:///etc/passwd @stage",
        "GET @stage file:///tmp",
        "CREATE STAGE s URL = 'file:///etc'",
        "CREATE DATABASE x",
        "DROP SCHEMA x",
        "CALL f()",
        "UNDROP TABLE t",
        "RESET threads",
        "USE warehouse; SELECT 1",
        "SELEC 1",
        "",
        "-- nothing",
    ],
)
def test_it_is_refused(sql):
    with pytest.raises(SnowcaveError) as refused:
        guard.check(rewrite.parse(sql))
    assert refused.value.code != 370001


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t WHERE name LIKE '%.csv'",
        "SELECT * FROM db.information_schema.tables",
        "SELECT * FROM TABLE(GENERATOR(ROWCOUNT => 3))",
        "SELECT * FROM TABLE(FLATTEN(input => PARSE_JSON('[1]')))",
        "COPY INTO t FROM @stage/data/ FILE_FORMAT = (TYPE = CSV)",
        "CREATE STAGE IF NOT EXISTS s DIRECTORY = (ENABLE = TRUE)",
        "LIST @stage",
        "SET x = 1",
        "UNSET x",
        "BEGIN",
        "MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN DELETE",
        "DESCRIBE TABLE t",
    ],
)
def test_it_is_let_through(sql):
    guard.check(rewrite.parse(sql))
