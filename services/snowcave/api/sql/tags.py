"""Tags: their allowed values, and putting them on and taking them off every kind of object."""

from collections.abc import Mapping
from typing import Any

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.options import Clause, Options, read_tags
from snowcave.api.sql.tree import Action, Alter
from snowcave.model.errors import Unsupported
from snowcave.model.names import ObjectName

ALLOWED_VALUES = "ALLOWED_VALUES"


def allowed_values(found: dict[str, Any]) -> Mapping[str, Clause]:
    """`ALLOWED_VALUES 'a', 'b'` of CREATE TAG, for a statement's table of clauses."""

    def read(cursor: Cursor) -> None:
        if ALLOWED_VALUES in found:
            raise cursor.unexpected()
        cursor.expect(ALLOWED_VALUES)
        found[ALLOWED_VALUES] = cursor.comma_list(cursor.string)

    return {ALLOWED_VALUES: read}


def tag_action(
    cursor: Cursor,
    domain: str,
    name: ObjectName,
    if_exists: bool,
    arguments: tuple[str, ...] | None,
) -> Alter | None:
    """What ALTER does to tags, or to a tag; None, and nothing taken, where it is something else."""
    if cursor.accept("SET", "TAG"):
        options = Options({"TAG": read_tags(cursor)})
        return Alter(domain, name, if_exists, Action.SET_TAG, options, arguments=arguments)
    if cursor.accept("UNSET", "TAG"):
        tags = cursor.comma_list(cursor.name)
        return Alter(
            domain, name, if_exists, Action.UNSET_TAG, arguments=arguments, unset_tags=tags
        )
    return _own_action(cursor, name, if_exists) if domain == "tag" else None


def _own_action(cursor: Cursor, name: ObjectName, if_exists: bool) -> Alter | None:
    for word, action in (("ADD", Action.ADD_VALUES), ("DROP", Action.DROP_VALUES)):
        if cursor.accept(word):
            cursor.expect(ALLOWED_VALUES)
            values = Options({ALLOWED_VALUES: cursor.comma_list(cursor.string)})
            return Alter("tag", name, if_exists, action, values)
    if cursor.accept("UNSET", ALLOWED_VALUES):
        return Alter("tag", name, if_exists, Action.UNSET, unset=(ALLOWED_VALUES,))
    if cursor.at("SET", "MASKING") or cursor.at("UNSET", "MASKING"):
        raise Unsupported("MASKING POLICY")
    return None
