"""Tags, and what bears them."""

from dataclasses import dataclass, replace

from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Json, Model, fields
from snowcave.api.rest.resource import Resource
from snowcave.api.rest.resources.compute_pools import pools
from snowcave.api.rest.resources.databases import databases, schemas
from snowcave.api.rest.resources.image_repositories import repositories
from snowcave.api.rest.resources.roles import roles, users
from snowcave.api.rest.resources.services import services
from snowcave.api.rest.resources.stages import stages
from snowcave.api.rest.resources.warehouses import warehouses
from snowcave.api.rest.tag_operations import of_kind
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

# What bears tags over REST.
_BEARERS = (
    databases,
    schemas,
    repositories,
    pools,
    services,
    stages,
    roles,
    users,
    warehouses,
)

OPERATIONS = (
    tags.create(),
    tags.list(),
    tags.fetch(),
    tags.delete(),
    *(one for bearer in _BEARERS for one in of_kind(bearer)),
)
