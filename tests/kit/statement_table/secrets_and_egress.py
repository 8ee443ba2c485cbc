"""Secrets, network rules, external access integrations and tags; RENAME and UNDROP."""

from tests.kit.statement_table.records import (
    DONE,
    KNOWN,
    NOTHING,
    Columns,
    Family,
    Refused,
    Rows,
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
)

_live = validated("FrostLake's tests, written against a live account")

SECRETS = [
    documented(
        "CREATE SECRET sec TYPE=GENERIC_STRING SECRET_STRING='abc'",
        status("Secret SEC successfully created."),
    ),
    documented(
        "CREATE SECRET IF NOT EXISTS sec TYPE=GENERIC_STRING SECRET_STRING='x'",
        status("SEC already exists, statement succeeded."),
    ),
    documented("CREATE SECRET sec TYPE=GENERIC_STRING SECRET_STRING='x'", exists("SEC")),
    documented(
        "CREATE OR REPLACE SECRET login TYPE = password USERNAME = 'ann' PASSWORD = 'hidden' COMMENT = 'c'",
        status("Secret LOGIN successfully created."),
    ),
    _live("CREATE SECRET none SECRET_STRING='x'", no_option("TYPE")),
    _live("CREATE SECRET none TYPE=PASSWORD USERNAME='ann'", no_option("PASSWORD")),
    documented("CREATE SECRET none TYPE=GENERIC_STRING", no_option("SECRET_STRING")),
    documented(
        "SHOW SECRETS", names("LOGIN", "SEC"), some(name="SEC", secret_type="GENERIC_STRING")
    ),
    documented(
        "SHOW SECRETS LIKE 'login'", one(name="LOGIN", secret_type="PASSWORD", comment="c")
    ),
    documented("DESC SECRET login", one(name="LOGIN", username="ann")),
    documented("ALTER SECRET login SET PASSWORD = 'other'", DONE),
    documented("ALTER SECRET login SET COMMENT = 'changed'", DONE),
    documented("SHOW SECRETS LIKE 'LOGIN'", one(comment="changed")),
    documented("DESC SECRET none", missing("Secret", "EGRESS.PUBLIC.NONE")),
    documented("DROP SECRET sec", status("SEC successfully dropped.")),
    documented("DROP SECRET sec", missing("Secret", "EGRESS.PUBLIC.SEC")),
    documented("DROP SECRET IF EXISTS sec", Columns("status")),
]
RULES = [
    documented(
        "CREATE NETWORK RULE nr TYPE=HOST_PORT MODE=EGRESS VALUE_LIST=('translation.googleapis.com')",
        Rows([(KNOWN,)]),
    ),
    documented(
        "CREATE OR REPLACE NETWORK RULE web MODE = EGRESS TYPE = HOST_PORT "
        "VALUE_LIST = ('0.0.0.0:443', '0.0.0.0:80') COMMENT = 'all'",
        Rows([(KNOWN,)]),
    ),
    documented(
        "CREATE NETWORK RULE nr TYPE=HOST_PORT MODE=EGRESS VALUE_LIST=('a.b')", exists("NR")
    ),
    documented(
        "SHOW NETWORK RULES", names("NR", "WEB"), some(name="WEB", mode="EGRESS", type="HOST_PORT")
    ),
    documented("DESC NETWORK RULE nr", one(name="NR", value_list="translation.googleapis.com")),
    documented("ALTER NETWORK RULE nr SET VALUE_LIST = ('example.com:8443')", DONE),
    documented("DESC NETWORK RULE nr", one(value_list="example.com:8443")),
    documented(
        "CREATE NETWORK RULE bad TYPE=HOST_PORT MODE=EGRESS VALUE_LIST=('*.x.com')",
        Refused(1008, "22023", KNOWN),
    ),
    documented(
        "DESC NETWORK RULE none", Refused(2003, "02000", "NONE' does not exist or not authorized.")
    ),
]
INTEGRATIONS = [
    documented(
        "CREATE EXTERNAL ACCESS INTEGRATION eai ALLOWED_NETWORK_RULES=(nr) ENABLED=true",
        Rows([(KNOWN,)]),
    ),
    documented(
        "CREATE OR REPLACE EXTERNAL ACCESS INTEGRATION eai ALLOWED_NETWORK_RULES = (nr, egress.public.web) "
        "ALLOWED_AUTHENTICATION_SECRETS = (login) ENABLED = TRUE COMMENT = 'out'",
        Rows([(KNOWN,)]),
    ),
    documented(
        "CREATE EXTERNAL ACCESS INTEGRATION eai ALLOWED_NETWORK_RULES=(nr) ENABLED=true",
        exists("EAI"),
    ),
    documented(
        "CREATE EXTERNAL ACCESS INTEGRATION bad ALLOWED_NETWORK_RULES=(none) ENABLED=true",
        Refused(2003, "02000", "NONE' does not exist or not authorized."),
    ),
    documented(
        "SHOW EXTERNAL ACCESS INTEGRATIONS LIKE 'eai'",
        one(name="EAI", enabled="true", comment="out"),
    ),
    documented("SHOW INTEGRATIONS LIKE 'EAI'", one(name="EAI", type="EXTERNAL_ACCESS")),
    documented("DESC INTEGRATION eai", some(property="ENABLED", property_value="true")),
    documented("ALTER EXTERNAL ACCESS INTEGRATION eai SET ENABLED = FALSE", DONE),
    documented("SHOW INTEGRATIONS LIKE 'EAI'", one(enabled="false")),
    documented("DROP INTEGRATION eai", status("EAI successfully dropped.")),
    documented("DROP NETWORK RULE web", status("WEB successfully dropped.")),
]
TAGS = [
    documented("CREATE TAG cost COMMENT = 'who pays'", status("Tag COST successfully created.")),
    documented(
        "CREATE TAG size ALLOWED_VALUES 'small', 'large'", status("Tag SIZE successfully created.")
    ),
    documented("CREATE TAG cost", exists("COST")),
    documented("SHOW TAGS", names("COST", "SIZE")),
    documented(
        "SHOW TAGS LIKE 'cost'", one(name="COST", comment="who pays", database_name="EGRESS")
    ),
    documented(
        "CREATE IMAGE REPOSITORY tagged TAG (cost = 'ann')",
        status("Image Repository TAGGED successfully created."),
    ),
    documented("SELECT SYSTEM$GET_TAG('cost', 'tagged', 'IMAGE REPOSITORY')", Rows([("ann",)])),
    documented(
        "CREATE COMPUTE POOL tag_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS "
        "INITIALLY_SUSPENDED=TRUE WITH TAG (cost='pool')",
        status("Compute pool TAG_POOL successfully created."),
    ),
    documented("ALTER COMPUTE POOL tag_pool SET TAG size = 'large'", DONE),
    documented("ALTER COMPUTE POOL tag_pool SET TAG size = 'huge'", Refused(1008, "22023", KNOWN)),
    documented("ALTER COMPUTE POOL tag_pool UNSET TAG size", DONE),
    _live(
        "ALTER COMPUTE POOL tag_pool SET MIN_NODES = 1 TAG cost = 'x'",
        Refused(1003, "42000", "unexpected"),
    ),
    documented("DROP COMPUTE POOL tag_pool", status("TAG_POOL successfully dropped.")),
    documented("DROP TAG size", status("SIZE successfully dropped.")),
    documented("SHOW TAGS", names("COST"), Without("SIZE")),
]
BACK = [
    documented("CREATE SCHEMA moving", status("Schema MOVING successfully created.")),
    documented(
        "CREATE IMAGE REPOSITORY moving.r", status("Image Repository R successfully created.")
    ),
    documented("ALTER SCHEMA moving RENAME TO moved", DONE),
    documented("SHOW IMAGE REPOSITORIES IN SCHEMA moved", one(name="R", schema_name="MOVED")),
    documented("USE SCHEMA moving", missing("Schema", "EGRESS.MOVING")),
    documented("DROP SCHEMA moved", status("MOVED successfully dropped.")),
    documented("UNDROP SCHEMA moved", status("Schema MOVED successfully restored.")),
    documented("SHOW IMAGE REPOSITORIES IN SCHEMA egress.moved", names("R")),
    ours("UNDROP SCHEMA moved", Refused(2003, "02000", "MOVED")),
    documented("UNDROP SCHEMA never", Refused(2003, "02000", "NEVER")),
    documented("COMMENT ON SCHEMA moved IS 'said'", DONE),
    documented("SHOW SCHEMAS LIKE 'moved'", one(comment="said")),
    ours("SHOW SECRETS IN SCHEMA egress.moved", NOTHING),
]
FAMILIES = [
    Family("egress", [*SECRETS, *RULES, *INTEGRATIONS, *TAGS, *BACK]),
]
