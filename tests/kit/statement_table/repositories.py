"""Image repositories and the images in them."""

from tests.kit.statement_table.records import (
    DONE,
    KNOWN,
    NOTHING,
    Columns,
    Family,
    Refused,
    Without,
    documented,
    exists,
    missing,
    names,
    one,
    ours,
    some,
    status,
    unsupported,
    validated,
    wrong_value,
)

_live = validated("FrostLake's tests, written against a live account")
_cli = validated("the statements that snow CLI 3.30 sends")
_terraform = validated("terraform-provider-snowflake, image_repositories_def.go")

SHOW = (
    "created_on name database_name schema_name repository_url owner owner_role_type comment encryption "
    "privatelink_repository_url"
)
IMAGES = "created_on image_name tags digest image_path"
_UNQUOTED = "db, schema and repo names for an image repo must be unquoted identifiers"


STATEMENTS = [
    documented("SHOW IMAGE REPOSITORIES", Columns(SHOW), NOTHING),
    _cli("create image repository repo", status("Image Repository REPO successfully created.")),
    documented("CREATE IMAGE REPOSITORY repo", exists("REPO")),
    _cli(
        "create image repository if not exists repo",
        status("REPO already exists, statement succeeded."),
    ),
    _cli(
        "create or replace image repository repo",
        status("Image Repository REPO successfully created."),
    ),
    documented(
        "CREATE IMAGE REPOSITORY repositories.public.second ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') "
        "COMMENT = 'two'",
        status("Image Repository SECOND successfully created."),
    ),
    _terraform(
        "SHOW IMAGE REPOSITORIES LIKE 'second'",
        Columns(SHOW),
        one(
            name="SECOND",
            database_name="REPOSITORIES",
            schema_name="PUBLIC",
            owner="ACCOUNTADMIN",
            owner_role_type="ROLE",
            comment="two",
            encryption="SNOWFLAKE_SSE",
        ),
    ),
    _terraform(
        "SHOW IMAGE REPOSITORIES LIKE 'repo'",
        one(encryption="SNOWFLAKE_FULL", privatelink_repository_url=KNOWN),
    ),
    _cli("show image repositories like 'R%' in database repositories", names("REPO")),
    documented("SHOW IMAGE REPOSITORIES IN SCHEMA repositories.public", names("REPO", "SECOND")),
    documented(
        "SHOW IMAGE REPOSITORIES IN ACCOUNT", some(name="SECOND"), some(name="TUTORIAL_REPOSITORY")
    ),
    documented("SHOW IMAGE REPOSITORIES LIMIT 1 FROM 'REPO'", names("SECOND")),
    documented("SHOW IMAGE REPOSITORIES STARTS WITH 'S'", names("SECOND")),
    _cli("show image repositories in schema snowflake.images", Columns(SHOW)),
    documented(
        "SHOW IMAGE REPOSITORIES IN SCHEMA nowhere", missing("Schema", "REPOSITORIES.NOWHERE")
    ),
    documented("SHOW IMAGE REPOSITORIES IN DATABASE nowhere", missing("Database", "NOWHERE")),
    _live("ALTER IMAGE REPOSITORY second SET COMMENT = 'changed'", DONE),
    _live("SHOW IMAGE REPOSITORIES LIKE 'SECOND'", one(comment="changed")),
    _live("ALTER IMAGE REPOSITORY second UNSET COMMENT", unsupported("UNSET")),
    _live(
        "CREATE IMAGE REPOSITORY third SIZE = 3",
        wrong_value("invalid property 'SIZE' for 'STAGE'"),
    ),
    _live('CREATE IMAGE REPOSITORY "quoted"', Refused(1008, "22023", _UNQUOTED)),
    documented(
        "CREATE IMAGE REPOSITORY nowhere.repo",
        missing("Schema", "REPOSITORIES.NOWHERE"),
    ),
    documented("CREATE IMAGE REPOSITORY nowhere.public.repo", missing("Database", "NOWHERE")),
    _cli("show images like '%%' in image repository repo", Columns(IMAGES), NOTHING),
    documented(
        "SHOW IMAGES IN IMAGE REPOSITORY tutorial_db.data_schema.tutorial_repository",
        Columns(IMAGES),
        some(
            image_name="my_echo_service_image",
            tags="latest",
            image_path="tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest",
        ),
    ),
    _cli(
        "show images like 'my!_%' in image repository tutorial_db.data_schema.tutorial_repository",
        Columns(IMAGES),
    ),
    _cli(
        "show images like 'x%' in image repository tutorial_db.data_schema.tutorial_repository",
        NOTHING,
    ),
    _live(
        "SHOW IMAGES IN IMAGE REPOSITORY nowhere",
        missing("Image repository", "REPOSITORIES.PUBLIC.NOWHERE"),
    ),
    documented("SHOW IMAGES", Refused(1003, "42000", "unexpected '<EOF>'")),
    documented("DESC IMAGE REPOSITORY second", one(name="SECOND")),
    _cli("drop image repository IDENTIFIER('repo')", status("REPO successfully dropped.")),
    _live("DROP IMAGE REPOSITORY repo", missing("Image repository", "REPOSITORIES.PUBLIC.REPO")),
    documented(
        "DROP IMAGE REPOSITORY IF EXISTS repo",
        status("Drop statement executed successfully (REPO already dropped)."),
    ),
    documented("DROP IMAGE REPOSITORY second", status("SECOND successfully dropped.")),
    ours("SHOW IMAGE REPOSITORIES", NOTHING, Without("SECOND")),
]
FAMILIES = [Family("repositories", STATEMENTS, smoke=True)]
