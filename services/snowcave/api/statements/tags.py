"""Tags: names with values that stand on objects of every kind, and are inherited by what these hold."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from snowcave.api.catalog.change import Change, domain_of
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.tags import ALLOWED_VALUES
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.functions import find_function
from snowcave.api.statements.scopes import within
from snowcave.api.statements.service_events import tell
from snowcave.api.statements.work import Work, moment
from snowcave.model import keys, platform_events
from snowcave.model.errors import NotAuthorized, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

_SHOW = columns(
    "created_on:timestamp_ltz",
    "name",
    "database_name",
    "schema_name",
    "owner",
    "comment",
    "allowed_values",
    "owner_role_type",
)
# A flag of SHOW TAGS that no text of SQL gives: not the tags in its scope, but those that count for it.
STANDING = "STANDING"
_STANDING = columns(
    "tag_database", "tag_schema", "tag_name", "tag_value", "level", "inherited:boolean"
)
_MOST_VALUES = 5000
_MOST_TAGS = 50
_LONGEST = 256


async def create_tag(statement: Create, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    if taken(work, "tag", schema.message.uid, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE TAG", schema.message)
    made = work.new(name, schema.message.uid, statement.options.text("COMMENT"))
    made.tag.SetInParent()
    _allow(made.tag, statement.options.names(ALLOWED_VALUES))
    change = Change()
    create(work, change, made, statement.existing)
    change.stands(schema)
    await work.catalog.commit(change)
    return status(f"Tag {name} successfully created.")


def _allow(tag: state.Tag, values: tuple[str, ...]) -> None:
    known = dict.fromkeys((*tag.allowed_values, *values))
    if len(known) > _MOST_VALUES or any(len(value) > _LONGEST for value in known):
        raise ValueInvalid(
            f"SQL compilation error:\nA tag has at most {_MOST_VALUES} allowed values of at most "
            f"{_LONGEST} characters."
        )
    tag.ClearField("allowed_values")
    tag.allowed_values.extend(known)


async def alter_tag(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("tag", statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    values = statement.options.names(ALLOWED_VALUES)
    match statement.action:
        case Action.ADD_VALUES:
            _allow(changed.tag, values)
        case Action.DROP_VALUES:
            left = [value for value in changed.tag.allowed_values if value not in values]
            changed.tag.ClearField("allowed_values")
            changed.tag.allowed_values.extend(left)
        case Action.SET | Action.UNSET:
            if ALLOWED_VALUES in statement.unset:
                changed.tag.ClearField("allowed_values")
            if "COMMENT" in statement.options or "COMMENT" in statement.unset:
                changed.comment = statement.options.text("COMMENT")
        case _:
            raise Unsupported(f"ALTER TAG {statement.action.name}")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def drop_tag(statement: Drop, work: Work) -> Rows:
    """Objects that it stood on forget it: nothing names it any more."""
    return await drop(statement, work, lambda: work.caller.find("tag", statement.name))


async def show_tags(statement: Show, work: Work) -> Rows:
    if STANDING in statement.flags:
        return _standing_on(statement, work)
    rows = [_row(found, work) for found in within(work, "tag", statement.scope)]
    return filtered(statement, _SHOW, rows)


def _row(found: state.Object, work: Work) -> tuple[Cell, ...]:
    schema, database = work.catalog.place(found.parent)
    allowed = list(found.tag.allowed_values)
    return (
        moment(found.created_on),
        found.name,
        database,
        schema,
        work.catalog.name("role", found.owner_role),
        found.comment,
        json.dumps(allowed, separators=(",", ":")) if allowed else None,
        "ROLE",
    )


async def describe_tag(statement: Describe, work: Work) -> Rows:
    return Rows(_SHOW, [_row(work.caller.find("tag", statement.name).message, work)])


# ---------------------------------------------------------------- on objects


def resolved(work: Work, given: Mapping[ObjectName, str]) -> dict[int, str]:
    """By uid, each one there, its value allowed, and the caller's to apply. Raises otherwise."""
    found: dict[int, str] = {}
    for name, value in given.items():
        tag = work.caller.find("tag", name).message
        _need_apply(work, tag)
        allowed = tag.tag.allowed_values
        if len(value) > _LONGEST or (allowed and value not in allowed):
            raise ValueInvalid(
                f"SQL compilation error:\nTag value '{value[:_LONGEST]}' is not allowed for tag "
                f"'{tag.name}'."
            )
        found[tag.uid] = value
    if len(found) > _MOST_TAGS:
        raise ValueInvalid(f"SQL compilation error:\nAn object has at most {_MOST_TAGS} tags.")
    return found


