"""Ordinary SQL that people write beside services, by way of the front door and the warehouse."""

from tests.kit.statement_table.records import (
    DONE,
    KNOWN,
    Columns,
    Family,
    Listed,
    Refused,
    Rows,
    deviates,
    documented,
    one,
    some,
    status,
    unsupported,
    validated,
)

_later = deviates("not built: docs/deviations.md")
_cli = validated("the statements that snow CLI 3.30 sends")

TABLES = [
    documented(
        "CREATE OR REPLACE TABLE t (id INT AUTOINCREMENT, who VARCHAR(20), n NUMBER(10,2), at TIMESTAMP_NTZ "
        "DEFAULT CURRENT_TIMESTAMP())",
        status("Table T successfully created."),
    ),
    documented(
        "INSERT INTO t (who, n) VALUES ('Ann', 1.5), ('Bob', 2), ('Cy', NULL)",
        Rows([(3,)]),
    ),
    documented(
        "SELECT id, who FROM t ORDER BY id",
        Columns("ID WHO"),
        Rows([(1, "Ann"), (2, "Bob"), (3, "Cy")]),
    ),
    documented("UPDATE t SET n = 3 WHERE n IS NULL", Rows([(1, 0)])),
    documented("DELETE FROM t WHERE who = 'Cy'", Rows([(1,)])),
    documented("SELECT SUM(n), COUNT(*), MAX(who) FROM t", Rows([("3.50", 2, "Bob")])),
    documented("CREATE TABLE u CLONE t", Rows([(KNOWN,)])),
    documented("CREATE TABLE v LIKE t", status("Table V successfully created.")),
    documented("ALTER TABLE u ADD COLUMN more VARIANT", DONE),
    documented("ALTER TABLE u RENAME TO w", DONE),
    documented("DESC TABLE w", Listed(["ID", "WHO", "N", "AT", "MORE"])),
    documented("SHOW TABLES", Listed(["T", "V", "W"])),
    documented("SHOW COLUMNS IN TABLE t", Listed(["ID", "WHO", "N", "AT"], "column_name")),
    documented("TRUNCATE TABLE w", DONE),
    documented("DROP TABLE w", status("W successfully dropped.")),
    documented("DROP TABLE IF EXISTS v", status("V successfully dropped.")),
    documented(
        "CREATE VIEW upper_t AS SELECT UPPER(who) AS who FROM t",
        status("View UPPER_T successfully created."),
    ),
    documented("SELECT who FROM upper_t ORDER BY 1", Rows([("ANN",), ("BOB",)])),
    documented("SHOW VIEWS", Listed(["UPPER_T"])),
    documented(
        "CREATE SEQUENCE sq START 5 INCREMENT 2", status("Sequence SQ successfully created.")
    ),
    documented("SELECT sq.NEXTVAL", Rows([(5,)])),
    documented("SELECT sq.NEXTVAL", Rows([(7,)])),
    documented(
        "CREATE FUNCTION addone(i INT) RETURNS INT LANGUAGE SQL AS 'i + 1'",
        status("Function ADDONE successfully created."),
    ),
    documented("SELECT addone(id) FROM t ORDER BY 1", Rows([(2,), (3,)])),
]
QUERIES = [
    _cli("select 1", Columns("1"), Rows([(1,)])),
    _cli("select 1;", Rows([(1,)])),
    documented("SELECT 42 AS answer", Columns("ANSWER"), Rows([(42,)])),
    documented(
        "SELECT answer + 1 AS more FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))",
        Columns("MORE"),
        Rows([(43,)]),
    ),
    _cli("select 1/0", Refused(100051, "22012", "Division by zero")),
    documented(
        "SELECT IFF(1 > 0, 'a', 'b'), NVL(NULL, 1), ZEROIFNULL(NULL), DECODE(1, 1, 'x', 'y')",
        Rows([("a", 1, 0, "x")]),
    ),
    documented(
        "SELECT SPLIT_PART('a,b', ',', 2), REGEXP_LIKE('abc', 'a.*'), STARTSWITH('abc', 'ab')",
        Rows([("b", True, True)]),
    ),
    documented("SELECT DATEDIFF('day', '2024-01-01'::date, '2024-03-01'::date)", Rows([(60,)])),
    documented(
        "SELECT DATEADD(month, 1, '2024-01-31'::date)::varchar, LAST_DAY('2024-02-01'::date)::varchar",
        Rows([("2024-02-29", "2024-02-29")]),
    ),
    documented(
        "SELECT TO_CHAR('2024-01-31'::date, 'YYYY-MM'), TO_DATE('2024-01-31')::varchar",
        Rows([("2024-01", "2024-01-31")]),
    ),
    documented(
        "SELECT PARSE_JSON('{\"a\":{\"b\":5}}'):a.b::int, TRY_PARSE_JSON('{bad')",
        Rows([(5, None)]),
    ),
    documented(
        "SELECT OBJECT_CONSTRUCT('a', 1, 'b', NULL)::varchar, ARRAY_SIZE(ARRAY_CONSTRUCT(1, 2))",
        Rows([('{"a":1}', 2)]),
    ),
    documented(
        "SELECT f.value::int AS x, f.index FROM LATERAL FLATTEN(input => PARSE_JSON('[3,4]')) f ORDER BY 1",
        Rows([(3, 0), (4, 1)]),
    ),
    documented(
        "SELECT v.key, v.value::int FROM TABLE(FLATTEN(PARSE_JSON('{\"k\":1}'))) v",
        Rows([("k", 1)]),
    ),
    documented("SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 100))", Rows([(100,)])),
    documented(
        "SELECT LISTAGG(who, ',') WITHIN GROUP (ORDER BY who DESC) FROM t", Rows([("Bob,Ann",)])
    ),
    documented(
        "SELECT who FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY id DESC) = 1", Rows([("Bob",)])
    ),
    documented(
        "SELECT MD5('a'), BASE64_ENCODE('x'), LENGTH(UUID_STRING())",
        Rows([("0cc175b9c0f1b6a831c399e269772661", "eA==", 36)]),
    ),
    documented(
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT SUM(n) FROM r",
        Rows([(15,)]),
    ),
    documented(
        "SELECT * FROM (SELECT id, who FROM t) PIVOT (COUNT(who) FOR id IN (1, 2))", Rows([(1, 1)])
    ),
    documented(
        "SELECT * FROM VALUES (1, 'a'), (2, 'b') AS x (n, s) ORDER BY n DESC",
        Columns("N S"),
        Rows([(2, "b"), (1, "a")]),
    ),
    documented("SELECT $1, $2 FROM VALUES (1, 'a')", Rows([(1, "a")])),
    documented(
        "SELECT TYPEOF(PARSE_JSON('[1]')), TYPEOF(PARSE_JSON('{}')), TYPEOF(PARSE_JSON('1'))",
        Rows([("ARRAY", "OBJECT", "INTEGER")]),
    ),
    documented("SELECT SYSTEM$TYPEOF(1)", Rows([("NUMBER(1,0)[SB1]",)])),
    documented(
        "SELECT CURRENT_ROLE(), CURRENT_USER(), CURRENT_DATABASE(), CURRENT_SCHEMA()",
        Rows([("ACCOUNTADMIN", "ADMIN", "ORDINARY", "PUBLIC")]),
    ),
    _cli(
        "SELECT CURRENT_ORGANIZATION_NAME() AS org, CURRENT_ACCOUNT_NAME() AS acct",
        Columns("ORG ACCT"),
        Rows([("LOCAL", "SNOWCAVE")]),
    ),
    documented(
        "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'",
        Rows([("T",)]),
    ),
    documented(
        "SELECT table_name, row_count FROM information_schema.tables WHERE table_type = 'VIEW'",
        Rows([("UPPER_T", None)]),
    ),
    documented(
        "SELECT * FROM nowhere",
        Refused(2003, "42S02", "Object 'NOWHERE' does not exist or not authorized."),
    ),
    documented("SELECT nothing FROM t", Refused(904, "42000", "invalid identifier 'NOTHING'")),
    documented("SELECT 'x'::int", Refused(100038, "22018", "Numeric value 'x' is not recognized")),
    documented(
        "MERGE INTO t USING (SELECT 2 AS id, 'Bo' AS who UNION ALL SELECT 9, 'Nine') s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET who = s.who "
        "WHEN NOT MATCHED THEN INSERT (id, who) VALUES (s.id, s.who)",
        Rows([(1, 1)]),
    ),
    documented(
        "MERGE INTO t USING (SELECT 9 AS id, 1 AS more UNION ALL SELECT 10, 2) s ON t.id = s.id "
        "WHEN MATCHED AND s.more = 1 THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.more + 1)",
        Rows([(1, 1)]),
    ),
    documented(
        "MERGE INTO t USING (SELECT 10 AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE",
        Rows([(1,)]),
    ),
]
REPORTS = [
    documented(
        "CREATE TABLE IF NOT EXISTS t (id INT)", status("T already exists, statement succeeded.")
    ),
    documented(
        "DROP TABLE IF EXISTS nowhere",
        status("Drop statement executed successfully (NOWHERE already dropped)."),
    ),
    documented(
        "DROP FUNCTION IF EXISTS nowhere(INT)",
        status("Drop statement executed successfully (NOWHERE already dropped)."),
    ),
    documented(
        "SELECT RATIO_TO_REPORT(n) OVER () FROM VALUES (1), (3) AS x (n) ORDER BY 1",
        Rows([(0.25,), (0.75,)]),
    ),
    documented(
        "SELECT index, value FROM TABLE(SPLIT_TO_TABLE('a.b', '.')) ORDER BY index",
        Columns("INDEX VALUE"),
        Rows([(1, "a"), (2, "b")]),
    ),
    documented(
        "SELECT TO_CHAR(12345.678, '999,999.00'), TO_VARCHAR(5, '000')",
        Rows([("  12,345.68", " 005")]),
    ),
    documented("EXECUTE IMMEDIATE 'SELECT ''it'''", Rows([("it",)])),
    documented("EXECUTE IMMEDIATE $$SELECT 2 AS two$$", Columns("TWO"), Rows([(2,)])),
]
NOT_BUILT = [
    _later(
        "ALTER TABLE t SWAP WITH elsewhere.u", unsupported("SWAP WITH a table of another schema")
    ),
    _later(
        "EXECUTE IMMEDIATE $$BEGIN RETURN 1; END$$", unsupported("EXECUTE IMMEDIATE of a block")
    ),
    _later("CALL p()", unsupported("CALL of a procedure")),
    _later("CREATE STREAM s ON TABLE t", unsupported("CREATE STREAM")),
]
EVENT_TABLES = [
    documented("CREATE EVENT TABLE e", status("Table E successfully created.")),
    documented("SHOW EVENT TABLES LIKE 'E'", one(name="E")),
    documented("SELECT record_type, value FROM e", Columns("RECORD_TYPE VALUE"), Rows([])),
    documented("DROP TABLE e", status("E successfully dropped.")),
]
RESULT_SCANS = [
    documented("SHOW TABLES", some(name="T")),
    documented(
        'SELECT "name" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) WHERE "name" = \'T\'',
        Columns("name"),
        Rows([("T",)]),
    ),
    documented("SHOW DATABASES LIKE 'ORDINARY'", one(name="ORDINARY")),
    documented(
        "SELECT COUNT(*) AS c FROM TABLE(RESULT_SCAN(LAST_QUERY_ID(-1))) WHERE \"owner\" = 'ACCOUNTADMIN'",
        Rows([(1,)]),
    ),
    documented("SHOW COMPUTE POOLS LIKE 'TUTORIAL%'", some(name="TUTORIAL_COMPUTE_POOL")),
    documented(
        'SELECT "instance_family", "min_nodes" + 1 AS m FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))',
        Rows([("CPU_X64_XS", 2)]),
    ),
    documented("SHOW IMAGE REPOSITORIES IN ACCOUNT", some(name="TUTORIAL_REPOSITORY")),
    documented(
        "SELECT \"repository_url\" LIKE '%/tutorial_db/data_schema/%' AS u "
        "FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) "
        "WHERE \"name\" = 'TUTORIAL_REPOSITORY'",
        Rows([(True,)]),
    ),
    documented(
        "SELECT * FROM TABLE(RESULT_SCAN('01b2c3d4-0000-0000-0000-000000000000'))",
        Refused(709, "02000", "not found"),
    ),
]
TRANSACTIONS = [
    documented("BEGIN", DONE),
    documented("INSERT INTO t (who) VALUES ('gone')", Rows([(1,)])),
    documented("ROLLBACK", DONE),
    documented("SELECT COUNT(*) FROM t WHERE who = 'gone'", Rows([(0,)])),
    documented("BEGIN TRANSACTION", DONE),
    documented("INSERT INTO t (who) VALUES ('kept')", Rows([(1,)])),
    documented("COMMIT", DONE),
    documented("SELECT COUNT(*) FROM t WHERE who = 'kept'", Rows([(1,)])),
]
FAMILIES = [
    Family(
        "ordinary",
        [*TABLES, *QUERIES, *REPORTS, *NOT_BUILT, *EVENT_TABLES, *RESULT_SCANS, *TRANSACTIONS],
        smoke=True,
    )
]
