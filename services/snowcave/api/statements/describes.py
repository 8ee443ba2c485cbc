"""DESCRIBE of what only holds other things."""

from snowcave.api.contract import Rows
from snowcave.api.sql.tree import Describe, Show
from snowcave.api.statements.filters import columns
from snowcave.api.statements.image_repositories import show_image_repositories
from snowcave.api.statements.work import Work, moment
from snowcave.model import keys

_SHAPE = columns("created_on:timestamp_ltz", "name", "kind")


async def describe_database(statement: Describe, work: Work) -> Rows:
    database = work.caller.find("database", statement.name).message
    schemas = [
        (moment(one.created_on), one.name, "SCHEMA")
        for one in work.catalog.children("schema", database.uid)
        if work.caller.sees(one)
    ]
    return Rows(_SHAPE, schemas)


async def describe_schema(statement: Describe, work: Work) -> Rows:
    """The objects of ours that stand in it; tables and views are the warehouse's to list."""
    schema = work.caller.find("schema", statement.name).message
    rows = [
        (moment(one.created_on), one.name, domain.replace("_", " ").upper())
        for domain in keys.IN_SCHEMA
        for one in work.catalog.children(domain, schema.uid)
        if work.caller.sees(one)
    ]
    return Rows(_SHAPE, rows)


async def describe_image_repository(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("image_repository", statement.name).message
    listed = await show_image_repositories(Show("IMAGE REPOSITORIES"), work)
    at = next(i for i, column in enumerate(listed.columns) if column.name == "name")
    return Rows(listed.columns, [row for row in listed.rows if row[at] == found.name])