def _need_apply(work: Work, tag: state.Object) -> None:
    if not (work.caller.may("APPLY", tag) or work.caller.may_in_account("APPLY TAG")):
        raise NotAuthorized(work.caller.words(tag))


async def alter_tags_of(statement: Alter, work: Work) -> Rows:
    """ALTER … SET TAG and UNSET TAG, the same for every kind."""
    entry = sought(statement, lambda: _find(statement, work))
    if entry is None:
        return status(EXECUTED)
    if not work.caller.may_in_account("APPLY TAG"):
        work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    given = resolved(work, statement.options.tags) if statement.action is Action.SET_TAG else {}
    changed.tags.update(given)
    gone: list[str] = []
    for name in statement.unset_tags:
        tag = work.caller.find("tag", name).message
        _need_apply(work, tag)
        changed.tags.pop(tag.uid, None)
        gone.append(tag.name)
    change = Change()
    change.update(entry, changed)
    if statement.domain == "service":
        names = [work.catalog.name("tag", uid) for uid in given]
        told = [platform_events.of_tags("Set", names)] if names else []
        told += [platform_events.of_tags("Unset", gone)] if gone else []
        tell(work, change, changed, *told)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _find(statement: Alter, work: Work) -> Entry[state.Object]:
    if statement.domain == "function":
        return find_function(work, statement.name, statement.arguments)
    return work.caller.find(statement.domain, statement.name)


@dataclass(frozen=True, slots=True)
class Standing:
    """A tag as it stands on an object: `on` is the object itself, or what it has it from."""

    tag: state.Object
    value: str
    on: state.Object


def standing(work: Work, found: state.Object) -> list[Standing]:
    """Every tag that counts for the object; what stands nearer goes before what is inherited."""
    counted: dict[int, Standing] = {}
    for holder in _lineage(work, found):
        for uid, value in holder.tags.items():
            tag = work.catalog.get("tag", uid)
            if tag is not None:
                counted.setdefault(uid, Standing(tag, value, holder))
    return list(counted.values())


def _lineage(work: Work, found: state.Object) -> list[state.Object]:
    line = [found]
    if domain_of(found) in keys.IN_SCHEMA:
        schema = work.catalog.get("schema", found.parent)
        line += [schema] if schema else []
    if domain_of(line[-1]) == "schema":
        database = work.catalog.get("database", line[-1].parent)
        line += [database] if database else []
    account = work.catalog.get("account", 0)
    return [*line, *([account] if account else [])]


def _standing_on(statement: Show, work: Work) -> Rows:
    scope = statement.scope
    assert scope is not None
    found = work.caller.find(scope.domain, scope.name or ObjectName("")).message
    rows: list[tuple[Cell, ...]] = []
    for one in standing(work, found):
        schema, database = work.catalog.place(one.tag.parent)
        level = domain_of(one.on).replace("_", " ").upper()
        inherited = one.on.uid != found.uid
        rows.append((database, schema, one.tag.name, one.value, level, inherited))
    return filtered(statement, _STANDING, rows, key="tag_name")


def value_of(work: Work, tag: ObjectName, found: state.Object) -> str | None:
    """What SYSTEM$GET_TAG says."""
    wanted = work.caller.find("tag", tag).message.uid
    return next((one.value for one in standing(work, found) if one.tag.uid == wanted), None)
