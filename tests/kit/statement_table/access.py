"""Roles, users, and who may do what."""

import re

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
    one,
    ours,
    some,
    status,
    validated,
)

_cli = validated("the statements that snow CLI 3.30 sends")
_terraform = validated("terraform-provider-snowflake, 3001 (42501) in its integration tests")
_DENIED = Refused(3001, "42501", re.compile("[Ii]nsufficient privileges"))
_POOL = "MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS INITIALLY_SUSPENDED=TRUE"

ROLES = [
    documented("CREATE ROLE keeper COMMENT = 'k'", status("Role KEEPER successfully created.")),
    documented("CREATE ROLE keeper", exists("KEEPER")),
    documented(
        "CREATE ROLE IF NOT EXISTS keeper", status("KEEPER already exists, statement succeeded.")
    ),
    documented("CREATE ROLE guest", status("Role GUEST successfully created.")),
    documented("SHOW ROLES LIKE 'keeper'", one(name="KEEPER", comment="k", owner="ACCOUNTADMIN")),
    documented(
        "SHOW ROLES",
        some(name="ACCOUNTADMIN"),
        some(name="SYSADMIN"),
        some(name="SECURITYADMIN"),
        some(name="USERADMIN"),
        some(name="PUBLIC"),
    ),
    documented("GRANT ROLE keeper TO USER admin", DONE),
    documented("GRANT ROLE guest TO ROLE keeper", DONE),
    documented("GRANT ROLE guest TO USER admin", DONE),
    documented("GRANT ROLE nobody TO USER admin", missing("Role", "NOBODY")),
    documented("GRANT ROLE guest TO USER nobody", missing("User", "NOBODY")),
    documented(
        "SHOW GRANTS OF ROLE guest",
        Columns("created_on role granted_to grantee_name granted_by"),
        some(role="GUEST", granted_to="ROLE", grantee_name="KEEPER"),
        some(role="GUEST", granted_to="USER", grantee_name="ADMIN"),
    ),
    documented("SHOW GRANTS TO USER admin", some(role="KEEPER")),
    documented(
        "CREATE USER visitor PASSWORD='Visiting-Secret-1' DEFAULT_ROLE=guest",
        status("User VISITOR successfully created."),
    ),
    documented("CREATE USER visitor PASSWORD='x'", exists("VISITOR")),
    documented("SHOW USERS LIKE 'visitor'", one(name="VISITOR", default_role="GUEST")),
    documented("DESC USER visitor", some(property="NAME", value="VISITOR")),
    documented("ALTER USER visitor SET COMMENT = 'v'", DONE),
]
POOLS = [
    documented(
        f"CREATE COMPUTE POOL keep_pool {_POOL}",
        status("Compute pool KEEP_POOL successfully created."),
    ),
    documented("GRANT USAGE ON DATABASE access_to TO ROLE guest", DONE),
    documented("GRANT USAGE ON SCHEMA access_to.public TO ROLE guest", DONE),
    documented("USE ROLE guest", DONE),
    documented("SELECT CURRENT_ROLE()", Rows([("GUEST",)])),
    documented("SHOW COMPUTE POOLS LIKE 'keep_pool'", NOTHING),
    documented("DESC COMPUTE POOL keep_pool", missing("Compute pool", "KEEP_POOL")),
    documented("ALTER COMPUTE POOL keep_pool RESUME", missing("Compute pool", "KEEP_POOL")),
    _terraform(f"CREATE COMPUTE POOL mine {_POOL}", _DENIED),
    documented("USE ROLE accountadmin", DONE),
    documented("GRANT MONITOR ON COMPUTE POOL keep_pool TO ROLE guest", DONE),
    documented("USE ROLE guest", DONE),
    documented("DESC COMPUTE POOL keep_pool", one(name="KEEP_POOL", owner="ACCOUNTADMIN")),
    documented("ALTER COMPUTE POOL keep_pool SUSPEND", _DENIED),
    documented("ALTER COMPUTE POOL keep_pool SET COMMENT = 'x'", _DENIED),
    documented("DROP COMPUTE POOL keep_pool", _DENIED),
    documented("USE ROLE accountadmin", DONE),
    documented("GRANT OPERATE, MODIFY ON COMPUTE POOL keep_pool TO ROLE guest", DONE),
    documented("USE ROLE guest", DONE),
    documented("ALTER COMPUTE POOL keep_pool SUSPEND", DONE),
    documented("ALTER COMPUTE POOL keep_pool SET COMMENT = 'x'", DONE),
    documented("USE ROLE accountadmin", DONE),
    documented(
        "SHOW GRANTS ON COMPUTE POOL keep_pool",
        some(privilege="OWNERSHIP", granted_on="COMPUTE_POOL", grantee_name="ACCOUNTADMIN"),
        some(privilege="MONITOR", name="KEEP_POOL", granted_to="ROLE", grantee_name="GUEST"),
        some(privilege="OPERATE", grantee_name="GUEST"),
    ),
    documented(
        "SHOW GRANTS TO ROLE guest",
        Columns(
            "created_on privilege granted_on name granted_to grantee_name grant_option granted_by"
        ),
        some(privilege="MODIFY", granted_on="COMPUTE_POOL", name="KEEP_POOL"),
    ),
    documented("REVOKE OPERATE ON COMPUTE POOL keep_pool FROM ROLE guest", DONE),
    documented("SHOW GRANTS ON COMPUTE POOL keep_pool", Without("OPERATE", "privilege")),
    documented("GRANT ALL ON COMPUTE POOL keep_pool TO ROLE guest", Columns("status")),
    documented(
        "SHOW GRANTS ON COMPUTE POOL keep_pool", some(privilege="USAGE", grantee_name="GUEST")
    ),
    documented(
        "GRANT OWNERSHIP ON COMPUTE POOL keep_pool TO ROLE keeper COPY CURRENT GRANTS", DONE
    ),
    documented("DESC COMPUTE POOL keep_pool", one(owner="KEEPER")),
    documented(
        "GRANT USAGE ON COMPUTE POOL nowhere TO ROLE guest", missing("Compute pool", "NOWHERE")
    ),
    documented("GRANT USAGE ON COMPUTE POOL keep_pool TO ROLE nobody", missing("Role", "NOBODY")),
    ours(
        "GRANT READ ON COMPUTE POOL keep_pool TO ROLE guest",
        Refused(1008, "22023", "Privilege 'READ' cannot be granted"),
    ),
]
REPOSITORIES = [
    documented(
        "CREATE IMAGE REPOSITORY locked", status("Image Repository LOCKED successfully created.")
    ),
    documented("USE ROLE guest", DONE),
    documented("SHOW IMAGE REPOSITORIES IN SCHEMA access_to.public", NOTHING),
    documented(
        "SHOW IMAGES IN IMAGE REPOSITORY locked",
        missing("Image repository", "ACCESS_TO.PUBLIC.LOCKED"),
    ),
    _terraform("CREATE IMAGE REPOSITORY mine", _DENIED),
    documented("USE ROLE accountadmin", DONE),
    documented("GRANT READ ON IMAGE REPOSITORY locked TO ROLE guest", DONE),
    documented("GRANT CREATE IMAGE REPOSITORY ON SCHEMA access_to.public TO ROLE guest", DONE),
    documented("USE ROLE guest", DONE),
    documented("SHOW IMAGES IN IMAGE REPOSITORY locked", NOTHING),
    documented(
        "CREATE IMAGE REPOSITORY mine", status("Image Repository MINE successfully created.")
    ),
    documented("SHOW IMAGE REPOSITORIES LIKE 'MINE'", one(owner="GUEST")),
    documented("DROP IMAGE REPOSITORY locked", _DENIED),
    documented("SHOW DATABASES LIKE 'TUTORIAL_DB'", NOTHING),
    documented("USE DATABASE tutorial_db", missing("Database", "TUTORIAL_DB")),
    documented("CREATE ROLE another", _DENIED),
    documented("CREATE DATABASE another", _DENIED),
    documented("GRANT ROLE keeper TO ROLE guest", Refused(3001, "42501", KNOWN)),
    ours("USE ROLE nobody", missing("Role", "NOBODY")),
    _cli('use role "ACCOUNTADMIN"', DONE),
]
DROP = [
    documented("REVOKE ROLE guest FROM USER admin", DONE),
    documented("SHOW GRANTS OF ROLE guest", Without("ADMIN", "grantee_name")),
    documented("DROP COMPUTE POOL keep_pool", status("KEEP_POOL successfully dropped.")),
    documented("DROP USER visitor", status("VISITOR successfully dropped.")),
    documented("DROP USER visitor", missing("User", "VISITOR")),
    documented("DROP ROLE guest", status("GUEST successfully dropped.")),
    documented("DROP ROLE keeper", status("KEEPER successfully dropped.")),
    documented("DROP ROLE keeper", missing("Role", "KEEPER")),
]
FAMILIES = [Family("access_to", [*ROLES, *POOLS, *REPOSITORIES, *DROP])]
