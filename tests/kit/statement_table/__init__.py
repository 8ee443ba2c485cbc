"""What users type at Snowflake and what it answers, as a table: a module for each family of statements."""

from tests.kit.statement_table import (
    access,
    containers_of_schemas,
    jobs,
    ordinary,
    pools,
    repositories,
    services,
    specifications,
    stages,
    syntax,
    templates,
)

FAMILIES = [
    family
    for module in (
        pools,
        repositories,
        services,
        jobs,
        specifications,
        templates,
        syntax,
        containers_of_schemas,
        access,
        stages,
        ordinary,
    )
    for family in module.FAMILIES
]
