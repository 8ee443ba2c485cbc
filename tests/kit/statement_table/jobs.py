"""Job services."""

import re

from tests.kit.statement_table.records import (
    DONE,
    KNOWN,
    NOTHING,
    Columns,
    Family,
    Refused,
    Rows,
    documented,
    exists,
    missing,
    names,
    one,
    ours,
    status,
    validated,
    wrong_value,
)
from tests.kit.statement_table.service_shows import JOBS
from tests.kit.statement_table.specifications import IMAGE

_cli = validated("the statements that snow CLI 3.30 sends")
_airflow = validated("Apache Airflow's provider for Snowflake, which reads this text")
_POOL = "IN COMPUTE POOL jobs_pool"


def _job(command: str) -> str:
    """As the tutorials write it, with `container` in the singular."""
    return (
        f"spec:\n  container:\n  - name: main\n    image: {IMAGE}\n    command: ['/usr/bin/python3', '-c', "
        f"'{command}']\n    resources: {{requests: {{cpu: 0.1, memory: 100Mi}}}}"
    )


_HELLO = _job('print("hello")')
_SLEEP = _job("import signal, time; signal.signal(15, lambda *_: exit()); time.sleep(600)")
_FAIL = _job("raise SystemExit(3)")

STATEMENTS = [
    documented(
        "CREATE COMPUTE POOL jobs_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
        status("Compute pool JOBS_POOL successfully created."),
    ),
    documented("SHOW JOB SERVICES", Columns(JOBS), NOTHING),
    documented(
        f"EXECUTE JOB SERVICE\n  {_POOL}\n  NAME = hello\n  FROM SPECIFICATION $$\n{_HELLO}\n$$",
        Columns("status"),
        status("Job HELLO completed successfully with status: DONE."),
    ),
    documented(
        "SHOW SERVICE CONTAINERS IN SERVICE hello",
        one(
            service_status="DONE",
            instance_status="SUCCEEDED",
            container_name="main",
            status="DONE",
            message="Completed successfully",
            restart_count=0,
            last_exit_code=0,
        ),
    ),
    documented("SELECT SYSTEM$GET_SERVICE_LOGS('hello', 0, 'main')", Rows([("hello\n",)])),
    documented(
        "SHOW JOB SERVICES",
        one(name="HELLO", status="DONE", is_async_job="false", max_instances=1),
    ),
    documented("SHOW SERVICES LIKE 'hello'", one(is_job="true", status="DONE")),
    documented("SHOW SERVICES EXCLUDE JOBS", NOTHING),
    _airflow(
        f"EXECUTE JOB SERVICE {_POOL} NAME=jobs.public.sleeper ASYNC=TRUE REPLICAS=2 COMMENT='long' "
        f"FROM SPECIFICATION $$\n{_SLEEP}\n$$",
        status("Started Snowpark Container Services Job 'SLEEPER'."),
    ),
    documented(
        "SHOW JOB SERVICES LIKE 'SLEEPER'",
        one(is_async_job="true", target_instances=2, comment="long"),
    ),
    documented(
        f"EXECUTE JOB SERVICE {_POOL} NAME=sleeper FROM SPECIFICATION $$\n{_HELLO}\n$$",
        exists("SLEEPER"),
    ),
    documented(
        "ALTER SERVICE sleeper SUSPEND", wrong_value("Cannot alter job service 'SLEEPER'.")
    ),
    documented("CALL SYSTEM$CANCEL_JOB('sleeper')", Rows([(KNOWN,)])),
    documented("CALL sleeper!SPCS_WAIT_FOR('CANCELLED', 90)", Rows([(KNOWN,)])),
    documented("SHOW JOB SERVICES LIKE 'SLEEPER'", one(status="CANCELLED")),
    _cli(
        f"EXECUTE JOB SERVICE\n{_POOL}\nFROM SPECIFICATION $$\n{_FAIL}\n$$\nNAME = fails",
        Refused(395092, "22000", re.compile("FAILS.*FAILED")),
    ),
    documented(
        "SHOW SERVICE CONTAINERS IN SERVICE fails",
        one(status="FAILED", last_exit_code=3, service_status="FAILED"),
    ),
    documented(
        f"EXECUTE JOB SERVICE {_POOL} NAME=public_end FROM SPECIFICATION $$\n{_HELLO}\n"
        "  endpoints: [{name: e, port: 80, public: true}]\n$$",
        Refused(395018, "22023", "a job service cannot have public endpoints"),
    ),
    documented(
        f"EXECUTE JOB SERVICE IN COMPUTE POOL nowhere NAME=x FROM SPECIFICATION $$\n{_HELLO}\n$$",
        missing("Compute pool", "NOWHERE"),
    ),
    documented(
        f"EXECUTE JOB SERVICE {_POOL} NAME=x REPLICAS=0 FROM SPECIFICATION $$\n{_HELLO}\n$$",
        wrong_value("invalid value '0' for property 'REPLICAS'"),
    ),
    ours(
        f"EXECUTE JOB SERVICE {_POOL} NAME=x MIN_INSTANCES=1 FROM SPECIFICATION $$\n{_HELLO}\n$$",
        wrong_value("invalid property 'MIN_INSTANCES'"),
    ),
    documented(
        f"EXECUTE JOB SERVICE NAME=x FROM SPECIFICATION $$\n{_HELLO}\n$$",
        Refused(1003, "42000", "expecting IN COMPUTE POOL"),
    ),
    documented(
        "CREATE FUNCTION f (t varchar) RETURNS varchar SERVICE=hello ENDPOINT=e AS '/'",
        Refused(2003, "02000", "Endpoint"),
    ),
    documented("DROP SERVICE hello", status("HELLO successfully dropped.")),
    documented("SHOW JOB SERVICES", names("FAILS", "SLEEPER")),
    documented("ALTER COMPUTE POOL jobs_pool STOP ALL", DONE),
    documented("DROP COMPUTE POOL jobs_pool", status("JOBS_POOL successfully dropped.")),
]
FAMILIES = [Family("jobs", STATEMENTS)]
