"""Stages and their files."""

from tests.kit.statement_table.records import (
    DONE,
    NOTHING,
    Columns,
    Family,
    Listed,
    Rows,
    documented,
    exists,
    missing,
    names,
    one,
    ours,
    some,
    status,
    unsupported,
    validated,
)

_cli = validated("the statements that snow CLI 3.30 sends")
_connector = validated("recorded exchanges of snowflake-connector-python 4.7.5")

_LIST = "name size md5 last_modified"
_PUT = "source target source_size target_size source_compression target_compression status message"

STATEMENTS = [
    documented("SHOW STAGES", NOTHING),
    _cli(
        "create stage if not exists IDENTIFIER('st') encryption = (type = 'SNOWFLAKE_FULL')",
        status("Stage area ST successfully created."),
    ),
    documented("CREATE STAGE st", exists("ST")),
    documented(
        "CREATE OR REPLACE STAGE st DIRECTORY = ( ENABLE = true ) COMMENT = 'c'",
        status("Stage area ST successfully created."),
    ),
    documented("SHOW STAGES LIKE 'st'", one(name="ST", database_name="STAGES", comment="c")),
    _cli("show terse stages like '%%'", some(name="ST")),
    documented("DESC STAGE st", some(property="ENABLE", property_value="true")),
    _connector(
        "PUT file://{folder}/in.csv @st AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
        Columns(_PUT),
        one(
            source="in.csv",
            target="in.csv",
            source_size=20,
            target_size=20,
            source_compression="NONE",
            target_compression="NONE",
            status="UPLOADED",
        ),
    ),
    _connector(
        "PUT file://{folder}/in.csv @st/zipped",
        one(target="in.csv.gz", target_compression="GZIP", status="UPLOADED"),
    ),
    _cli(
        "put file://{folder}/in.csv @st/dir auto_compress=false parallel=4 overwrite=False",
        one(status="UPLOADED"),
    ),
    _cli(
        "ls @st",
        Columns(_LIST),
        Listed(["st/dir/in.csv", "st/in.csv", "st/zipped/in.csv.gz"]),
        some(name="st/in.csv", size=20),
    ),
    documented("LIST @stages.public.st/dir", Columns(_LIST), names("st/dir/in.csv")),
    documented("LIST @st PATTERN='.*gz'", names("st/zipped/in.csv.gz")),
    documented("LIST @nowhere", missing("Stage", "STAGES.PUBLIC.NOWHERE")),
    _cli(
        "get @st/dir file://{folder}/ parallel=4",
        Columns("file size status message"),
        one(file="in.csv", size=20, status="DOWNLOADED"),
    ),
    documented(
        "CREATE TABLE people (id INT, name STRING)", status("Table PEOPLE successfully created.")
    ),
    documented(
        "COPY INTO people FROM @st/in.csv FILE_FORMAT=(TYPE=CSV SKIP_HEADER=1)",
        one(status="LOADED", rows_parsed=2, rows_loaded=2),
    ),
    documented("SELECT * FROM people ORDER BY id", Rows([(1, "Ann"), (2, "Bob")])),
    documented(
        "CREATE FILE FORMAT headed TYPE=CSV SKIP_HEADER=1",
        status("File format HEADED successfully created."),
    ),
    documented(
        "COPY INTO people FROM @st/in.csv FILE_FORMAT=(FORMAT_NAME=headed) FORCE=TRUE",
        one(status="LOADED", rows_loaded=2),
    ),
    ours(
        "COPY INTO people FROM @st/in.csv FILE_FORMAT='headed' FORCE=TRUE",
        one(status="LOADED", rows_loaded=2),
    ),
    documented("SHOW FILE FORMATS", one(name="HEADED", type="CSV", owner_role_type="ROLE")),
    documented("GRANT USAGE ON FILE FORMAT headed TO ROLE PUBLIC", DONE),
    documented(
        "SHOW GRANTS ON FILE FORMAT headed",
        some(privilege="USAGE", granted_on="FILE_FORMAT", grantee_name="PUBLIC"),
    ),
    documented("DESCRIBE FILE FORMAT headed", some(property="SKIP_HEADER", property_value="1")),
    documented("DROP FILE FORMAT headed", status("HEADED successfully dropped.")),
    documented("SELECT $2 FROM @st/in.csv", Rows([("name",), ("Ann",), ("Bob",)])),
    _cli("remove @st/dir/in.csv", Columns("name result"), Rows([("st/dir/in.csv", "removed")])),
    documented("RM @st/zipped", Listed(["st/zipped/in.csv.gz"])),
    documented("LIST @st", names("st/in.csv")),
    documented("ALTER STAGE st REFRESH", Columns("status")),
    documented("ALTER STAGE st SET COMMENT = 'other'", DONE),
    ours("LIST @~", unsupported("user and table stages")),
    documented("PUT file://{folder}/in.csv @nowhere", missing("Stage", "STAGES.PUBLIC.NOWHERE")),
    documented(
        "CREATE TEMPORARY STAGE passing", status("Stage area PASSING successfully created.")
    ),
    documented("DROP STAGE st", status("ST successfully dropped.")),
    documented("DROP STAGE st", missing("Stage", "STAGES.PUBLIC.ST")),
    documented(
        "DROP STAGE IF EXISTS st",
        status("Drop statement executed successfully (ST already dropped)."),
    ),
]
FAMILIES = [Family("stages", STATEMENTS, files={"in.csv": "id,name\n1,Ann\n2,Bob\n"}, smoke=True)]
