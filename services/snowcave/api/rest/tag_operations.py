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


def _tag(call: Call, given: Json) -> ObjectName:
    """Where its place is not said, it is the object's."""

    def part(of: str) -> str:
        said = given.get(f"tag_{of}") or call.names.get(of)
        return identifier(said) if said else ""

    return ObjectName(identifier(given["tag_name"]), part("schema"), part("database"))


def of_kind(of: Resource) -> tuple[Operation, ...]:
    word, path = of.words[0], f"{of.path}/{{name}}"

    async def set_tags(call: Call) -> Json:
        values = {_tag(call, one): one["tag_value"] for one in call.body}
        lenient = call.query.get("ifExists", False)
        options = Options({"TAG": values})
        return await call.change(
            tree.Alter(of.domain, call.target(), lenient, Action.SET_TAG, options)
        )

    async def unset_tags(call: Call) -> Json:
        tags = tuple(_tag(call, one) for one in call.body)
        lenient = call.query.get("ifExists", False)
        return await call.change(
            tree.Alter(of.domain, call.target(), lenient, Action.UNSET_TAG, unset_tags=tags)
        )

    async def get_tags(call: Call) -> list[Json]:
        """With its lineage also those that it has from what holds it."""
        scope = tree.Scope(of.domain, call.target())
        show = tree.Show("TAGS", scope=scope, flags=frozenset({STANDING}))
        rows = await call.look(show)
        wanted = [row for row in rows if call.query.get("withLineage") or not row["inherited"]]
        names = ("tag_database", "tag_schema", "tag_name")
        return [
            {**ASSIGNMENT.shaped(row), **{key: quoted(str(row[key])) for key in names}}
            for row in wanted
        ]

    return (
        Operation(
            f"set_tags_of_{word}",
            "POST",
            f"{path}:set-tags",
            set_tags,
            (IF_EXISTS,),
            Many(ASSIGNMENT),
        ),
        Operation(
            f"unset_tags_of_{word}",
            "POST",
            f"{path}:unset-tags",
            unset_tags,
            (IF_EXISTS,),
            Many(REFERENCE),
        ),
        Operation(
            f"get_tags_of_{word}",
            "GET",
            f"{path}:get-tags",
            get_tags,
            (_LINEAGE,),
            answer=Many(ASSIGNMENT),
        ),
    )
