"""The secrets that a container asks for: which, and whether as files or as a variable."""

from snowcave.model.errors import SpecInvalid
from snowcave.model.spec.document import Mapping
from snowcave.model.spec.fields import Fields, invalid, not_yet
from snowcave.v1 import state_pb2 as state

MAX_SECRETS = 50
_KEYS = ("username", "password", "secret_string", "access_token")
_SECRET = ("snowflakeSecret", "directoryPath", "envVarName", "secretKeyRef")


def secrets_of(container: Fields) -> list[state.SecretMount]:
    return [_secret(fields) for fields in container.children("secrets", _SECRET)]


def _secret(fields: Fields) -> state.SecretMount:
    made = state.SecretMount(object_name=_name(fields))
    if ("directoryPath" in fields) == ("envVarName" in fields):
        raise SpecInvalid(f"one of 'directoryPath' and 'envVarName' for '{fields.place}'")
    if "directoryPath" in fields:
        made.directory_path = fields.text("directoryPath")
        parts = made.directory_path.split("/")
        if parts[0] or len(parts) < 2 or not parts[1] or ".." in parts:
            raise invalid(
                made.directory_path, "directoryPath", fields.place, "an absolute path is expected"
            )
        if "secretKeyRef" in fields:
            raise SpecInvalid(f"'secretKeyRef' for '{fields.place}' needs 'envVarName'")
        return made
    made.env_var_name = fields.text("envVarName")
    if not made.env_var_name or "=" in made.env_var_name or "\0" in made.env_var_name:
        raise invalid(
            made.env_var_name, "envVarName", fields.place, "a name of an environment variable"
        )
    if "secretKeyRef" not in fields:
        raise SpecInvalid(f"missing 'secretKeyRef' for '{fields.place}'")
    made.secret_key_ref = fields.one_of(
        "secretKeyRef", tuple(key.upper() for key in _KEYS)
    ).lower()
    return made


def _name(fields: Fields) -> str:
    """`snowflakeSecret: name`, or a mapping with objectName."""
    if not isinstance(fields.need("snowflakeSecret"), Mapping):
        return _given(fields.text("snowflakeSecret"), fields)
    secret = fields.child("snowflakeSecret", ("objectName", "objectReference"))
    assert secret is not None
    if "objectReference" in secret:
        raise not_yet("objectReference", fields.place)
    return _given(secret.text("objectName"), fields)


def _given(name: str, fields: Fields) -> str:
    if not name:
        raise SpecInvalid(f"missing 'snowflakeSecret' for '{fields.place}'")
    return name
