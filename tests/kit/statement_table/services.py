"""Services: made, changed and dropped; what is shown of them in between stands in modules beside."""

import re

from tests.kit.statement_table import service_calls, service_functions, service_shows
from tests.kit.statement_table.records import (
    DONE,
    NOTHING,
    Columns,
    Family,
    Refused,
    Without,
    documented,
    exists,
    missing,
    one,
    ours,
    some,
    status,
    unsupported,
    validated,
    wrong_value,
)
from tests.kit.statement_table.service_shows import SHOW
from tests.kit.statement_table.specifications import IMAGE

_cli = validated("the statements that snow CLI 3.30 sends")
_POOL = "IN COMPUTE POOL serve_pool"

ECHO = f"""
spec:
  containers:
  - name: echo
    image: {IMAGE}
    env:
      SERVER_PORT: 8000
      CHARACTER_NAME: Bob
      FLAG: true
      VERSION: 1.10
    readinessProbe:
      port: 8000
      path: /healthcheck
    resources:
      requests:
        cpu: 0.1
        memory: 100Mi
  endpoints:
  - name: echoendpoint
    port: 8000
    public: true
  - name: raw
    port: 9000
    protocol: TCP
serviceRoles:
- name: echo_user
  endpoints: [echoendpoint]
"""
SMALL = (
    f"spec: {{containers: [{{name: main, image: {IMAGE}, "
    "resources: {requests: {cpu: 0.1, memory: 100Mi}}}]}"
)
JSON = (
    f'{{"spec": {{"containers": [{{"name": "main", "image": "{IMAGE}", "env": {{"X": "a\\u0024$b"}}, '
    '"resources": {"requests": {"cpu": "100m", "memory": "100M"}}}], '
    '"endpoints": [{"name": "e", "port": 8000, "public": true}]}}'
)

