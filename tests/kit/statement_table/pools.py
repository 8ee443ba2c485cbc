"""Compute pools."""

from tests.kit.statement_table.records import (
    ANYTHING,
    DONE,
    NOTHING,
    Columns,
    Family,
    Listed,
    Refused,
    Without,
    documented,
    exists,
    missing,
    names,
    no_option,
    one,
    ours,
    some,
    status,
    validated,
    wrong_value,
)

_live = validated("FrostLake's tests, written against a live account")
_cli = validated("the statements that snow CLI 3.30 sends")
_terraform = validated("terraform-provider-snowflake, integration tests of compute pools")

SHOW = (
    "name state min_nodes max_nodes instance_family num_services num_jobs auto_suspend_secs auto_resume "
    "active_nodes idle_nodes target_nodes created_on resumed_on updated_on owner comment is_exclusive "
    "application placement_group backup_instance_families"
)
DESCRIBE = SHOW.replace(
    "application placement_group", "application error_code status_message placement_group"
)
_FAMILIES = (
    "name description vcpu memory_gib storage_gib gpu gpu_count gpu_memory_gib current_node_usage "
    "message"
)
_MINIMUM = "MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS"

CREATE = [
    _cli(
        "CREATE COMPUTE POOL IF NOT EXISTS swim_p1\nMIN_NODES = 1\nMAX_NODES = 2\n"
        "INSTANCE_FAMILY = 'CPU_X64_XS'\nAUTO_RESUME = True\nINITIALLY_SUSPENDED = True\n"
        "AUTO_SUSPEND_SECS = 3600\nCOMMENT = 'it''s'",
        Columns("status"),
        status("Compute pool SWIM_P1 successfully created."),
    ),
    _live(f"CREATE COMPUTE POOL swim_p1 {_MINIMUM}", exists("SWIM_P1")),
    documented(
        f"CREATE COMPUTE POOL IF NOT EXISTS swim_p1 {_MINIMUM}",
        status("SWIM_P1 already exists, statement succeeded."),
    ),
    documented(
        "create compute pool swim_p2 instance_family=cpu_x64_s max_nodes=3 initially_suspended=true "
        "min_nodes=2 auto_suspend_secs=0 auto_resume=false;",
        status("Compute pool SWIM_P2 successfully created."),
    ),
    documented(
        "CREATE COMPUTE POOL swim_p3 -- the third\n  MIN_NODES = 1 /* one */ MAX_NODES = 1\n"
        "  INSTANCE_FAMILY = GPU_NV_S INITIALLY_SUSPENDED = TRUE PLACEMENT_GROUP = DISTRIBUTED",
        status("Compute pool SWIM_P3 successfully created."),
    ),
    _live("CREATE COMPUTE POOL swim_x MIN_NODES = 1 MAX_NODES = 1", no_option("INSTANCE_FAMILY")),
    _live(
        "CREATE COMPUTE POOL swim_x INSTANCE_FAMILY = CPU_X64_XS",
        no_option("MIN_NODES", "MAX_NODES"),
    ),
    _live("CREATE COMPUTE POOL swim_x", no_option("MIN_NODES", "MAX_NODES", "INSTANCE_FAMILY")),
    _live(
        "CREATE COMPUTE POOL swim_x MIN_NODES = 0 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS",
        wrong_value("invalid value '0' for property 'MIN_NODES'"),
    ),
    _live(
        "CREATE COMPUTE POOL swim_x MIN_NODES = 3 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS",
        wrong_value("invalid property combination 'MIN_NODES'='3' and 'MAX_NODES'='1'"),
    ),
    _live(
        "CREATE COMPUTE POOL swim_x MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = ROBOT",
        wrong_value(
            "Invalid instance family ROBOT. Please refer to Snowflake documentation for supported "
            "instance families."
        ),
    ),
    _live(
        f'CREATE COMPUTE POOL "lower_pool" {_MINIMUM}',
        wrong_value("Invalid compute pool name: 'lower_pool'. Name must be uppercase."),
    ),
    _live(
        f"CREATE COMPUTE POOL swim_x {_MINIMUM} PLACEMENT_GROUP = 'pg1'",
        wrong_value(
            "Invalid value 'pg1' for property 'PLACEMENT_GROUP':\n"
            "Placement group 'pg1' does not exist in this region."
        ),
    ),
    documented(
        f"CREATE OR REPLACE COMPUTE POOL swim_x {_MINIMUM}",
        Refused(1003, "42000", "unexpected 'COMPUTE'."),
    ),
    ours(
        f"CREATE COMPUTE POOL swim_x {_MINIMUM} MIN_NODE = 1",
        wrong_value("invalid property 'MIN_NODE' for 'COMPUTE_POOL'"),
    ),
    ours(
        f"CREATE COMPUTE POOL swim_x {_MINIMUM} AUTO_RESUME = maybe",
        wrong_value("invalid value 'MAYBE' for property 'AUTO_RESUME'"),
    ),
    ours(
        "CREATE COMPUTE POOL swim_x MIN_NODES = many",
        wrong_value("invalid value 'MANY' for property 'MIN_NODES'"),
    ),
    ours(
        f"CREATE COMPUTE POOL swim_x {_MINIMUM} MAX_NODES = 2",
        Refused(1003, "42000", "unexpected 'MAX_NODES'."),
    ),
]
SHOWN = [
    _live("SHOW COMPUTE POOLS LIKE 'SWIM!_%' ", NOTHING, Columns(SHOW)),
    _cli(
        "show compute pools like 'swim_p%'",
        Columns(SHOW),
        names("SWIM_P1", "SWIM_P2", "SWIM_P3"),
    ),
    documented(
        "SHOW COMPUTE POOLS LIKE 'swim_p1'",
        one(
            name="SWIM_P1",
            state="SUSPENDED",
            min_nodes=1,
            max_nodes=2,
            instance_family="CPU_X64_XS",
            num_services=0,
            num_jobs=0,
            auto_suspend_secs=3600,
            auto_resume="true",
            active_nodes=0,
            idle_nodes=0,
            target_nodes=0,
            owner="ACCOUNTADMIN",
            comment="it's",
            is_exclusive="false",
            application=None,
        ),
    ),
    documented(
        "SHOW COMPUTE POOLS LIKE 'swim_p2'",
        one(min_nodes=2, max_nodes=3, instance_family="CPU_X64_S", auto_resume="false"),
    ),
    _live(
        "SHOW COMPUTE POOLS LIKE 'swim_p3'",
        one(comment=None, resumed_on="1970-01-01 00:00:00+00:00", backup_instance_families=""),
    ),
    _cli("show compute pools like '%%' in account", some(name="SWIM_P1"), some(name="SWIM_P3")),
    documented("SHOW COMPUTE POOLS STARTS WITH 'SWIM'", names("SWIM_P1", "SWIM_P2", "SWIM_P3")),
    documented("SHOW COMPUTE POOLS STARTS WITH 'swim'", NOTHING),
    documented("SHOW COMPUTE POOLS LIKE 'SWIM%' LIMIT 2", names("SWIM_P1", "SWIM_P2")),
    documented("SHOW COMPUTE POOLS LIKE 'SWIM%' LIMIT 5 FROM 'SWIM_P2'", names("SWIM_P3")),
    _cli("show terse compute pools like 'swim_p%' limit 3", some(name="SWIM_P1")),
    _live(
        "DESC COMPUTE POOL swim_p1",
        Columns(DESCRIBE),
        one(name="SWIM_P1", state="SUSPENDED", error_code="", status_message=""),
    ),
    _cli(
        "describe compute pool IDENTIFIER('swim_p2')",
        one(name="SWIM_P2", auto_suspend_secs=0),
    ),
    documented('DESCRIBE COMPUTE POOL "SWIM_P3"', one(placement_group="DISTRIBUTED")),
    _live("DESC COMPUTE POOL swim_none", missing("Compute pool", "SWIM_NONE")),
    documented(
        "SHOW COMPUTE POOL INSTANCE FAMILIES",
        Columns(_FAMILIES),
        some(name="CPU_X64_XS", vcpu=1, memory_gib=6, storage_gib="93.13", gpu_count=None),
        some(name="CPU_X64_S", vcpu=3, memory_gib=13),
        some(name="CPU_X64_M", vcpu=6, memory_gib=28),
        some(name="CPU_X64_SL", vcpu=14, memory_gib=54),
        some(name="CPU_X64_L", vcpu=28, memory_gib=116),
        some(name="HIGHMEM_X64_S", vcpu=6, memory_gib=58),
        some(name="GPU_NV_S", vcpu=6, memory_gib=27, gpu_count=1, gpu_memory_gib=24),
    ),
]
ALTER = [
    _cli(
        "alter compute pool swim_p1 set\nmin_nodes = 2\nmax_nodes = 4\nauto_resume = False\n"
        "auto_suspend_secs = 60\ncomment = 'c'",
        DONE,
    ),
    documented(
        "DESC COMPUTE POOL swim_p1",
        one(min_nodes=2, max_nodes=4, auto_resume="false", auto_suspend_secs=60, comment="c"),
    ),
    _cli("alter compute pool swim_p1 unset auto_resume,comment", DONE),
    documented(
        "DESC COMPUTE POOL swim_p1", one(auto_resume="true", comment=None, auto_suspend_secs=60)
    ),
    documented("ALTER COMPUTE POOL swim_p1 UNSET AUTO_SUSPEND_SECS", DONE),
    documented("DESC COMPUTE POOL swim_p1", one(auto_suspend_secs=3600)),
    documented("ALTER COMPUTE POOL swim_p1 SET INSTANCE_FAMILY = CPU_X64_M", DONE),
    documented("DESC COMPUTE POOL swim_p1", one(instance_family="CPU_X64_M")),
    _live(
        "ALTER COMPUTE POOL swim_p1 SET MIN_NODES = 9",
        wrong_value("invalid property combination 'MIN_NODES'='9' and 'MAX_NODES'='4'"),
    ),
    _live(
        "ALTER COMPUTE POOL swim_p1 SET MIN_NODES = 0",
        wrong_value("invalid value '0' for property 'MIN_NODES'"),
    ),
    _live("ALTER COMPUTE POOL swim_p1 SUSPEND", DONE),
    documented("ALTER COMPUTE POOL IF EXISTS swim_none SUSPEND", DONE),
    _live("ALTER COMPUTE POOL swim_none SUSPEND", missing("Compute pool", "SWIM_NONE")),
    _live("ALTER COMPUTE POOL swim_none SET COMMENT = 'x'", missing("Compute pool", "SWIM_NONE")),
    documented("ALTER COMPUTE POOL swim_p1 STOP ALL", DONE),
    ours("ALTER COMPUTE POOL swim_p1 SET", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("ALTER COMPUTE POOL swim_p1 FLY", Refused(1003, "42000", "unexpected 'FLY'.")),
]
RUNNING = [
    _terraform(
        "CREATE COMPUTE POOL swim_up MIN_NODES = 1 MAX_NODES = 2 INSTANCE_FAMILY = CPU_X64_XS",
        status("Compute pool SWIM_UP successfully created."),
    ),
    documented(
        "SHOW COMPUTE POOLS LIKE 'swim_up'", one(target_nodes=1, num_services=0, num_jobs=0)
    ),
    _live(
        "ALTER COMPUTE POOL swim_up SET INSTANCE_FAMILY = CPU_X64_S",
        wrong_value(
            "Invalid property 'INSTANCE_FAMILY' for 'COMPUTE_POOL':\nCannot set INSTANCE_FAMILY for "
            "compute pool that is not suspended. Please suspend the compute pool first."
        ),
    ),
    ours("ALTER COMPUTE POOL swim_up RESUME", wrong_value("Cannot resume compute pool 'SWIM_UP'")),
    _cli("alter compute pool swim_up suspend", DONE),
    documented("DESC COMPUTE POOL swim_up", one(name="SWIM_UP", auto_resume="true")),
    _cli("alter compute pool swim_up resume", DONE),
    _cli("alter compute pool swim_up stop all", DONE),
    documented("DROP COMPUTE POOL swim_up", status("SWIM_UP successfully dropped.")),
    documented("DESC COMPUTE POOL swim_up", missing("Compute pool", "SWIM_UP")),
]
DROP = [
    _cli(
        "drop compute pool if exists IDENTIFIER('swim_p1')",
        status("SWIM_P1 successfully dropped."),
    ),
    _cli(
        "drop compute pool if exists IDENTIFIER('swim_p1')",
        status("Drop statement executed successfully (SWIM_P1 already dropped)."),
    ),
    _live("DROP COMPUTE POOL swim_p1", missing("Compute pool", "SWIM_P1")),
    documented("DROP COMPUTE POOL swim_p2", status("SWIM_P2 successfully dropped.")),
    documented("DROP COMPUTE POOL swim_p3;", status("SWIM_P3 successfully dropped.")),
    documented("SHOW COMPUTE POOLS LIKE 'SWIM%'", Without("SWIM_P1"), Listed([])),
    ours("DROP COMPUTE POOL swim.x", Refused(1003, "42000", ANYTHING)),
]
FAMILIES = [Family("pools", [*CREATE, *SHOWN, *ALTER, *RUNNING, *DROP], smoke=True)]
