"""Users, their tokens and keys; grants for the future; secondary roles."""

import re

from tests.kit.statement_table.records import (
    DONE,
    KNOWN,
    Columns,
    Family,
    Refused,
    Rows,
    documented,
    missing,
    one,
    ours,
    some,
    status,
    unsupported,
)

USERS = [
    documented(
        "CREATE USER ident PASSWORD = 'First-Secret-1' DEFAULT_ROLE = PUBLIC COMMENT = 'c'",
        status("User IDENT successfully created."),
    ),
    documented("ALTER USER ident SET PASSWORD = 'Second-Secret-2'", DONE),
    documented("ALTER USER ident SET DEFAULT_ROLE = sysadmin", DONE),
    documented("SHOW USERS LIKE 'IDENT'", one(name="IDENT", default_role="SYSADMIN", comment="c")),
    documented("ALTER USER ident UNSET COMMENT", DONE),
    documented("SHOW USERS LIKE 'IDENT'", one(comment=re.compile("None|"))),
    documented("ALTER USER nobody SET COMMENT = 'x'", missing("User", "NOBODY")),
    ours(
        "ALTER USER ident SET RSA_PUBLIC_KEY = 'no key'",
        Refused(3562, "22023", "New public key rejected by current policy"),
    ),
    documented("CREATE ROLE ident_role", status("Role IDENT_ROLE successfully created.")),
    documented("GRANT ROLE ident_role TO USER ident", DONE),
]
TOKENS = [
    documented(
        "ALTER USER ident ADD PROGRAMMATIC ACCESS TOKEN pat_one ROLE_RESTRICTION = 'IDENT_ROLE' "
        "DAYS_TO_EXPIRY = 7",
        Columns("token_name token_secret"),
        one(token_name="PAT_ONE", token_secret=KNOWN),
    ),
    documented(
        "SHOW USER PROGRAMMATIC ACCESS TOKENS FOR USER ident",
        one(name="PAT_ONE", user_name="IDENT", role_restriction="IDENT_ROLE", status="ACTIVE"),
    ),
    documented(
        "ALTER USER ident ROTATE PROGRAMMATIC ACCESS TOKEN pat_one",
        one(token_name="PAT_ONE", token_secret=KNOWN, rotated_token_name=KNOWN),
    ),
    documented("ALTER USER ident REMOVE PROGRAMMATIC ACCESS TOKEN pat_one", Rows([(KNOWN,)])),
    documented(
        "ALTER USER ident REMOVE PROGRAMMATIC ACCESS TOKEN pat_one",
        Refused(2003, "02000", "PAT_ONE"),
    ),
]
FUTURE = [
    documented(
        "GRANT USAGE ON FUTURE SERVICES IN SCHEMA identities.public TO ROLE ident_role", DONE
    ),
    documented(
        "GRANT READ ON FUTURE IMAGE REPOSITORIES IN DATABASE identities TO ROLE ident_role", DONE
    ),
    documented(
        "SHOW FUTURE GRANTS IN SCHEMA identities.public",
        some(privilege="USAGE", grantee_name="IDENT_ROLE"),
    ),
    documented(
        "CREATE IMAGE REPOSITORY later", status("Image Repository LATER successfully created.")
    ),
    documented(
        "SHOW GRANTS ON IMAGE REPOSITORY later", some(privilege="READ", grantee_name="IDENT_ROLE")
    ),
    ours(
        "GRANT OWNERSHIP ON FUTURE SERVICES IN SCHEMA identities.public TO ROLE ident_role",
        unsupported("transfer of a service's OWNERSHIP"),
    ),
    documented(
        "GRANT READ ON ALL IMAGE REPOSITORIES IN SCHEMA identities.public TO ROLE ident_role",
        Columns("status"),
    ),
    documented(
        "REVOKE USAGE ON FUTURE SERVICES IN SCHEMA identities.public FROM ROLE ident_role", DONE
    ),
    documented("USE SECONDARY ROLES ALL", DONE),
    documented("USE SECONDARY ROLES NONE", DONE),
    documented("GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE ident_role", DONE),
    documented("GRANT CREATE COMPUTE POOL ON ACCOUNT TO ROLE ident_role", DONE),
    documented(
        "SHOW GRANTS TO ROLE ident_role",
        some(privilege="BIND SERVICE ENDPOINT", granted_on="ACCOUNT"),
        some(privilege="CREATE COMPUTE POOL"),
    ),
    documented("DROP USER ident", status("IDENT successfully dropped.")),
    documented("DROP ROLE ident_role", status("IDENT_ROLE successfully dropped.")),
]
FAMILIES = [Family("identities", [*USERS, *TOKENS, *FUTURE])]
