"""Databases, schemas and warehouses."""

from tests.kit.statement_table.records import (
    DONE,
    KNOWN,
    NOTHING,
    Family,
    Listed,
    Refused,
    Rows,
    Without,
    documented,
    exists,
    missing,
    names,
    one,
    ours,
    some,
    status,
    validated,
    wrong_value,
)

_cli = validated("the statements that snow CLI 3.30 sends")

DATABASES = [
    documented(
        "CREATE DATABASE d_one COMMENT = 'first'", status("Database D_ONE successfully created.")
    ),
    documented("CREATE DATABASE d_one", exists("D_ONE")),
    documented(
        "CREATE DATABASE IF NOT EXISTS d_one", status("D_ONE already exists, statement succeeded.")
    ),
    documented("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()", Rows([("D_ONE", "PUBLIC")])),
    documented("CREATE OR REPLACE DATABASE d_one", status("Database D_ONE successfully created.")),
    documented("SHOW DATABASES LIKE 'd!_one' ", NOTHING),
    documented("SHOW DATABASES LIKE 'd_one'", one(name="D_ONE", owner="ACCOUNTADMIN")),
    documented("SHOW DATABASES STARTS WITH 'D_O' LIMIT 1", names("D_ONE")),
    documented("SHOW DATABASES", some(name="SNOWFLAKE"), some(name="D_ONE")),
    documented("USE DATABASE nowhere", missing("Database", "NOWHERE")),
    _cli('use database "D_ONE"', DONE),
    documented("ALTER DATABASE d_one SET COMMENT = 'changed'", DONE),
    documented("SHOW DATABASES LIKE 'D_ONE'", one(comment="changed")),
    documented("ALTER DATABASE nowhere SET COMMENT = 'x'", missing("Database", "NOWHERE")),
    documented("DROP DATABASE d_one", status("D_ONE successfully dropped.")),
    documented("DROP DATABASE d_one", missing("Database", "D_ONE")),
    documented(
        "DROP DATABASE IF EXISTS d_one",
        status("Drop statement executed successfully (D_ONE already dropped)."),
    ),
    documented("SHOW DATABASES", Without("D_ONE")),
]
SCHEMAS = [
    documented("USE DATABASE containers", DONE),
    documented("CREATE SCHEMA one", status("Schema ONE successfully created.")),
    documented("CREATE SCHEMA containers.one", exists("ONE")),
    documented(
        "CREATE SCHEMA IF NOT EXISTS one", status("ONE already exists, statement succeeded.")
    ),
    documented(
        "CREATE OR REPLACE SCHEMA one COMMENT = 'c'", status("Schema ONE successfully created.")
    ),
    documented("SELECT CURRENT_SCHEMA()", Rows([("ONE",)])),
    documented('CREATE SCHEMA "Mixed case"', status("Schema Mixed case successfully created.")),
    documented("CREATE SCHEMA nowhere.one", missing("Database", "NOWHERE")),
    documented(
        "SHOW SCHEMAS LIKE 'ONE'", one(name="ONE", database_name="CONTAINERS", comment="c")
    ),
    documented(
        "SHOW SCHEMAS IN DATABASE containers", some(name="PUBLIC"), some(name="Mixed case")
    ),
    documented("SHOW SCHEMAS IN DATABASE nowhere", missing("Database", "NOWHERE")),
    documented("USE SCHEMA nowhere", missing("Schema", "CONTAINERS.NOWHERE")),
    documented("USE SCHEMA containers.public", DONE),
    documented('USE SCHEMA "Mixed case"', DONE),
    documented("SELECT CURRENT_SCHEMA()", Rows([("Mixed case",)])),
    documented(
        "SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('one') = SYSTEM$GET_SERVICE_DNS_DOMAIN('containers.one')",
        Rows([(True,)]),
    ),
    documented('DROP SCHEMA "Mixed case"', status("Mixed case successfully dropped.")),
    documented("SELECT CURRENT_SCHEMA()", Rows([(None,)])),
    documented("DROP SCHEMA IF EXISTS one CASCADE", status("ONE successfully dropped.")),
    documented(
        "DROP SCHEMA one", Refused(2003, "02000", "ONE' does not exist or not authorized.")
    ),
    documented("CREATE IMAGE REPOSITORY r", Refused(90105, "22000", KNOWN)),
    documented("USE SCHEMA public", DONE),
]
WAREHOUSES = [
    documented(
        "CREATE OR REPLACE WAREHOUSE w_one WITH WAREHOUSE_SIZE='X-SMALL' AUTO_SUSPEND=180 AUTO_RESUME=true "
        "INITIALLY_SUSPENDED=false",
        status("Warehouse W_ONE successfully created."),
    ),
    documented("SELECT CURRENT_WAREHOUSE()", Rows([("W_ONE",)])),
    documented("CREATE WAREHOUSE w_one", exists("W_ONE")),
    documented(
        "CREATE WAREHOUSE IF NOT EXISTS w_one",
        status("W_ONE already exists, statement succeeded."),
    ),
    documented(
        "SHOW WAREHOUSES LIKE 'w_one'", one(name="W_ONE", size="X-Small", auto_suspend=180)
    ),
    _cli('use warehouse "W_ONE"', DONE),
    ours("USE WAREHOUSE nowhere", missing("Warehouse", "NOWHERE")),
    documented("ALTER WAREHOUSE w_one SUSPEND", DONE),
    documented("ALTER WAREHOUSE w_one RESUME IF SUSPENDED", DONE),
    documented("ALTER WAREHOUSE w_one SET WAREHOUSE_SIZE = SMALL COMMENT = 'c'", DONE),
    documented("SHOW WAREHOUSES LIKE 'w_one'", one(size="Small", comment="c")),
    ours(
        "ALTER WAREHOUSE w_one SET COLOUR = 'red'",
        wrong_value("invalid property 'COLOUR' for 'WAREHOUSE'"),
    ),
    documented("DROP WAREHOUSE w_one", status("W_ONE successfully dropped.")),
    documented("DROP WAREHOUSE w_one", missing("Warehouse", "W_ONE")),
]
PARAMETERS = [
    documented("SHOW PARAMETERS LIKE 'TIMEZONE'", Listed(["TIMEZONE"], "key")),
    _cli("alter session set PYTHON_CONNECTOR_QUERY_RESULT_FORMAT = 'json'", DONE),
    documented("ALTER SESSION SET TIMEZONE = 'America/New_York'", DONE),
    documented(
        "SHOW PARAMETERS LIKE 'TimeZone' IN SESSION",
        one(key="TIMEZONE", value="America/New_York"),
    ),
    documented("ALTER SESSION UNSET TIMEZONE", DONE),
    documented("ALTER SESSION SET TIMEZONE = 'Nowhere'", Refused(1008, "22023", "Nowhere")),
    documented("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 60", DONE),
    documented(
        "SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS'", one(value="60", default="172800")
    ),
    _cli("show parameters like 'event_table' in account", Listed(["EVENT_TABLE"], "key")),
    documented("SET (a, b) = (1, 'two')", DONE),
    documented("SHOW VARIABLES", Listed(["A", "B"])),
    documented("SELECT $a + 1, $b", Rows([(2, "two")])),
    documented("UNSET a", DONE),
    documented("SELECT $a", Refused(2211, "02000", "Session variable '$A' does not exist")),
]
FAMILIES = [Family("containers", [*DATABASES, *SCHEMAS, *WAREHOUSES, *PARAMETERS], smoke=True)]