SETUP = [
    documented(
        "CREATE COMPUTE POOL serve_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
        status("Compute pool SERVE_POOL successfully created."),
    ),
    documented("SHOW SERVICES", Columns(SHOW), NOTHING),
    documented(
        "CREATE OR REPLACE WAREHOUSE serve_wh WAREHOUSE_SIZE=XSMALL",
        status("Warehouse SERVE_WH successfully created."),
    ),
]
CREATE = [
    documented(
        f"CREATE SERVICE echo_service\n  {_POOL}\n  FROM SPECIFICATION $${ECHO}$$\n"
        "  MIN_INSTANCES=1\n  MAX_INSTANCES=1",
        Columns("status"),
        status("Service ECHO_SERVICE successfully created."),
    ),
    documented(
        f"CREATE SERVICE echo_service {_POOL} FROM SPECIFICATION $${SMALL}$$",
        exists("ECHO_SERVICE"),
    ),
    _cli(
        f"CREATE SERVICE IF NOT EXISTS echo_service\n{_POOL}\nFROM SPECIFICATION $$\n{JSON}\n$$\n"
        "MIN_INSTANCES = 1\nMAX_INSTANCES = 1\nAUTO_RESUME = True",
        status("ECHO_SERVICE already exists, statement succeeded."),
    ),
    _cli(
        f"CREATE SERVICE cli_service\n{_POOL}\nFROM SPECIFICATION $$\n{JSON}\n$$\nMIN_INSTANCES = 1\n"
        "MAX_INSTANCES = 2\nAUTO_RESUME = True\nQUERY_WAREHOUSE = serve_wh\nCOMMENT = 'c''x'",
        status("Service CLI_SERVICE successfully created."),
    ),
    documented(
        f"CREATE SERVICE first_props MIN_INSTANCES = 1 MAX_INSTANCES = 1 AUTO_SUSPEND_SECS = 300 {_POOL} "
        f"FROM SPECIFICATION $${SMALL}$$",
        status("Service FIRST_PROPS successfully created."),
    ),
    documented(
        f"create service services.public.templated {_POOL.lower()} from specification_template "
        "$$spec: {containers: [{name: main, image: {{ image }}, env: {WHO: '{{ who | default(\"x\") }}'}, "
        "resources: {requests: {cpu: {{ cpu }}, memory: 100Mi}}}]}$$ "
        f"USING (image => '\"{IMAGE}\"', cpu => 0.1);",
        status("Service TEMPLATED successfully created."),
    ),
    documented(
        f"CREATE OR REPLACE SERVICE echo_service {_POOL} FROM SPECIFICATION $${SMALL}$$",
        Refused(1003, "42000", "unexpected 'SERVICE'."),
    ),
    documented(
        f"CREATE SERVICE x IN COMPUTE POOL nowhere FROM SPECIFICATION $${SMALL}$$",
        missing("Compute pool", "NOWHERE"),
    ),
    documented(
        f"CREATE SERVICE nowhere.x {_POOL} FROM SPECIFICATION $${SMALL}$$",
        missing("Schema", "SERVICES.NOWHERE"),
    ),
    documented(
        f'CREATE SERVICE "quoted" {_POOL} FROM SPECIFICATION $${SMALL}$$',
        wrong_value("Invalid service name: 'quoted'."),
    ),
    documented(
        f"CREATE SERVICE a{'b' * 63} {_POOL} FROM SPECIFICATION $${SMALL}$$",
        wrong_value("Invalid service name"),
    ),
    documented(
        f"CREATE SERVICE ends_ {_POOL} FROM SPECIFICATION $${SMALL}$$",
        wrong_value("must be a valid DNS label"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $${SMALL}$$ MIN_INSTANCES=3 MAX_INSTANCES=2",
        wrong_value("invalid property combination 'MIN_INSTANCES'='3' and 'MAX_INSTANCES'='2'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $${SMALL}$$ MIN_READY_INSTANCES=2",
        wrong_value(
            "invalid property combination 'MIN_READY_INSTANCES'='2' and 'MIN_INSTANCES'='1'"
        ),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $${SMALL}$$ AUTO_SUSPEND_SECS=299",
        wrong_value("invalid value '299' for property 'AUTO_SUSPEND_SECS'"),
    ),
    ours(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $${SMALL}$$ REPLICAS=2",
        wrong_value("invalid property 'REPLICAS' for 'SERVICE'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $$"
        f"{SMALL.replace(IMAGE, '/services/public/none/img:1')}$$",
        Refused(2003, "02000", "does not exist or not authorized"),
    ),
    ours(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $${SMALL.replace(':latest', ':none')}$$",
        Refused(2003, "02000", "Failed to retrieve image"),
    ),
    documented(
        f"CREATE SERVICE x FROM SPECIFICATION $${SMALL}$$",
        Refused(1003, "42000", "syntax error line 1 at position"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL}", Refused(1003, "42000", "syntax error line 1 at position")
    ),
]
SERVICE_ROLES = [
    documented("CREATE ROLE echo_guest", status("Role ECHO_GUEST successfully created.")),
    documented("GRANT SERVICE ROLE echo_service!echo_user TO ROLE echo_guest", DONE),
    documented(
        "SHOW GRANTS OF SERVICE ROLE echo_service!echo_user",
        Columns("created_on role granted_to grantee_name granted_by"),
        one(role=re.compile(".*ECHO_USER"), granted_to="ROLE", grantee_name="ECHO_GUEST"),
    ),
    documented(
        "SHOW GRANTS TO SERVICE ROLE echo_service!echo_user",
        Columns("created_on privilege granted_on name granted_to grantee_name"),
        one(privilege="USAGE", granted_on="SERVICE_ENDPOINT", granted_to="SERVICE ROLE"),
    ),
    documented(
        "GRANT SERVICE ROLE echo_service!none TO ROLE echo_guest",
        Refused(2003, "02000", re.compile("(?i)none.* does not exist or not authorized")),
    ),
    documented("GRANT USAGE, MONITOR ON SERVICE echo_service TO ROLE echo_guest", DONE),
    documented(
        "SHOW GRANTS ON SERVICE echo_service",
        some(privilege="OWNERSHIP", granted_on="SERVICE", grantee_name="ACCOUNTADMIN"),
        some(privilege="MONITOR", grantee_name="ECHO_GUEST"),
    ),
    ours(
        "GRANT OWNERSHIP ON SERVICE echo_service TO ROLE echo_guest",
        unsupported("transfer of a service's OWNERSHIP"),
    ),
    documented("REVOKE SERVICE ROLE echo_service!echo_user FROM ROLE echo_guest", DONE),
    documented("SHOW GRANTS OF SERVICE ROLE echo_service!echo_user", NOTHING),
    documented("DROP ROLE echo_guest", status("ECHO_GUEST successfully dropped.")),
]
CHANGES = [
    _cli(
        "alter service cli_service set\nmin_instances = 1\nmax_instances = 3\nquery_warehouse = serve_wh\n"
        "auto_resume = False\nauto_suspend_secs = 600\ncomment = 'it''s a test'",
        DONE,
    ),
    documented(
        "DESC SERVICE cli_service",
        one(max_instances=3, auto_resume="false", auto_suspend_secs=600, comment="it's a test"),
    ),
    _cli("alter service cli_service unset auto_suspend_secs,comment", DONE),
    documented(
        "DESC SERVICE cli_service",
        one(auto_suspend_secs=0, comment=None, max_instances=3, query_warehouse="SERVE_WH"),
    ),
    documented("ALTER SERVICE cli_service UNSET QUERY_WAREHOUSE, AUTO_RESUME", DONE),
    documented("DESC SERVICE cli_service", one(query_warehouse=None, auto_resume="true")),
    documented(
        "ALTER SERVICE cli_service SET MIN_INSTANCES = 4",
        wrong_value("invalid property combination 'MIN_INSTANCES'='4' and 'MAX_INSTANCES'='3'"),
    ),
    documented(
        "ALTER SERVICE cli_service SET AUTO_SUSPEND_SECS = 1",
        wrong_value("invalid value '1' for property 'AUTO_SUSPEND_SECS'"),
    ),
    ours(
        "ALTER SERVICE cli_service SET NODES = 1",
        wrong_value("invalid property 'NODES' for 'SERVICE'"),
    ),
    _cli(f"alter service first_props from specification $$ {JSON} $$", DONE),
    documented(
        "SHOW ENDPOINTS IN SERVICE first_props",
        one(name="e", port=8000, is_public="true", protocol="HTTP"),
    ),
    documented(
        "ALTER SERVICE first_props FROM SPECIFICATION $$spec: {}$$",
        Refused(395018, "22023", "Invalid spec: missing 'containers' for 'spec'"),
    ),
    _cli("alter service first_props suspend", DONE),
    documented("ALTER SERVICE first_props SUSPEND", DONE),
    documented(
        "SHOW SERVICES LIKE 'first_props'",
        one(status=re.compile("SUSPEND(ING|ED)"), target_instances=0),
    ),
    documented("CALL first_props!SPCS_WAIT_FOR('SUSPENDED', 60)", Columns("SPCS_WAIT_FOR")),
    documented(
        "SHOW SERVICE CONTAINERS IN SERVICE first_props",
        one(service_status="SUSPENDED", instance_id=None, container_name=None, status=None),
    ),
    documented("SHOW SERVICES LIKE 'first_props'", one(status="SUSPENDED", current_instances=0)),
    _cli("alter service first_props resume", DONE),
    documented("SHOW SERVICES LIKE 'first_props'", one(target_instances=1)),
    documented("ALTER SERVICE nowhere SUSPEND", missing("Service", "SERVICES.PUBLIC.NOWHERE")),
    documented("ALTER SERVICE IF EXISTS nowhere RESUME", DONE),
    ours("ALTER SERVICE cli_service", Refused(1003, "42000", "unexpected '<EOF>'")),
    documented(
        "DROP COMPUTE POOL serve_pool",
        Refused(1008, "22023", re.compile("STOP ALL")),
    ),
]
DROP = [
    _cli("drop service IDENTIFIER('cli_service')", status("CLI_SERVICE successfully dropped.")),
    _cli(
        "drop service if exists IDENTIFIER('cli_service')",
        status("Drop statement executed successfully (CLI_SERVICE already dropped)."),
    ),
    documented("DROP SERVICE cli_service", missing("Service", "SERVICES.PUBLIC.CLI_SERVICE")),
    _cli(
        "drop service IDENTIFIER('services.public.first_props') force",
        status("FIRST_PROPS successfully dropped."),
    ),
    documented("SHOW SERVICES", Without("FIRST_PROPS")),
    documented("ALTER COMPUTE POOL serve_pool STOP ALL", DONE),
    documented("SHOW SERVICES", NOTHING),
    documented("DROP COMPUTE POOL serve_pool", status("SERVE_POOL successfully dropped.")),
    documented("DROP WAREHOUSE serve_wh", status("SERVE_WH successfully dropped.")),
]
FAMILIES = [
    Family(
        "services",
        [
            *SETUP,
            *CREATE,
            *service_shows.STATEMENTS,
            *service_calls.STATEMENTS,
            *service_functions.STATEMENTS,
            *SERVICE_ROLES,
            *CHANGES,
            *DROP,
        ],
    )
]
