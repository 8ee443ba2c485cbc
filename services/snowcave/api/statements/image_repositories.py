"""Image repositories and the images in them."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Drop, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.work import Work, moment
from snowcave.model import names
from snowcave.model.errors import Unsupported, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHAPE = columns(
    "created_on:timestamp_ltz",
    "name",
    "database_name",
    "schema_name",
    "repository_url",
    "owner",
    "owner_role_type",
    "comment",
    "encryption",
    # Clients crash where this one is NULL.
    "privatelink_repository_url",
)
_IMAGES = columns("created_on:timestamp_ltz", "image_name", "tags", "digest", "image_path")
_ENCRYPTIONS = ("SNOWFLAKE_FULL", "SNOWFLAKE_SSE")


async def create_image_repository(statement: Create, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    if taken(work, "image_repository", schema.message.uid, name) and (
        statement.existing is Existing.KEEP
    ):
        return kept(name)
    work.caller.need("CREATE IMAGE REPOSITORY", schema.message)
    database = work.catalog.name("database", schema.message.parent)
    if any(
        part != part.upper() or not names.is_unquoted(part)
        for part in (database, schema.message.name, name)
    ):
        raise ValueInvalid(
            "SQL compilation error:\n"
            "db, schema and repo names for an image repo must be unquoted identifiers"
        )
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT"))
    made.image_repository.encryption = _encryption(statement)
    change = Change()
    create(work, change, made, statement.existing)
    change.stands(schema)
    await work.catalog.commit(change)
    return status(f"Image Repository {name} successfully created.")


def _encryption(statement: Create) -> str:
    kind = statement.options.group("ENCRYPTION").get("TYPE", _ENCRYPTIONS[0]).upper()
    if kind not in _ENCRYPTIONS:
        raise invalid_value(kind, "ENCRYPTION")
    return kind


async def alter_image_repository(statement: Alter, work: Work) -> Rows:
    if statement.action is not Action.SET:
        raise Unsupported(statement.action.name)
    entry = sought(statement, lambda: work.caller.find("image_repository", statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    changed.comment = statement.options.text("COMMENT")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def drop_image_repository(statement: Drop, work: Work) -> Rows:
    return await drop(
        statement, work, lambda: work.caller.find("image_repository", statement.name)
    )


def path_of(found: state.Object, work: Work) -> str:
    schema, database = work.catalog.place(found.parent)
    return names.repository_path(database, schema, found.name)


async def show_image_repositories(statement: Show, work: Work) -> Rows:
    rows: list[tuple[Cell, ...]] = []
    for found in within(work, "image_repository", statement.scope):
        schema, database = work.catalog.place(found.parent)
        url = f"{work.mesh.registry_host}/{path_of(found, work)}"
        rows.append(
            (
                moment(found.created_on),
                found.name,
                database,
                schema,
                url,
                work.catalog.name("role", found.owner_role),
                "ROLE",
                found.comment,
                found.image_repository.encryption,
                url,
            )
        )
    return filtered(statement, _SHAPE, rows)


async def show_images(statement: Show, work: Work) -> Rows:
    name = statement.scope.name if statement.scope else None
    found = work.caller.find("image_repository", name or ObjectName("")).message
    work.caller.need_any(found, "READ", "WRITE", "USAGE")
    path = path_of(found, work)
    rows = [
        (
            moment(image.created_on),
            image.image_name,
            image.tag,
            image.digest,
            f"{path}/{image.image_name}:{image.tag}",
        )
        for _, image in work.catalog.mirrors.images.items(found.uid)
    ]
    return filtered(statement, _IMAGES, rows, key="image_name")
