"""Statements that people write beside services, in the order in which one session runs them.

Each with what it answers: the rows, a look at them, or the number of the error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    sql: str
    rows: Rows | None = None
    check: Callable[[Rows], bool] | None = None
    error: int | None = None
    binds: tuple[Any, ...] = ()

    def is_answered_by(self, rows: Rows) -> bool:
        if self.rows is not None:
            return rows == self.rows
        return self.check(rows) if self.check else True


def moment(*parts: int) -> datetime:
    """Of a TIMESTAMP_NTZ."""
    year, month, day, hour, minute, second = (*parts, 0, 0, 0)[:6]
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001


def status(sql: str, text: str) -> Case:
    return Case(sql, [(text,)])


def done(sql: str) -> Case:
    return status(sql, "Statement executed successfully.")


def names(*wanted: str, at: int = 1) -> Callable[[Rows], bool]:
    return lambda rows: [row[at] for row in rows] == list(wanted)


def includes(*wanted: str, at: int = 1) -> Callable[[Rows], bool]:
    return lambda rows: set(wanted) <= {row[at] for row in rows}


def a_row(*wanted: Any) -> Callable[[Rows], bool]:
    """One row; None stands for a value that is not looked at."""
    return lambda rows: (
        len(rows) == 1
        and all(w is None or got == w for w, got in zip(wanted, rows[0], strict=True))
    )


CONTEXT = [
    status("CREATE DATABASE IF NOT EXISTS shop", "Database SHOP successfully created."),
    status("CREATE SCHEMA IF NOT EXISTS shop.front", "Schema FRONT successfully created."),
    done("USE DATABASE shop"),
    done("USE SCHEMA front"),
    done("USE ROLE accountadmin"),
    Case("USE WAREHOUSE small", error=2003),
    status(
        "CREATE OR REPLACE WAREHOUSE small WITH WAREHOUSE_SIZE='X-SMALL' AUTO_SUSPEND=180 "
        "AUTO_RESUME=true INITIALLY_SUSPENDED=false",
        "Warehouse SMALL successfully created.",
    ),
    status("CREATE ROLE IF NOT EXISTS clerk", "Role CLERK successfully created."),
    done("GRANT ROLE clerk TO USER admin"),
    done("GRANT USAGE ON DATABASE shop TO ROLE clerk"),
    done("GRANT USAGE ON SCHEMA shop.front TO ROLE clerk"),
    Case("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()", [("SHOP", "FRONT")]),
    Case(
        "SELECT CURRENT_ROLE(), CURRENT_USER(), CURRENT_WAREHOUSE()",
        [("ACCOUNTADMIN", "ADMIN", "SMALL")],
    ),
]
CHANGES = [
    status(
        "CREATE OR REPLACE TABLE orders (id INT AUTOINCREMENT, buyer VARCHAR(20), note STRING, "
        "at TIMESTAMP_NTZ DEFAULT CURRENT_TIMESTAMP())",
        "Table ORDERS successfully created.",
    ),
    Case("INSERT INTO orders (buyer, note) VALUES ('Ann','a'), ('Bob','b'), ('Bob','c')", [(3,)]),
    Case(
        "SELECT * FROM orders ORDER BY id",
        check=lambda rows: (
            [row[:3] for row in rows] == [(1, "Ann", "a"), (2, "Bob", "b"), (3, "Bob", "c")]
        ),
    ),
    Case("UPDATE orders SET note='x' WHERE buyer='Bob'", [(2, 0)]),
    Case("DELETE FROM orders WHERE note='a'", [(1,)]),
    status(
        "CREATE TABLE buyers AS SELECT buyer, count(*) AS n FROM orders GROUP BY 1",
        "Table BUYERS successfully created.",
    ),
    status(
        "CREATE OR REPLACE TABLE typed (n NUMBER(10,2), f FLOAT, b BOOLEAN, d DATE, t TIME, "
        "tz TIMESTAMP_TZ, ltz TIMESTAMP_LTZ, bin BINARY, v VARIANT, a ARRAY, o OBJECT)",
        "Table TYPED successfully created.",
    ),
    Case(
        "INSERT INTO typed SELECT 1.25, 2.5, true, '2024-02-29', '12:34:56', "
        "'2024-01-01 00:00:00 +0200', '2024-01-01'::timestamp_ltz, TO_BINARY('AB','HEX'), "
        "PARSE_JSON('{\"k\":[1,2]}'), ARRAY_CONSTRUCT(1,2), OBJECT_CONSTRUCT('a',1)",
        [(1,)],
    ),
    Case(
        "SELECT * FROM typed",
        [
            (
                Decimal("1.25"),
                2.5,
                True,
                date(2024, 2, 29),
                time(12, 34, 56),
                datetime(2023, 12, 31, 22, tzinfo=UTC),
                datetime(2024, 1, 1, tzinfo=UTC),
                b"\xab",
                '{"k":[1,2]}',
                "[1,2]",
                '{"a":1}',
            )
        ],
    ),
]
VALUES = [
    Case(
        "SELECT DATEADD(hour,-1,'2024-01-01'::timestamp_ntz), DATEDIFF('day','2024-01-01','2024-03-01'), "
        "DATE_TRUNC('month','2024-03-15'::timestamp_ntz)",
        [(moment(2023, 12, 31, 23), 60, moment(2024, 3, 1))],
    ),
    Case(
        "SELECT TO_TIMESTAMP_NTZ(1700000000), TO_DATE('2024-01-31'), TO_CHAR('2024-01-31'::date,'YYYY-MM')",
        [(moment(2023, 11, 14, 22, 13, 20), date(2024, 1, 31), "2024-01")],
    ),
    Case(
        "SELECT CONVERT_TIMEZONE('UTC','America/New_York','2024-01-01 12:00:00'::timestamp_ntz)",
        [(moment(2024, 1, 1, 7),)],
    ),
    Case(
        "SELECT CURRENT_TIMESTAMP() - INTERVAL '1 hour', SYSDATE(), LAST_DAY('2024-02-01'::date)",
        check=a_row(None, None, date(2024, 2, 29)),
    ),
    Case('SELECT PARSE_JSON(\'{"a":{"b":5}}\'):a.b::int', [(5,)]),
    Case("SELECT v:k[1]::int, a[0], o:a, TYPEOF(v:k) FROM typed", [(2, "1", "1", "ARRAY")]),
    Case(
        "SELECT f.value::int AS x, f.index FROM typed, LATERAL FLATTEN(input => v:k) f ORDER BY 1",
        [(1, 0), (2, 1)],
    ),
    Case(
        "SELECT OBJECT_CONSTRUCT('a',1,'b',NULL), ARRAY_AGG(buyer) WITHIN GROUP (ORDER BY buyer), "
        "OBJECT_AGG(buyer, n) FROM buyers GROUP BY ALL",
        [('{"a":1}', '["Bob"]', '{"Bob":2}')],
    ),
    Case(
        "SELECT GET_PATH(PARSE_JSON('{\"a\":[{\"b\":1}]}'),'a[0].b')::int, TRY_PARSE_JSON('{bad'), "
        "TO_JSON(PARSE_JSON('{\"z\":1}'))",
        [(1, None, '{"z":1}')],
    ),
    Case("SELECT TO_VARCHAR(PARSE_JSON('\"x\"'))", [("x",)]),
    Case(
        "SELECT ARRAY_CONTAINS(2::variant, a), v:k[0] = 1, v:k[0] IN (1, 2) FROM typed",
        [(True,) * 3],
    ),
    Case("SELECT 1/0", error=100051),
    Case("SELECT sum(n), sum(id) FROM typed, orders", [(Decimal("2.50"), 5)]),
]
EVENTS = [
    Case(
        "CREATE EVENT TABLE shop.front.my_events",
        rows=[("Table MY_EVENTS successfully created.",)],
    ),
    Case(
        "ALTER ACCOUNT SET EVENT_TABLE = shop.front.my_events",
        rows=[("Statement executed successfully.",)],
    ),
    Case("SHOW PARAMETERS LIKE 'event_table' IN ACCOUNT", check=names("EVENT_TABLE", at=0)),
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
        "SELECT RECORD_ATTRIBUTES, VALUE FROM events "
        "WHERE timestamp > dateadd(hour, -1, current_timestamp()) "
        "AND RESOURCE_ATTRIBUTES:\"snow.executable.type\" = 'SnowparkContainers' "
        "AND value LIKE 'li%' ORDER BY timestamp DESC LIMIT 10",
        [('{"log.iostream":"stdout"}', '"line"')],
    ),
]
SHOWS = [
    Case("SHOW DATABASES", check=includes("SHOP", "SNOWFLAKE")),
    Case("SHOW SCHEMAS IN DATABASE shop", check=includes("FRONT", "PUBLIC")),
    Case("SHOW TABLES LIKE 'ORD%' IN SCHEMA front", check=names("ORDERS")),
    Case("SHOW TABLES", check=names("BUYERS", "EVENTS", "MY_EVENTS", "ORDERS", "TYPED")),
    Case("SHOW COLUMNS IN TABLE orders", check=names("ID", "BUYER", "NOTE", "AT", at=2)),
    Case("SHOW WAREHOUSES", check=names("SMALL", at=0)),
    Case("SHOW ROLES", check=includes("ACCOUNTADMIN", "CLERK")),
    Case("SHOW GRANTS TO ROLE clerk", check=includes("USAGE")),
    Case("SHOW FUNCTIONS LIKE 'MY_ECHO%'", []),
    Case("SHOW VIEWS", []),
    Case("SHOW PARAMETERS LIKE 'TIMEZONE'", check=names("TIMEZONE", at=0)),
    Case("DESCRIBE TABLE orders", check=names("ID", "BUYER", "NOTE", "AT", at=0)),
    Case("DESC DATABASE shop", check=includes("FRONT", "PUBLIC")),
    Case(
        "SELECT table_name, row_count FROM information_schema.tables WHERE table_schema='FRONT' "
        "AND table_name < 'C' ORDER BY 1",
        [("BUYERS", 1)],
    ),
    Case(
        "SELECT column_name, data_type FROM shop.information_schema.columns WHERE table_name='ORDERS' "
        "ORDER BY ordinal_position",
        [("ID", "NUMBER"), ("BUYER", "TEXT"), ("NOTE", "TEXT"), ("AT", "TIMESTAMP_NTZ")],
    ),
]
# {folder}: one that holds SPEC as spec.yaml and PEOPLE as in.csv.
SPEC = "spec: 1\n"
PEOPLE = "id,name\n1,Ann\n2,Bob\n"
STAGES = [
    Case("SHOW STAGES", []),
    status(
        "CREATE STAGE IF NOT EXISTS files DIRECTORY = (ENABLE = TRUE)",
        "Stage area FILES successfully created.",
    ),
    Case("SHOW STAGES", check=names("FILES")),
    Case("DESC STAGE files", check=includes("ENABLE")),
    Case(
        "PUT file://{folder}/spec.yaml @files AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
        [("spec.yaml", "spec.yaml", 8, 8, "NONE", "NONE", "UPLOADED", "")],
    ),
    Case(
        "PUT file://{folder}/in.csv @files/data/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
        check=names("in.csv", at=0),
    ),
    Case("LIST @files", check=names("files/data/in.csv", "files/spec.yaml", at=0)),
    Case("LS @files/data", check=names("files/data/in.csv", at=0)),
    status(
        "CREATE OR REPLACE TABLE people (id INT, name STRING)",
        "Table PEOPLE successfully created.",
    ),
    Case(
        "COPY INTO people FROM @files/data/ FILE_FORMAT=(TYPE=CSV SKIP_HEADER=1)",
        check=lambda rows: [row[1:4] for row in rows] == [("LOADED", 2, 2)],
    ),
    Case("SELECT * FROM people ORDER BY id", [(1, "Ann"), (2, "Bob")]),
    Case("SELECT $1, $2 FROM @files/data/in.csv", [("id", "name"), ("1", "Ann"), ("2", "Bob")]),
    Case("GET @files/spec.yaml file://{folder}/out/", [("spec.yaml", 8, "DOWNLOADED", "")]),
    Case("COPY INTO @files/out/ FROM people FILE_FORMAT=(TYPE=PARQUET)", error=2),
    Case("REMOVE @files/data/", [("files/data/in.csv", "removed")]),
    status("DROP STAGE files", "FILES successfully dropped."),
]
TRANSACTIONS = [
    done("BEGIN"),
    Case("INSERT INTO people VALUES (3,'tmp')", [(1,)]),
    Case("SELECT * FROM nowhere", error=2003),
    Case("SELECT count(*) FROM people", [(3,)]),
    done("ROLLBACK"),
    Case("SELECT count(*) FROM people", [(2,)]),
    done("SET my_id = 2"),
    Case("SELECT name FROM people WHERE id = $my_id", [("Bob",)]),
    done("SET (a, b) = (1, 'two')"),
    Case("SHOW VARIABLES", check=names("A", "B", "MY_ID", at=3)),
    done("UNSET my_id"),
    Case("SELECT 42 AS answer", [(42,)]),
    Case("SELECT answer + 1 FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) WHERE answer > 1", [(43,)]),
]
QUERIES = [
    status(
        "CREATE OR REPLACE VIEW pv AS SELECT id, upper(name) AS un FROM people",
        "View PV successfully created.",
    ),
    Case("SELECT un FROM pv ORDER BY id", [("ANN",), ("BOB",)]),
    Case(
        "MERGE INTO people t USING (SELECT 2 id, 'Stephen' name UNION ALL SELECT 9,'Nine') s ON t.id=s.id "
        "WHEN MATCHED THEN UPDATE SET name=s.name "
        "WHEN NOT MATCHED THEN INSERT (id,name) VALUES (s.id,s.name)",
        [(1, 1)],
    ),
    Case(
        "SELECT id, name FROM people QUALIFY ROW_NUMBER() OVER (PARTITION BY id%2 ORDER BY id DESC)=1 "
        "ORDER BY id",
        [(2, "Stephen"), (9, "Nine")],
    ),
    Case(
        "SELECT IFF(1>0,'a','b'), NVL(NULL,1), ZEROIFNULL(NULL), DECODE(1,1,'x','y'), "
        "SPLIT_PART('a,b',',',2), REGEXP_LIKE('abc','a.*')",
        [("a", 1, 0, "x", "b", True)],
    ),
    Case(
        "SELECT seq4() AS s, uniform(1,10,random()) FROM TABLE(GENERATOR(ROWCOUNT=>100))",
        check=lambda rows: len(rows) == 100 and all(1 <= row[1] <= 10 for row in rows),
    ),
    Case(
        "SELECT LISTAGG(name, ',') WITHIN GROUP (ORDER BY id) FROM people",
        [("Ann,Stephen,Nine",)],
    ),
    Case(
        "SELECT MD5('a'), SHA2('a'), BASE64_ENCODE('x'), LENGTH(RANDSTR(5,RANDOM())), LENGTH(UUID_STRING())",
        check=a_row("0cc175b9c0f1b6a831c399e269772661", None, "eA==", 5, 36),
    ),
    Case(
        "SELECT * FROM (SELECT id, name FROM people) PIVOT (count(name) FOR id IN (1,2))",
        [(1, 1)],
    ),
    Case(
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM r WHERE n<5) SELECT sum(n) FROM r",
        [(15,)],
    ),
    Case("SELECT %s, %s", [(1, "a")], binds=(1, "a")),
    Case(
        "SELECT RATIO_TO_REPORT(n) OVER () FROM VALUES (1), (3) AS x (n) ORDER BY 1",
        [(0.25,), (0.75,)],
    ),
    Case("SELECT value FROM TABLE(SPLIT_TO_TABLE('a.b', '.')) ORDER BY index", [("a",), ("b",)]),
    Case("SELECT TO_CHAR(1234.5, '9,990.00'), TO_CHAR(5, '000')", [(" 1,234.50", " 005")]),
    Case("EXECUTE IMMEDIATE $$SELECT 'x'$$", [("x",)]),
    Case("EXECUTE IMMEDIATE $$BEGIN RETURN 1; END$$", error=2),
]
DEFINITIONS = [
    Case("CREATE TABLE people2 CLONE people", check=lambda rows: len(rows) == 1),
    done("ALTER TABLE people ADD COLUMN age INT"),
    done("ALTER TABLE people RENAME TO persons"),
    done("TRUNCATE TABLE people2"),
    done("TRUNCATE TABLE IF EXISTS nowhere"),
    Case("SELECT count(*) FROM people2", [(0,)]),
    status("CREATE SEQUENCE sq START 5", "Sequence SQ successfully created."),
    Case("SELECT sq.NEXTVAL", [(5,)]),
    status(
        "CREATE OR REPLACE FUNCTION addone(i INT) RETURNS INT LANGUAGE SQL AS 'i+1'",
        "Function ADDONE successfully created.",
    ),
    Case("SELECT addone(2)", [(3,)]),
    Case(
        "CREATE OR REPLACE PROCEDURE p() RETURNS VARCHAR LANGUAGE SQL AS $$ BEGIN RETURN 'x'; END $$",
        error=2,
    ),
    Case("CALL p()", error=2),
    status(
        "CREATE IMAGE REPOSITORY IF NOT EXISTS images",
        "Image Repository IMAGES successfully created.",
    ),
    status(
        "CREATE SECRET sec TYPE=GENERIC_STRING SECRET_STRING='abc'",
        "Secret SEC successfully created.",
    ),
    Case(
        "CREATE NETWORK RULE nr TYPE=HOST_PORT MODE=EGRESS VALUE_LIST=('translation.googleapis.com')",
        check=lambda rows: len(rows) == 1,
    ),
    Case(
        "CREATE EXTERNAL ACCESS INTEGRATION eai ALLOWED_NETWORK_RULES=(nr) ENABLED=true",
        check=lambda rows: len(rows) == 1,
    ),
    done("ALTER SESSION SET TIMEZONE='America/New_York'"),
    Case(
        "SELECT '2024-01-01'::timestamp_ltz = '2024-01-01 05:00:00 +0000'::timestamp_tz", [(True,)]
    ),
    Case("ALTER SESSION SET TIMEZONE='Nowhere'", error=1008),
    Case(
        "SELECT CURRENT_VERSION(), CURRENT_ACCOUNT(), CURRENT_SESSION()",
        check=a_row(None, "SNOWCAVE", None),
    ),
    Case(
        "SELECT SYSTEM$TYPEOF(1), SYSTEM$TYPEOF('abc')", [("NUMBER(1,0)[SB1]", "VARCHAR(3)[LOB]")]
    ),
    status("DROP TABLE IF EXISTS buyers", "BUYERS successfully dropped."),
    Case("UNDROP TABLE buyers", error=2),
]
ACCESS = [
    status("CREATE DATABASE vault", "Database VAULT successfully created."),
    status("CREATE TABLE vault.public.gold (n INT)", "Table GOLD successfully created."),
    done("GRANT SELECT ON TABLE shop.front.orders TO ROLE clerk"),
    done("USE SCHEMA shop.front"),
    done("USE ROLE clerk"),
    Case("SELECT count(*) FROM shop.front.orders", [(2,)]),
    Case("SELECT * FROM vault.public.gold", error=2003),
    Case("INSERT INTO vault.public.gold VALUES (1)", error=2003),
    Case("SELECT count(*) FROM orders WHERE id IN (SELECT n FROM vault.public.gold)", error=2003),
    Case("SHOW TABLES IN ACCOUNT", check=lambda rows: "GOLD" not in {row[1] for row in rows}),
]
STATEMENTS = [
    *CONTEXT,
    *CHANGES,
    *VALUES,
    *EVENTS,
    *SHOWS,
    *STAGES,
    *TRANSACTIONS,
    *QUERIES,
    *DEFINITIONS,
    *ACCESS,
]
