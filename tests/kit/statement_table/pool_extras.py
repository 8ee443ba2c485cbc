"""Compute pools: nodes, backup families, workload types, status. Snapshots that are not there."""

import re

from tests.kit.statement_table.records import (
    DONE,
    NOTHING,
    Family,
    Refused,
    Rows,
    documented,
    missing,
    one,
    ours,
    status,
    validated,
    wrong_value,
)

_live = validated("FrostLake's tests, written against a live account")
_cli = validated("the statements that snow CLI 3.30 sends")
_POOL = "MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS INITIALLY_SUSPENDED=TRUE"

STATEMENTS = [
    documented(
        f"CREATE COMPUTE POOL extra_pool {_POOL} BACKUP_INSTANCE_FAMILIES = ('CPU_X64_S', 'CPU_X64_M')",
        status("Compute pool EXTRA_POOL successfully created."),
    ),
    documented(
        "SHOW COMPUTE POOLS LIKE 'extra_pool'",
        one(backup_instance_families=re.compile("CPU_X64_S, ?CPU_X64_M")),
    ),
    _live(
        f"CREATE COMPUTE POOL extra_two {_POOL} BACKUP_INSTANCE_FAMILIES = ('CPU_X64_XS')",
        wrong_value(
            "Invalid BACKUP_INSTANCE_FAMILIES for compute pool: BACKUP_INSTANCE_FAMILIES contains "
            "'CPU_X64_XS' which matches the primary INSTANCE_FAMILY. Each backup must be different from "
            "the primary."
        ),
    ),
    documented(
        f"CREATE COMPUTE POOL extra_two {_POOL} BACKUP_INSTANCE_FAMILIES = ('CPU_X64_S', 'CPU_X64_S')",
        Refused(1008, "22023", "BACKUP_INSTANCE_FAMILIES"),
    ),
    documented("ALTER COMPUTE POOL extra_pool UNSET BACKUP_INSTANCE_FAMILIES", DONE),
    documented("DESC COMPUTE POOL extra_pool", one(backup_instance_families="")),
    documented("ALTER COMPUTE POOL extra_pool SET PLACEMENT_GROUP = 'DISTRIBUTED'", DONE),
    documented("ALTER COMPUTE POOL extra_pool UNSET PLACEMENT_GROUP", DONE),
    documented("ALTER COMPUTE POOL extra_pool STOP ALL OF TYPE USER", DONE),
    documented("ALTER COMPUTE POOL extra_pool STOP ALL OF TYPE notebook, ml_job", DONE),
    _live(
        "ALTER COMPUTE POOL extra_pool STOP ALL OF TYPE ROBOT",
        wrong_value(
            "Invalid input for OF TYPE option: Invalid workload type 'ROBOT'. Expected comma separated list "
            "like: 'type1, type2'. Valid types are ALL, USER, NOTEBOOK, MODEL_SERVING, STREAMLIT, ML_JOB."
        ),
    ),
    documented("SHOW SERVICES OF TYPE USER IN COMPUTE POOL extra_pool", NOTHING),
    documented("SHOW NODES IN COMPUTE POOL extra_pool", NOTHING),
    documented("SHOW NODES IN COMPUTE POOL nowhere", missing("Compute pool", "NOWHERE")),
    _cli(
        "call system$get_compute_pool_status('extra_pool')", Rows([(re.compile(".*SUSPENDED.*"),)])
    ),
    documented("DROP COMPUTE POOL extra_pool", status("EXTRA_POOL successfully dropped.")),
]
SNAPSHOTS = [
    documented("SHOW SNAPSHOTS", NOTHING),
    documented(
        "DESC SNAPSHOT none",
        Refused(2003, "02000", "POOL_EXTRAS.PUBLIC.NONE' does not exist or not authorized."),
    ),
    documented("DROP SNAPSHOT none", Refused(2003, "02000", "NONE' does not exist")),
    documented(
        "DROP SNAPSHOT IF EXISTS none",
        status("Drop statement executed successfully (NONE already dropped)."),
    ),
    documented(
        'CREATE SNAPSHOT s FROM SERVICE nowhere VOLUME "v" INSTANCE 0',
        missing("Service", "POOL_EXTRAS.PUBLIC.NOWHERE"),
    ),
    documented(
        'CREATE OR REPLACE SNAPSHOT IF NOT EXISTS s FROM SERVICE x VOLUME "v" INSTANCE 0',
        Refused(1003, "42000", "unexpected"),
    ),
    ours("CREATE SNAPSHOT s FROM SERVICE x", Refused(1003, "42000", "unexpected '<EOF>'")),
]
FAMILIES = [Family("pool_extras", [*STATEMENTS, *SNAPSHOTS])]
