"""What users type at Snowflake and what it answers, as a table: a module for each family of statements."""

from tests.kit.statement_table import (
    jobs,
    pools,
    repositories,
    services,
    specifications,
    syntax,
    templates,
)

FAMILIES = [
    family
    for module in (pools, repositories, services, jobs, specifications, templates, syntax)
    for family in module.FAMILIES
]
