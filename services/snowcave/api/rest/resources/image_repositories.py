"""Image repositories and the images in them."""

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call, Listing
from snowcave.api.rest.models import Model, fields
from snowcave.api.rest.operations import Many, Operation
from snowcave.api.rest.resource import Resource
from snowcave.api.sql import tree

REPOSITORY = Model(
    "ImageRepository",
    fields(
        "name! database_name~ schema_name~ created_on~:datetime repository_url~ owner~ "
        "owner_role_type~ comment"
    ),
)
IMAGE = Model("Image", fields("created_on~ image_name~ tags~ digest~ image_path~"))
_PATH = "/databases/{database}/schemas/{schema}/image-repositories"

repositories = Resource(
    "image_repository",
    _PATH,
    ("image_repository", "image_repositories"),
    REPOSITORY,
    "IMAGE REPOSITORIES",
    (ops.LIKE,),
)


async def _images(call: Call) -> Listing:
    scope = tree.Scope("image_repository", call.target())
    return await call.listing(tree.Show("IMAGES", scope=scope))


OPERATIONS = (
    repositories.create(),
    repositories.list(),
    repositories.fetch(),
    repositories.delete(),
    Operation(
        "list_images_in_repository",
        "GET",
        _PATH + "/{name}/images",
        _images,
        answer=Many(IMAGE),
        shape=IMAGE.shaped,
    ),
)
