"""Functions that call a service."""

from tests.kit.statement_table.records import (
    DONE,
    NOTHING,
    Columns,
    Refused,
    Rows,
    documented,
    exists,
    no_option,
    one,
    ours,
    some,
    status,
    validated,
    wrong_value,
)

_community = validated("error texts of live accounts that users report")

_ECHO = "SERVICE=echo_service ENDPOINT=echoendpoint"
SHOW = (
    "created_on name schema_name is_builtin is_aggregate is_ansi min_num_arguments max_num_arguments "
    "arguments description catalog_name is_table_function valid_for_clustering is_secure secrets "
    "external_access_integrations is_external_function language is_memoizable is_data_metric"
)

STATEMENTS = [
    documented(
        "CREATE FUNCTION my_echo_udf (InputText varchar)\n  RETURNS varchar\n  SERVICE=echo_service\n"
        "  ENDPOINT=echoendpoint\n  AS '/echo'",
        Columns("status"),
        status("Function MY_ECHO_UDF successfully created."),
    ),
    documented(
        f"CREATE FUNCTION my_echo_udf (t varchar) RETURNS varchar {_ECHO} AS '/echo'",
        exists("MY_ECHO_UDF"),
    ),
    documented(
        f"CREATE FUNCTION IF NOT EXISTS my_echo_udf (t varchar) RETURNS varchar {_ECHO} AS '/echo'",
        status("MY_ECHO_UDF already exists, statement succeeded."),
    ),
    documented(
        f"CREATE OR REPLACE FUNCTION my_echo_udf (t varchar) RETURNS varchar {_ECHO} "
        "MAX_BATCH_ROWS=50 AS '/echo'",
        status("Function MY_ECHO_UDF successfully created."),
    ),
    documented(
        f"CREATE OR ALTER FUNCTION my_echo_udf (t varchar) RETURNS varchar {_ECHO} "
        "MAX_BATCH_ROWS=100 AS '/echo'",
        Columns("status"),
    ),
    documented(
        f"CREATE FUNCTION my_echo_udf (a varchar, b varchar) RETURNS varchar {_ECHO} AS '/echo'",
        status("Function MY_ECHO_UDF successfully created."),
    ),
    documented(
        f"CREATE FUNCTION strict_echo (t varchar) RETURNS varchar NOT NULL STRICT IMMUTABLE {_ECHO} "
        "CONTEXT_HEADERS=(CURRENT_USER, CURRENT_ROLE) MAX_BATCH_RETRIES=1 ON_BATCH_FAILURE=RETURN_NULL "
        "BATCH_TIMEOUT_SECS=30 COMMENT='strict' AS '/echo'",
        status("Function STRICT_ECHO successfully created."),
    ),
    documented(
        "SELECT my_echo_udf('hello!')",
        Columns("MY_ECHO_UDF('HELLO!')"),
        Rows([("Bob said hello!",)]),
    ),
    documented(
        "CREATE TABLE messages (message_text VARCHAR)\n"
        "AS (SELECT * FROM (VALUES ('Thank you'), ('Hello'), ('Hello World')))",
        status("Table MESSAGES successfully created."),
    ),
    documented(
        "SELECT my_echo_udf(message_text) FROM messages",
        Columns("MY_ECHO_UDF(MESSAGE_TEXT)"),
        Rows([("Bob said Thank you",), ("Bob said Hello",), ("Bob said Hello World",)]),
    ),
    documented(
        "SELECT COUNT(*) FROM messages WHERE my_echo_udf(message_text) LIKE '%World'", Rows([(1,)])
    ),
    documented(
        "SELECT services.public.my_echo_udf(LOWER('X')) AS e, strict_echo(NULL) AS n",
        Columns("E N"),
        Rows([("Bob said x", None)]),
    ),
    documented(
        "SHOW FUNCTIONS LIKE 'STRICT%'",
        Columns(SHOW),
        one(
            name="STRICT_ECHO",
            schema_name="PUBLIC",
            catalog_name="SERVICES",
            min_num_arguments=1,
            max_num_arguments=1,
            arguments="STRICT_ECHO(VARCHAR) RETURN VARCHAR",
            description="strict",
            is_builtin="N",
        ),
    ),
    documented("SHOW FUNCTIONS LIKE 'MY_ECHO%'", some(description="user-defined function")),
    documented("SHOW FUNCTIONS LIKE 'NONE%'", NOTHING),
    documented(
        "DESC FUNCTION my_echo_udf(varchar)",
        Columns("property value"),
        some(property="signature", value="(T VARCHAR)"),
        some(property="body", value="/echo"),
        some(property="max_batch_rows", value="100"),
    ),
    documented(
        "DESC FUNCTION strict_echo(varchar)",
        some(property="null handling", value="RETURNS NULL ON NULL INPUT"),
        some(property="volatility", value="IMMUTABLE"),
        some(property="batch_timeout_secs", value="30"),
        some(property="on_batch_failure", value="RETURN_NULL"),
    ),
    _community(
        "CREATE FUNCTION f (t varchar) RETURNS varchar SERVICE=echo_service AS '/echo'",
        no_option("ENDPOINT"),
    ),
    documented(
        "CREATE FUNCTION f (t varchar) RETURNS varchar SERVICE=nowhere ENDPOINT=e AS '/echo'",
        Refused(2003, "02000", "NOWHERE' does not exist or not authorized."),
    ),
    ours(
        "CREATE FUNCTION f (t varchar) RETURNS varchar SERVICE=echo_service ENDPOINT=none AS '/'",
        Refused(2003, "02000", "Endpoint 'ECHO_SERVICE!none' does not exist or not authorized."),
    ),
    documented(
        "CREATE FUNCTION f (t varchar) RETURNS varchar SERVICE=echo_service ENDPOINT=raw AS '/'",
        wrong_value("its protocol must be HTTP"),
    ),
    documented(
        f"CREATE FUNCTION f (t varchar) RETURNS varchar {_ECHO} BATCH_TIMEOUT_SECS=0 AS '/'",
        wrong_value("invalid value '0' for property 'BATCH_TIMEOUT_SECS'"),
    ),
    documented(
        f"CREATE FUNCTION f (t varchar) RETURNS varchar {_ECHO} BATCH_TIMEOUT_SECS=604801 AS '/'",
        wrong_value("invalid value '604801' for property 'BATCH_TIMEOUT_SECS'"),
    ),
    documented(
        f"CREATE FUNCTION f (t varchar) RETURNS varchar {_ECHO} ON_BATCH_FAILURE=IGNORE AS '/'",
        wrong_value("invalid value 'IGNORE' for property 'ON_BATCH_FAILURE'"),
    ),
    documented(
        f"CREATE FUNCTION f (t varchar) RETURNS varchar {_ECHO} CONTEXT_HEADERS=(PI) AS '/'",
        wrong_value("invalid value 'PI' for property 'CONTEXT_HEADERS'"),
    ),
    ours(
        f"CREATE FUNCTION f (t varchar) RETURNS varchar {_ECHO} AS 'echo'",
        wrong_value("invalid value 'echo' for property 'AS'"),
    ),
    documented("ALTER FUNCTION my_echo_udf(varchar) SET MAX_BATCH_ROWS = 7", DONE),
    documented("DESC FUNCTION my_echo_udf(varchar)", some(property="max_batch_rows", value="7")),
    documented(
        "DROP FUNCTION my_echo_udf(varchar, varchar)",
        status("MY_ECHO_UDF successfully dropped."),
    ),
    documented("DROP FUNCTION my_echo_udf(number)", Refused(2003, "02000", "MY_ECHO_UDF")),
    ours(
        "SELECT no_such_function(1)", Refused(2140, "42601", "Unknown function NO_SUCH_FUNCTION")
    ),
    documented(
        "DESC FUNCTION nowhere(varchar)",
        Refused(2003, "02000", "does not exist or not authorized."),
    ),
]
