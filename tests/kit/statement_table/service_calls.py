"""SYSTEM$ functions and functions of services, by CALL, SELECT and inside of expressions."""

import re

from tests.kit.statement_table.records import (
    KNOWN,
    Columns,
    Refused,
    Rows,
    documented,
    missing,
    one,
    ours,
    validated,
    wrong_value,
)

_cli = validated("the statements that snow CLI 3.30 sends")
_community = validated("error texts of live accounts that users report")
_STATUS = re.compile(
    r'\[\{"status": ?"READY", ?"message": ?"Running", ?"containerName": ?"echo", ?"instanceId": ?"0", ?'
    r'"serviceName": ?"ECHO_SERVICE", ?"image": ?"[^"]+", ?"restartCount": ?0, ?"startTime": ?"[^"]+"\}\]'
)
_DOMAIN = re.compile(r"[a-z0-9]{4,8}\.svc\.spcs\.internal")
_SERVICE = missing("Service", "SERVICES.PUBLIC.NOWHERE")

STATEMENTS = [
    _cli(
        "CALL SYSTEM$GET_SERVICE_STATUS('echo_service')",
        Columns("SYSTEM$GET_SERVICE_STATUS"),
        Rows([(_STATUS,)]),
    ),
    documented(
        "SELECT SYSTEM$GET_SERVICE_STATUS('services.public.echo_service', 5)", Rows([(_STATUS,)])
    ),
    documented(
        "SELECT SYSTEM$GET_SERVICE_STATUS('echo_service') AS shown",
        Columns("SHOWN"),
        Rows([(_STATUS,)]),
    ),
    documented(
        "SELECT PARSE_JSON(SYSTEM$GET_SERVICE_STATUS('echo_service'))[0]:status::varchar AS s",
        Columns("S"),
        Rows([("READY",)]),
    ),
    documented(
        "SELECT v.value:containerName::varchar, v.value:instanceId::int "
        "FROM (SELECT PARSE_JSON(SYSTEM$GET_SERVICE_STATUS('echo_service')) AS j), "
        "LATERAL FLATTEN(input => j) v",
        Rows([("echo", 0)]),
    ),
    documented("CALL SYSTEM$GET_SERVICE_STATUS('nowhere')", _SERVICE),
    ours(
        "CALL SYSTEM$GET_SERVICE_STATUS()",
        wrong_value(
            "too few arguments for function [SYSTEM$GET_SERVICE_STATUS] expected 1, got 0"
        ),
    ),
    _cli(
        "call SYSTEM$GET_SERVICE_LOGS('echo_service', '0', 'echo', 500, False, '', False);",
        Columns("SYSTEM$GET_SERVICE_LOGS"),
        Rows([(re.compile(r"(?s).*echo-service \[.*"),)]),
    ),
    documented(
        "SELECT SYSTEM$GET_SERVICE_LOGS('echo_service', 0, 'echo')",
        Rows([(re.compile(r"(?s).*echo-service \[.*"),)]),
    ),
    _cli(
        "call SYSTEM$GET_SERVICE_LOGS('services.public.echo_service', '0', 'echo', 1, False, '', True);",
        Rows([(re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* .*\n?"),)]),
    ),
    _community(
        "CALL SYSTEM$GET_SERVICE_LOGS('echo_service', 0, 'echo', 1001)",
        Refused(1008, "22023", "Invalid `tail lines`"),
    ),
    _community(
        "CALL SYSTEM$GET_SERVICE_LOGS('echo_service', 0, 'echo', 0)",
        Refused(1008, "22023", "Allowed values are in range [1, 1000]"),
    ),
    ours(
        "CALL SYSTEM$GET_SERVICE_LOGS('echo_service', 0, 'other')",
        Refused(2003, "02000", "Container 'other' does not exist or not authorized."),
    ),
    ours(
        "CALL SYSTEM$GET_SERVICE_LOGS('echo_service', 7, 'echo')",
        Refused(2003, "02000", "Instance '7' does not exist or not authorized."),
    ),
    documented("SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('PUBLIC')", Rows([(_DOMAIN,)])),
    documented("CALL SYSTEM$GET_SERVICE_DNS_DOMAIN('services.public')", Rows([(_DOMAIN,)])),
    documented(
        "SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('nowhere')", missing("Schema", "SERVICES.NOWHERE")
    ),
    documented(
        "SELECT SYSTEM$REGISTRY_LIST_IMAGES('/tutorial_db/data_schema/tutorial_repository')",
        Rows(
            [
                (
                    re.compile(
                        r'\{"images": ?\[.*"/?tutorial_db/data_schema/tutorial_repository/'
                        r'my_echo_service_image".*\]\}'
                    ),
                )
            ]
        ),
    ),
    _cli("call system$get_compute_pool_status('serve_pool')", Rows([(re.compile(".*ACTIVE.*"),)])),
    documented(
        "CALL SYSTEM$GET_COMPUTE_POOL_STATUS('nowhere')", missing("Compute pool", "NOWHERE")
    ),
    ours("CALL SYSTEM$WAIT_FOR_SERVICES(60, 'echo_service')", Rows([(KNOWN,)])),
    documented("CALL SYSTEM$WAIT_FOR_SERVICES(1, 'nowhere')", _SERVICE),
    ours("CALL SYSTEM$CANCEL_JOB('echo_service')", wrong_value("is not a job")),
    documented("CALL nowhere!SPCS_WAIT_FOR('RUNNING', 1)", _SERVICE),
    ours("CALL echo_service!SPCS_WAIT_FOR('FLYING', 1)", Refused(1008, "22023", "FLYING")),
    documented(
        "SELECT COUNT(*) >= 0 AS counted FROM TABLE(echo_service!SPCS_GET_LOGS())",
        Columns("COUNTED"),
        Rows([(True,)]),
    ),
    documented(
        "SELECT * FROM TABLE(echo_service!SPCS_GET_LOGS(START_TIME => "
        "DATEADD('minute', -1, CURRENT_TIMESTAMP()))) LIMIT 0",
        Columns("TIMESTAMP INSTANCE_ID CONTAINER_NAME LOG RECORD_ATTRIBUTES"),
    ),
    documented(
        "SELECT * FROM TABLE(echo_service!SPCS_GET_EVENTS()) LIMIT 0",
        Columns(
            "TIMESTAMP SEVERITY EVENT_NAME EVENT_DETAILS INSTANCE_ID CONTAINER_NAME RECORD RECORD_ATTRIBUTES"
        ),
    ),
    ours("CALL SYSTEM$NO_SUCH_FUNCTION('x')", Refused(2, "0A000", "")),
    _cli("SELECT SYSTEM$CLIENT_VERSION_INFO()", one(**{"SYSTEM$CLIENT_VERSION_INFO()": "[]"})),
]
