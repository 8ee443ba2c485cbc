"""What the tutorials' first steps type, to the letter, after the statements of `ordinary_statements`.

In one session, in this order.
"""

from tests.kit.ordinary_statements import Case, a_row, done, includes, names, status

BEGINNING = [
    done("USE ROLE accountadmin"),
    status("CREATE USER me", "User ME successfully created."),
    status(
        "CREATE DATABASE IF NOT EXISTS tutorial_db", "Database TUTORIAL_DB successfully created."
    ),
    status(
        "CREATE SCHEMA IF NOT EXISTS tutorial_db.data_schema",
        "Schema DATA_SCHEMA successfully created.",
    ),
    done("USE DATABASE tutorial_db"),
    done("USE SCHEMA data_schema"),
    done("USE ROLE sysadmin"),
    Case("USE WAREHOUSE tutorial_warehouse", error=2003),
    status(
        "CREATE OR REPLACE WAREHOUSE tutorial_warehouse WITH WAREHOUSE_SIZE='X-SMALL' AUTO_SUSPEND=180 "
        "AUTO_RESUME=true INITIALLY_SUSPENDED=false",
        "Warehouse TUTORIAL_WAREHOUSE successfully created.",
    ),
    done("USE WAREHOUSE tutorial_warehouse"),
    done("USE ROLE accountadmin"),
    status("CREATE ROLE IF NOT EXISTS test_role", "Role TEST_ROLE successfully created."),
    done("GRANT ROLE test_role TO USER me"),
    Case(
        "GRANT OWNERSHIP ON DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS",
        check=lambda rows: len(rows) == 1,
    ),
    done("GRANT USAGE ON SCHEMA tutorial_db.data_schema TO ROLE test_role"),
    Case("SHOW GRANTS TO ROLE test_role", check=includes("OWNERSHIP", "USAGE")),
]
TABLES = [
    status(
        "CREATE OR REPLACE TABLE message_store (id INT AUTOINCREMENT, name VARCHAR(20), greeting STRING, "
        "ts TIMESTAMP_NTZ DEFAULT CURRENT_TIMESTAMP())",
        "Table MESSAGE_STORE successfully created.",
    ),
    Case(
        "INSERT INTO message_store (name, greeting) "
        "VALUES ('Thank you','hi'), ('Hello','yo'), ('Hello','z')",
        [(3,)],
    ),
    Case(
        "SELECT * FROM message_store ORDER BY id",
        check=lambda rows: [row[0] for row in rows] == [1, 2, 3],
    ),
    Case("UPDATE message_store SET greeting='x' WHERE name='Hello'", [(2, 0)]),
    Case("DELETE FROM message_store WHERE greeting='hi'", [(1,)]),
    status(
        "CREATE TABLE wordcount AS SELECT name, count(*) AS n FROM message_store GROUP BY 1",
        "Table WORDCOUNT successfully created.",
    ),
    Case(
        "SELECT DATEADD(hour,-1,CURRENT_TIMESTAMP()), DATEDIFF('day','2024-01-01','2024-03-01'), "
        "DATE_TRUNC('month','2024-03-15'::date)",
        check=lambda rows: (
            len(rows) == 1 and rows[0][1] == 60 and str(rows[0][2])[:10] == "2024-03-01"
        ),
    ),
    Case(
        "SELECT OBJECT_CONSTRUCT('a',1,'b',NULL), ARRAY_AGG(name) WITHIN GROUP (ORDER BY name), "
        "OBJECT_AGG(name, n) FROM wordcount GROUP BY ALL",
        [('{"a":1}', '["Hello"]', '{"Hello":2}')],
    ),
    Case("SHOW SCHEMAS IN DATABASE tutorial_db", check=includes("DATA_SCHEMA", "PUBLIC")),
    Case("SHOW TABLES LIKE 'MESSAGE%' IN SCHEMA data_schema", check=names("MESSAGE_STORE")),
    Case("SHOW COLUMNS IN TABLE message_store", check=names("ID", "NAME", "GREETING", "TS", at=2)),
    Case("DESCRIBE TABLE message_store", check=names("ID", "NAME", "GREETING", "TS", at=0)),
    Case("DESC DATABASE tutorial_db", check=includes("DATA_SCHEMA", "PUBLIC")),
    Case(
        "SELECT table_name, row_count FROM information_schema.tables "
        "WHERE table_schema='DATA_SCHEMA' ORDER BY 1",
        check=names("MESSAGE_STORE", "WORDCOUNT", at=0),
    ),
    Case(
        "SELECT column_name, data_type FROM tutorial_db.information_schema.columns "
        "WHERE table_name='MESSAGE_STORE' ORDER BY ordinal_position",
        [("ID", "NUMBER"), ("NAME", "TEXT"), ("GREETING", "TEXT"), ("TS", "TIMESTAMP_NTZ")],
    ),
]
EVENTS = [
    Case(
        "CREATE EVENT TABLE tutorial_db.data_schema.my_events",
        rows=[("Table MY_EVENTS successfully created.",)],
    ),
    Case(
        "ALTER ACCOUNT SET EVENT_TABLE = tutorial_db.data_schema.my_events",
        rows=[("Statement executed successfully.",)],
    ),
    status(
        "CREATE OR REPLACE TABLE events (timestamp TIMESTAMP_NTZ, resource_attributes OBJECT, "
        "record_attributes OBJECT, value VARIANT)",
        "Table EVENTS successfully created.",
    ),
    Case(
        "INSERT INTO events SELECT CURRENT_TIMESTAMP(), "
        'PARSE_JSON(\'{"snow.executable.type":"SnowparkContainers"}\'), '
        "PARSE_JSON('{\"log.iostream\":\"stdout\"}'), TO_VARIANT('line')",
        [(1,)],
    ),
    Case(
        "SELECT TIMESTAMP, RESOURCE_ATTRIBUTES, RECORD_ATTRIBUTES, VALUE\nFROM events\n"
        "WHERE timestamp > dateadd(hour, -1, current_timestamp())\n"
        "AND RESOURCE_ATTRIBUTES:\"snow.executable.type\" = 'SnowparkContainers'\n"
        "ORDER BY timestamp DESC\nLIMIT 10",
        check=a_row(
            None,
            '{"snow.executable.type":"SnowparkContainers"}',
            '{"log.iostream":"stdout"}',
            '"line"',
        ),
    ),
]
STAGES = [
    status(
        "CREATE STAGE IF NOT EXISTS tutorial_stage DIRECTORY = (ENABLE = TRUE)",
        "Stage area TUTORIAL_STAGE successfully created.",
    ),
    Case("DESC STAGE tutorial_stage", check=includes("ENABLE")),
    Case(
        "PUT file://{folder}/spec.yaml @tutorial_stage AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
        check=names("spec.yaml", at=0),
    ),
    Case(
        "PUT file://{folder}/in.csv @tutorial_stage/data/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
        check=names("in.csv", at=0),
    ),
    Case(
        "LIST @tutorial_stage",
        check=names("tutorial_stage/data/in.csv", "tutorial_stage/spec.yaml", at=0),
    ),
    Case("LS @tutorial_stage/data", check=names("tutorial_stage/data/in.csv", at=0)),
    status(
        "CREATE OR REPLACE TABLE people (id INT, name STRING)",
        "Table PEOPLE successfully created.",
    ),
    Case(
        "COPY INTO people FROM @tutorial_stage/data/ FILE_FORMAT=(TYPE=CSV SKIP_HEADER=1)",
        check=lambda rows: [row[1:4] for row in rows] == [("LOADED", 2, 2)],
    ),
    Case(
        "SELECT $1, $2 FROM @tutorial_stage/data/in.csv",
        [("id", "name"), ("1", "Ann"), ("2", "Bob")],
    ),
    Case(
        "GET @tutorial_stage/spec.yaml file://{folder}/out/", [("spec.yaml", 8, "DOWNLOADED", "")]
    ),
    Case(
        "COPY INTO @tutorial_stage/out/ FROM people FILE_FORMAT=(TYPE=PARQUET)",
        error=2,
    ),
    Case("REMOVE @tutorial_stage/data/", [("tutorial_stage/data/in.csv", "removed")]),
]
ENDING = [
    Case("SELECT 42 AS answer", [(42,)]),
    Case("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))", [(42,)]),
    Case(
        "SELECT UUID_STRING(), MD5('a'), SHA2('a'), BASE64_ENCODE('x'), RANDSTR(5,RANDOM())",
        check=a_row(None, "0cc175b9c0f1b6a831c399e269772661", None, "eA==", None),
    ),
    status(
        "CREATE IMAGE REPOSITORY IF NOT EXISTS tutorial_repository",
        "Image Repository TUTORIAL_REPOSITORY successfully created.",
    ),
    status("DROP TABLE IF EXISTS wordcount", "WORDCOUNT successfully dropped."),
    Case("UNDROP TABLE wordcount", error=2),
    status("DROP STAGE tutorial_stage", "TUTORIAL_STAGE successfully dropped."),
]
TUTORIAL = [*BEGINNING, *TABLES, *EVENTS, *STAGES, *ENDING]
