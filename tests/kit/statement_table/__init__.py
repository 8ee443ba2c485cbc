"""What users type at Snowflake and what it answers, as a table: a module for each family of statements."""

from tests.kit.statement_table import (
    access,
    containers_of_schemas,
    identities,
    jobs,
    ordinary,
    pool_extras,
    pools,
    repositories,
    secrets_and_egress,
    services,
    specifications,
    stages,
    syntax,
    templates,
)

FAMILIES = [
    family
    for module in (
        services,
        jobs,
        pools,
        repositories,
        specifications,
        templates,
        syntax,
        containers_of_schemas,
        access,
        identities,
        secrets_and_egress,
        pool_extras,
        stages,
        ordinary,
    )
    for family in module.FAMILIES
]
