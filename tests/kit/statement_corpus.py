"""Statements that api reads itself, as clients, tutorials and documents write them."""

SPEC = """
spec:
  containers:
  - name: echo
    image: /tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest
    env:
      SERVER_PORT: 8000
    readinessProbe: {port: 8000, path: /healthcheck}
  endpoints:
  - {name: echoendpoint, port: 8000, public: true}
"""

STATEMENTS: tuple[str, ...] = (
    # the tutorials
    "CREATE ROLE IF NOT EXISTS test_role;",
    "CREATE DATABASE IF NOT EXISTS tutorial_db",
    "CREATE SCHEMA IF NOT EXISTS tutorial_db.data_schema",
    "GRANT OWNERSHIP ON DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS",
    "GRANT OWNERSHIP ON ALL SCHEMAS IN DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS",
    "CREATE OR REPLACE WAREHOUSE tutorial_warehouse WITH WAREHOUSE_SIZE='X-SMALL' AUTO_SUSPEND=180 "
    "AUTO_RESUME=true INITIALLY_SUSPENDED=false",
    "GRANT USAGE ON WAREHOUSE tutorial_warehouse TO ROLE test_role",
    "GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE test_role",
    "CREATE COMPUTE POOL tutorial_compute_pool MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS",
    "GRANT USAGE, MONITOR ON COMPUTE POOL tutorial_compute_pool TO ROLE test_role",
    "GRANT ROLE test_role TO USER me",
    "USE ROLE test_role",
    "USE DATABASE tutorial_db",
    "USE SCHEMA data_schema",
    "CREATE IMAGE REPOSITORY IF NOT EXISTS tutorial_repository",
    "SHOW IMAGE REPOSITORIES",
    f"CREATE SERVICE echo_service\n  IN COMPUTE POOL tutorial_compute_pool\n  FROM SPECIFICATION $${SPEC}$$\n"
    "  MIN_INSTANCES=1\n  MAX_INSTANCES=1",
    "SHOW SERVICES",
    "DESC SERVICE tutorial_db.data_schema.echo_service",
    "SELECT SYSTEM$GET_SERVICE_STATUS('echo_service')",
    "SHOW ENDPOINTS IN SERVICE echo_service",
    "CREATE FUNCTION my_echo_udf (InputText varchar)\n  RETURNS varchar\n  SERVICE=echo_service\n"
    "  ENDPOINT=echoendpoint\n  AS '/echo';",
    "CALL SYSTEM$GET_SERVICE_LOGS('db.schema.echo_service', '0', 'echo', 10)",
    "ALTER SERVICE echo_service SUSPEND",
    "ALTER COMPUTE POOL tutorial_compute_pool STOP ALL",
    "DROP FUNCTION IF EXISTS my_echo_udf(varchar)",
    "EXECUTE JOB SERVICE\n  IN COMPUTE POOL tutorial_compute_pool\n  NAME=tutorial_2_job_service\n"
    "  FROM @tutorial_stage\n  SPEC='my_job_spec.yaml'",
    # the command line
    "CREATE COMPUTE POOL IF NOT EXISTS p1\nMIN_NODES = 1\nMAX_NODES = 2\nINSTANCE_FAMILY = 'CPU_X64_XS'\n"
    "AUTO_RESUME = True\nINITIALLY_SUSPENDED = False\nAUTO_SUSPEND_SECS = 3600\nCOMMENT = 'it''s'",
    "show compute pools like '%%'",
    "describe compute pool IDENTIFIER('p1')",
    "drop compute pool IDENTIFIER('p1')",
    "alter compute pool p1 set min_nodes = 2\nauto_resume = True\nauto_suspend_secs = 60\ncomment = 'c'",
    "alter compute pool p1 unset auto_resume,comment",
    "call system$get_compute_pool_status('p1')",
    f"CREATE SERVICE IF NOT EXISTS s1\nIN COMPUTE POOL p1\nFROM SPECIFICATION $${SPEC}$$\nMIN_INSTANCES = 1\n"
    "MAX_INSTANCES = 2\nAUTO_RESUME = True\nEXTERNAL_ACCESS_INTEGRATIONS = (e1,e2)\nQUERY_WAREHOUSE = w\n"
    "COMMENT = 'c'",
    "CREATE SERVICE s1\nIN COMPUTE POOL p1\nFROM @stg\nSPECIFICATION_FILE = 'spec.yml'\nAUTO_RESUME = True\n"
    "MIN_INSTANCES = 1\nMAX_INSTANCES = 1\nAUTO_SUSPEND_SECS = 300\nQUERY_WAREHOUSE = w",
    f"EXECUTE JOB SERVICE\nIN COMPUTE POOL p1\nFROM SPECIFICATION $${SPEC}$$\nNAME = j1\nASYNC = TRUE\n"
    "REPLICAS = 2\nEXTERNAL_ACCESS_INTEGRATIONS = (e1)\nQUERY_WAREHOUSE = w\nCOMMENT = 'c'",
    "call SYSTEM$GET_SERVICE_LOGS('s1', '0', 'main', 500, False, '', False)",
    "show parameters like 'event_table' in account",
    f"alter service s1\nfrom specification $${SPEC}$$",
    "show service instances in service s1",
    "show service containers in service s1",
    "show roles in service s1",
    "alter service s1\nset min_instances = 1\nexternal_access_integrations = (e1)\ncomment = 'c'",
    "alter service s1 unset min_instances,comment",
    "show services like '%%' in compute pool p1 limit 10",
    "drop service IDENTIFIER('s1') force",
    "create or replace image repository db.sch.repo",
    "show images like '%%' in image repository repo",
    "show image repositories like 'REPO' in schema db.sch",
    "alter session set PYTHON_CONNECTOR_QUERY_RESULT_FORMAT = 'json'",
    'use role "TEST_ROLE"',
    "create stage if not exists IDENTIFIER('st') encryption = (type = 'SNOWFLAKE_FULL')",
    "put file:///tmp/spec.yml @st/dir auto_compress=false parallel=4 overwrite=True",
    "get @st/dir file:///tmp/out/ parallel=4",
    "ls @st",
    "remove @st/dir/spec.yml",
    "SELECT SYSTEM$CLIENT_VERSION_INFO()",
    # the documents
    "GRANT ALL PRIVILEGES ON SERVICE s1 TO ROLE r WITH GRANT OPTION",
    "GRANT SERVICE ROLE db.sch.s1!ALL_ENDPOINTS_USAGE TO ROLE r",
    "REVOKE GRANT OPTION FOR USAGE ON COMPUTE POOL p1 FROM ROLE r CASCADE",
    "SHOW GRANTS ON SERVICE s1",
    "SHOW GRANTS TO USER me",
    "SHOW GRANTS OF ROLE r LIMIT 3",
    "CREATE SERVICE t1 IN COMPUTE POOL p1 FROM @st SPECIFICATION_TEMPLATE_FILE='t.yaml' "
    "USING (tag => 'latest', \"port\" => 8000, on => true) COMMENT = 'templated'",
    "CREATE OR ALTER FUNCTION f (a INT, b VARIANT) RETURNS ARRAY CALLED ON NULL INPUT VOLATILE "
    "SERVICE=db.sch.s1 ENDPOINT='e' CONTEXT_HEADERS=(current_user) MAX_BATCH_ROWS=50 AS '/f'",
    "ALTER FUNCTION f(number) SET MAX_BATCH_ROWS=10, COMMENT='b'",
    "ALTER DATABASE db RENAME TO other",
    "ALTER WAREHOUSE w RESUME IF SUSPENDED",
    "CREATE USER alice PASSWORD='se''cret' DEFAULT_ROLE=r MUST_CHANGE_PASSWORD=false TYPE=PERSON",
    "CALL db.sch.j1!SPCS_WAIT_FOR('DONE', 600)",
    "SELECT SYSTEM$CANCEL_QUERY('01b2') AS cancelled",
    "SELECT SYSTEM$CANCEL_ALL_QUERIES(1065153872298)",
    "SHOW TERSE SCHEMAS LIKE 'A%' IN DATABASE db STARTS WITH 'A' LIMIT 5 FROM 'AB'",
    "SHOW SERVICES EXCLUDE JOBS IN ACCOUNT",
    "SHOW JOB SERVICES IN COMPUTE POOL p1",
    "CREATE TRANSIENT SCHEMA db.s2 WITH MANAGED ACCESS DATA_RETENTION_TIME_IN_DAYS=0",
    "USE SECONDARY ROLES ALL",
)
