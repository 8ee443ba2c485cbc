"""What SHOW and DESCRIBE say of the services that `services` made."""

import re

from tests.kit.statement_table.records import (
    DIGEST,
    KNOWN,
    MOMENT,
    NOTHING,
    Columns,
    Rows,
    documented,
    missing,
    names,
    one,
    some,
    validated,
)
from tests.kit.statement_table.specifications import IMAGE

_cli = validated("the statements that snow CLI 3.30 sends")
_services_def = validated("terraform-provider-snowflake, services_def.go")

SHOW = (
    "name status database_name schema_name owner compute_pool dns_name current_instances target_instances "
    "min_ready_instances min_instances max_instances auto_resume external_access_integrations created_on "
    "updated_on resumed_on suspended_on auto_suspend_secs comment owner_role_type query_warehouse is_job "
    "is_async_job spec_digest is_upgrading managing_object_domain managing_object_name"
)
DESCRIBE = SHOW.replace("compute_pool dns_name", "compute_pool spec dns_name")
EXCLUDE_JOBS = SHOW.replace(" is_job is_async_job", "")
JOBS = SHOW.replace(" is_job", "")
INSTANCES = (
    "database_name schema_name service_name service_status instance_id status spec_digest creation_time "
    "start_time ip_address"
)
CONTAINERS = (
    "database_name schema_name service_name service_status instance_id instance_status container_name status "
    "message image_name image_digest restart_count start_time last_exit_code last_restart_time"
)
ENDPOINTS = "name port port_range protocol is_public ingress_url"
ROLES = "created_on name comment"
_DNS = r"\.[a-z0-9]{4,8}\.svc\.spcs\.internal"

STATEMENTS = [
    documented("CALL echo_service!SPCS_WAIT_FOR('RUNNING', 60)", Rows([(KNOWN,)])),
    documented(
        "SHOW SERVICES",
        Columns(SHOW),
        names("CLI_SERVICE", "ECHO_SERVICE", "FIRST_PROPS", "TEMPLATED"),
    ),
    documented("SHOW SERVICES LIKE 'echo!_service'", NOTHING),
    documented(
        "SHOW SERVICES LIKE 'echo_service'",
        one(
            name="ECHO_SERVICE",
            status="RUNNING",
            database_name="SERVICES",
            schema_name="PUBLIC",
            owner="ACCOUNTADMIN",
            compute_pool="SERVE_POOL",
            dns_name=re.compile("echo-service" + _DNS),
            current_instances=1,
            target_instances=1,
            min_ready_instances=1,
            min_instances=1,
            max_instances=1,
            auto_resume="true",
            external_access_integrations=None,
            created_on=MOMENT,
            suspended_on=None,
            auto_suspend_secs=0,
            comment=None,
            owner_role_type="ROLE",
            query_warehouse=None,
            is_job="false",
            is_async_job="false",
            spec_digest=DIGEST,
            is_upgrading="false",
            managing_object_domain=None,
            managing_object_name=None,
        ),
    ),
    _services_def(
        "DESC SERVICE echo_service",
        Columns(DESCRIBE),
        one(
            name="ECHO_SERVICE",
            spec=re.compile(r'(?s).*sha256: "@sha256:[0-9a-f]{64}".*SERVER_PORT: "8000".*'),
        ),
    ),
    documented(
        "DESCRIBE SERVICE echo_service",
        one(spec=re.compile(r'(?s)(?=.*FLAG: "true")(?=.*VERSION: "1\.10").*')),
    ),
    _cli(
        "describe service IDENTIFIER('cli_service')",
        one(
            comment="c'x",
            query_warehouse="SERVE_WH",
            min_instances=1,
            max_instances=2,
            auto_suspend_secs=0,
        ),
    ),
    documented("DESC SERVICE first_props", one(auto_suspend_secs=300)),
    documented(
        "DESC SERVICE templated",
        one(spec=re.compile(r'(?s).*WHO: "?x"?.*')),
    ),
    _cli("show services like '%%'", some(name="ECHO_SERVICE"), some(name="TEMPLATED")),
    _cli("show services like 'e%' in compute pool serve_pool", names("ECHO_SERVICE")),
    _cli("show services like '%ser%' in database services limit 1", names("CLI_SERVICE")),
    documented("SHOW SERVICES IN SCHEMA services.public STARTS WITH 'F'", names("FIRST_PROPS")),
    documented("SHOW SERVICES LIMIT 9 FROM 'ECHO_SERVICE'", names("FIRST_PROPS", "TEMPLATED")),
    documented("SHOW SERVICES IN ACCOUNT", some(name="ECHO_SERVICE", database_name="SERVICES")),
    documented("SHOW SERVICES EXCLUDE JOBS", Columns(EXCLUDE_JOBS), some(name="ECHO_SERVICE")),
    documented("SHOW JOB SERVICES", Columns(JOBS), NOTHING),
    documented("SHOW SERVICES IN SCHEMA nowhere", missing("Schema", "SERVICES.NOWHERE")),
    documented("SHOW SERVICES IN COMPUTE POOL nowhere", missing("Compute pool", "NOWHERE")),
    documented("DESC SERVICE nowhere", missing("Service", "SERVICES.PUBLIC.NOWHERE")),
    _cli(
        "show service instances in service echo_service",
        Columns(INSTANCES),
        one(
            database_name="SERVICES",
            schema_name="PUBLIC",
            service_name="ECHO_SERVICE",
            service_status="RUNNING",
            instance_id="0",
            status="READY",
            spec_digest=DIGEST,
            ip_address=re.compile(r"(\d+\.){3}\d+"),
        ),
    ),
    _cli(
        "show service containers in service echo_service",
        Columns(CONTAINERS),
        one(
            service_name="ECHO_SERVICE",
            service_status="RUNNING",
            instance_id="0",
            instance_status="READY",
            container_name="echo",
            status="READY",
            message="Running",
            image_name=re.compile(r".+" + re.escape(IMAGE)),
            image_digest=re.compile(r"sha256:[0-9a-f]{64}"),
            restart_count=0,
            start_time=re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
            last_exit_code=None,
        ),
    ),
    _cli(
        "show endpoints in service echo_service",
        Columns(ENDPOINTS),
        some(
            name="echoendpoint",
            port=8000,
            port_range=None,
            protocol="HTTP",
            is_public="true",
            ingress_url=re.compile(r"[a-z0-9]+-local-snowcave\..+"),
        ),
        some(name="raw", port=9000, protocol="TCP", is_public="false", ingress_url=None),
    ),
    _cli(
        "show roles in service echo_service",
        Columns(ROLES),
        some(name="ALL_ENDPOINTS_USAGE"),
        some(name="ECHO_USER"),
    ),
    documented("SHOW ENDPOINTS IN SERVICE nowhere", missing("Service", "SERVICES.PUBLIC.NOWHERE")),
    documented(
        "SHOW SERVICE CONTAINERS IN SERVICE nowhere", missing("Service", "SERVICES.PUBLIC.NOWHERE")
    ),
    documented(
        "SHOW SERVICE INSTANCES IN SERVICE nowhere", missing("Service", "SERVICES.PUBLIC.NOWHERE")
    ),
    documented("SHOW ROLES IN SERVICE nowhere", missing("Service", "SERVICES.PUBLIC.NOWHERE")),
    documented(
        "DESC COMPUTE POOL serve_pool",
        one(state="ACTIVE", num_services=4, active_nodes=1, idle_nodes=0),
    ),
]
