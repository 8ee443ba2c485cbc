"""Internal stages as objects of the catalog; their files are the warehouse's.

The files of a stage that is gone are cleared by `catalog.stage_rooms`.
"""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import create, kept, remove, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import ObjectNotFound, Unsupported
from snowcave.v1 import state_pb2 as state

_EXECUTED = "Statement executed successfully."
_SHAPE = columns(
    "created_on:timestamp_ltz",
    "name",
    "database_name",
    "schema_name",
    "url",
    "has_credentials",
    "has_encryption_key",
    "owner",
    "comment",
    "region",
    "type",
    "cloud",
    "notification_channel",
    "storage_integration",
    "endpoint",
    "owner_role_type",
    "directory_enabled",
)
_PROPERTIES = columns(
    "parent_property", "property", "property_type", "property_value", "property_default"
)
_ENCRYPTIONS = ("SNOWFLAKE_FULL", "SNOWFLAKE_SSE")


async def create_stage(statement: Create, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    if taken(work, "stage", schema.message.uid, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE STAGE", schema.message)
    if "URL" in statement.options:
        raise Unsupported("external stages")
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT"))
    made.stage.encryption = _encryption(statement.options)
    made.stage.directory = _directory(statement.options)
    if "TEMPORARY" in statement.flags:
        made.stage.session = work.context.session_id
    change = Change()
    create(work, change, made, statement.existing)
    change.stands(schema)
    await work.catalog.commit(change)
    return status(f"Stage area {name} successfully created.")


def _encryption(options: Options) -> str:
    kind = options.group("ENCRYPTION").get("TYPE", _ENCRYPTIONS[0]).upper()
    if kind not in _ENCRYPTIONS:
        raise invalid_value(kind, "ENCRYPTION")
    return kind


def _directory(options: Options) -> bool:
    given = options.group("DIRECTORY").get("ENABLE", "FALSE").upper()
    if given not in ("TRUE", "FALSE"):
        raise invalid_value(given, "ENABLE")
    return given == "TRUE"


async def alter_stage(statement: Alter, work: Work) -> Rows:
    try:
        entry = work.caller.find("stage", statement.name)
    except ObjectNotFound:
        if statement.if_exists:
            return status(_EXECUTED)
        raise
    if statement.action is Action.NOTHING:
        # REFRESH: LIST and directory tables always show what is there.
        work.caller.need("WRITE", entry.message)
        return status(_EXECUTED)
    work.caller.need_ownership(entry.message)
    changed, change = work.changed(entry.message), Change()
    match statement.action:
        case Action.SET:
            if "COMMENT" in statement.options:
                changed.comment = statement.options.text("COMMENT")
            if "DIRECTORY" in statement.options:
                changed.stage.directory = _directory(statement.options)
            change.update(entry, changed)
        case Action.UNSET:
            if "COMMENT" in statement.unset:
                changed.comment = ""
            change.update(entry, changed)
        case _:
            raise Unsupported(f"ALTER STAGE {statement.action.name}")
    await work.catalog.commit(change)
    return status(_EXECUTED)


async def drop_stage(statement: Drop, work: Work) -> Rows:
    name = statement.name.name
    try:
        entry = work.caller.find("stage", statement.name)
    except ObjectNotFound:
        if statement.if_exists:
            return status(f"Drop statement executed successfully ({name} already dropped).")
        raise
    work.caller.need_ownership(entry.message)
    change = Change()
    remove(work, change, entry)
    await work.catalog.commit(change)
    return status(f"{name} successfully dropped.")


async def show_stages(statement: Show, work: Work) -> Rows:
    rows = [_row(found, work) for found in within(work, "stage", statement.scope)]
    return filtered(statement, _SHAPE, rows)


def _row(found: state.Object, work: Work) -> tuple[Cell, ...]:
    schema, database = work.catalog.place(found.parent)
    return (
        moment(found.created_on),
        found.name,
        database,
        schema,
        "",
        "N",
        "N",
        work.catalog.name("role", found.owner_role),
        found.comment,
        None,
        "INTERNAL TEMPORARY"
        if found.stage.session
        else "INTERNAL NO CSE"
        if found.stage.encryption == "SNOWFLAKE_SSE"
        else "INTERNAL",
        None,
        None,
        None,
        None,
        "ROLE",
        "Y" if found.stage.directory else "N",
    )


async def describe_stage(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("stage", statement.name).message
    work.caller.need_any(found, "READ", "WRITE", "USAGE")
    directory = str(found.stage.directory).lower()
    return Rows(
        _PROPERTIES,
        [
            ("STAGE_FILE_FORMAT", "TYPE", "String", "CSV", "CSV"),
            ("STAGE_LOCATION", "URL", "String", "", ""),
            ("STAGE_INTEGRATION", "STORAGE_INTEGRATION", "String", "", ""),
            ("STAGE_ENCRYPTION", "TYPE", "String", found.stage.encryption, "SNOWFLAKE_FULL"),
            ("DIRECTORY", "ENABLE", "Boolean", directory, "false"),
            ("DIRECTORY", "AUTO_REFRESH", "Boolean", "false", "false"),
        ],
    )
