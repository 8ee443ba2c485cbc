"""Internal stages and their files. Content passes by HTTP below /stages, as PUT and GET have it, too."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.operations import Many, Operation, Parameter
from snowcave.api.rest.resource import Resource, with_names
from snowcave.api.sql import tree
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Existing
from snowcave.model import stage_path
from snowcave.model.errors import StageFileNotFound, Unsupported
from snowcave.model.stage_path import StagePath

_KINDS = ("PERMANENT", "TEMPORARY")
_ENCRYPTION = Model("StageEncryption", fields("type master_key kms_key_id"))
_DIRECTORY = Model(
    "StageDirectoryTable",
    fields(
        "enable:boolean refresh_on_create:boolean auto_refresh:boolean notification_integration"
    ),
)
_CREDENTIALS = Model("Credentials", fields("credential_type"))
STAGE = Model(
    "Stage",
    (
        *fields("name!"),
        Field("kind", choices=_KINDS),
        *fields("url endpoint storage_integration comment"),
        Field("credentials", _CREDENTIALS),
        Field("encryption", _ENCRYPTION),
        Field("directory_table", _DIRECTORY),
        *fields(
            "created_on~:datetime has_credentials~:boolean has_encryption_key~:boolean owner~ "
            "owner_role_type~ region~ cloud~"
        ),
    ),
)
FILE = Model("StageFile", fields("name size~ md5~ last_modified~"))
_WISH = Model("PresignedUrlRequest", fields("expiration_time:integer"))
_MATERIAL = Model("FileTransferMaterial", fields("presigned_url!"))
_PATH = "/databases/{database}/schemas/{schema}/stages"
_FOREIGN = ("url", "endpoint", "storage_integration", "credentials")


def _shape(row: Row) -> Json:
    temporary = "TEMPORARY" in str(row["type"])
    shown = STAGE.shaped({**row, "kind": _KINDS[temporary], "url": None})
    shown["directory_table"] = {"enable": row["directory_enabled"] == "Y"}
    plain = "NO CSE" in str(row["type"])
    if not temporary:
        shown["encryption"] = {"type": "SNOWFLAKE_SSE" if plain else "SNOWFLAKE_FULL"}
    return with_names(shown)


def _flags(call: Call) -> Iterable[str]:
    return {"TEMPORARY"} if call.body.get("kind") == "TEMPORARY" else ()


@dataclass(frozen=True)
class _Stages(Resource):
    def created(self, call: Call, body: Json, existing: Existing) -> tree.Statement:
        if any(body.get(key) for key in _FOREIGN):
            raise Unsupported("external stages")
        made = super().created(call, body, existing)
        assert isinstance(made, tree.Create)
        more: Json = {}
        if kind := body.get("encryption", {}).get("type"):
            more["ENCRYPTION"] = {"TYPE": kind}
        if "directory_table" in body:
            more["DIRECTORY"] = {"ENABLE": str(body["directory_table"].get("enable", False))}
        return replace(made, options=Options({**made.options, **more}))


stages = _Stages(
    "stage",
    _PATH,
    ("stage", "stages"),
    STAGE,
    "STAGES",
    (ops.LIKE,),
    apart=frozenset({"name", "kind", "encryption", "directory_table", *_FOREIGN}),
    shape=_shape,
    flags=_flags,
)


async def _files(call: Call) -> list[Json]:
    where = StagePath(call.target(), "", f"@{call.target()}")
    found = await call.look(tree.ListFiles(where, call.query.get("pattern", "")))
    return [FILE.shaped(row) for row in found]


async def _presigned(call: Call) -> Json:
    """Good for one download of the file, for as long as a ticket of GET is."""
    path = stage_path.checked(call.names["file_path"])
    where = StagePath(call.target(), path, f"@{call.target()}")
    opened = await call.transfer(tree.GetFiles(where, "/", Options()))
    if path not in opened.files:
        raise StageFileNotFound(f"@{call.target()}/{path}")
    url = f"{call.base}/stages/{opened.stage}/{quote(path)}?ticket={opened.token}"
    return {"presigned_url": url}


OPERATIONS = (
    stages.create(),
    stages.list(),
    stages.fetch(),
    stages.delete(),
    Operation(
        "list_files",
        "GET",
        _PATH + "/{name}/files",
        _files,
        (Parameter("pattern"),),
        answer=Many(FILE),
    ),
    Operation(
        "get_presigned_url",
        "POST",
        _PATH + "/{name}/files/{file_path}:presigned-url",
        _presigned,
        body=_WISH,
        answer=_MATERIAL,
        free=frozenset({"file_path"}),
    ),
)
