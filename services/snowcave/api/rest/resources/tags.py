"""Tags."""

from dataclasses import dataclass, replace

from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Json, Model, fields
from snowcave.api.rest.resource import Resource
from snowcave.api.sql import tree
from snowcave.api.sql.options import Options
from snowcave.api.sql.tags import ALLOWED_VALUES
from snowcave.api.sql.tree import Existing

TAG = Model(
    "Tag",
    fields(
        "name! allowed_values:strings comment created_on~:datetime database_name~ schema_name~ "
        "owner~ owner_role_type~"
    ),
)


@dataclass(frozen=True)
class _Tags(Resource):
    def created(self, call: Call, body: Json, existing: Existing) -> tree.Statement:
        made = super().created(call, body, existing)
        assert isinstance(made, tree.Create)
        allowed = body.get("allowed_values")
        values = {ALLOWED_VALUES: tuple(allowed)} if allowed else {}
        return replace(made, options=Options({**made.options, **values}))


tags = _Tags(
    "tag",
    "/databases/{database}/schemas/{schema}/tags",
    ("tag", "tags"),
    TAG,
    "TAGS",
    apart=frozenset({"name", "allowed_values"}),
)

OPERATIONS = (tags.create(), tags.list(), tags.fetch(), tags.delete())
