"""Tags on objects: set, unset and got, the same for every kind that has them."""

from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Json, Model, fields
from snowcave.api.rest.names import identifier
from snowcave.api.rest.operations import IF_EXISTS, Many, Operation, Parameter
from snowcave.api.rest.resource import Resource
from snowcave.api.sql import tree
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Action
from snowcave.api.statements.tags import STANDING
from snowcave.model.names import ObjectName, quoted

ASSIGNMENT = Model("TagAssignment", fields("tag_name! tag_value! tag_database tag_schema level~"))
REFERENCE = Model("TagReference", fields("tag_name! tag_database tag_schema"))
_LINEAGE = Parameter("withLineage", "boolean")
_NAMES = ("tag_database", "tag_schema", "tag_name")


def _tag(call: Call, given: Json) -> ObjectName:
    """Where its place is not said, it is the object's."""

    def part(of: str) -> str:
        said = given.get(f"tag_{of}") or call.names.get(of)
        return identifier(said) if said else ""

    return ObjectName(identifier(given["tag_name"]), part("schema"), part("database"))


def of_kind(of: Resource) -> tuple[Operation, ...]:
    return _setting(of), _unsetting(of), _getting(of)


def _path(of: Resource, word: str) -> str:
    return f"{of.path}/{{name}}:{word}"


def _setting(of: Resource) -> Operation:
    async def action(call: Call) -> Json:
        options = Options({"TAG": {_tag(call, one): one["tag_value"] for one in call.body}})
        lenient = call.query.get("ifExists", False)
        return await call.change(
            tree.Alter(of.domain, call.target(), lenient, Action.SET_TAG, options)
        )

    id, path = f"set_tags_of_{of.words[0]}", _path(of, "set-tags")
    return Operation(id, "POST", path, action, (IF_EXISTS,), Many(ASSIGNMENT))


def _unsetting(of: Resource) -> Operation:
    async def action(call: Call) -> Json:
        tags = tuple(_tag(call, one) for one in call.body)
        lenient = call.query.get("ifExists", False)
        return await call.change(
            tree.Alter(of.domain, call.target(), lenient, Action.UNSET_TAG, unset_tags=tags)
        )

    id, path = f"unset_tags_of_{of.words[0]}", _path(of, "unset-tags")
    return Operation(id, "POST", path, action, (IF_EXISTS,), Many(REFERENCE))


def _getting(of: Resource) -> Operation:
    async def action(call: Call) -> list[Json]:
        """With its lineage also those that it has from what holds it."""
        scope = tree.Scope(of.domain, call.target())
        rows = await call.look(tree.Show("TAGS", scope=scope, flags=frozenset({STANDING})))
        wanted = [row for row in rows if call.query.get("withLineage") or not row["inherited"]]
        return [
            {**ASSIGNMENT.shaped(row), **{key: quoted(str(row[key])) for key in _NAMES}}
            for row in wanted
        ]

    id, path = f"get_tags_of_{of.words[0]}", _path(of, "get-tags")
    return Operation(id, "GET", path, action, (_LINEAGE,), answer=Many(ASSIGNMENT))
