"""Secrets and network rules. What a secret keeps is told to nobody: its field is there, and empty."""

from collections.abc import Mapping

from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.resource import Resource, with_names

_COMMON = fields(
    "type! name! comment created_on~:datetime database_name~ schema_name~ owner~ owner_role_type~"
)
_OAUTH = "oauth_refresh_token oauth_refresh_token_expiry_time oauth_scopes:strings"
_KINDS: Mapping[str, Model] = {
    "PASSWORD": Model("PasswordSecret", (*_COMMON, *fields("username! password!"))),
    "GENERIC_STRING": Model("GenericStringSecret", (*_COMMON, *fields("secret_string!"))),
    "OAUTH2": Model("Oauth2Secret", (*_COMMON, *fields(f"{_OAUTH} api_authentication!"))),
    "SYMMETRIC_KEY": Model("SymmetricKeySecret", (*_COMMON, *fields("algorithm!"))),
    "CLOUD_PROVIDER_TOKEN": Model(
        "CloudProviderTokenSecret", (*_COMMON, *fields("api_authentication!"))
    ),
}
SECRET = Model("Secret", tag="type", one_of=_KINDS)
RULE = Model(
    "NetworkRule",
    (
        *fields("name! type!"),
        Field("mode"),
        *fields(
            "value_list:strings comment created_on~:datetime database_name~ schema_name~ owner~ "
            "owner_role_type~"
        ),
    ),
)
_IN_SCHEMA = "/databases/{database}/schemas/{schema}"


def _secret(row: Row) -> Json:
    kind = str(row["secret_type"])
    model = _KINDS[kind]
    expires = row.get("oauth_refresh_token_expiry_time")
    found = {
        **row,
        "type": kind,
        "api_authentication": row.get("integration_name"),
        "algorithm": "GENERIC",
        "oauth_refresh_token_expiry_time": str(expires) if expires else None,
    }
    empty = {one.name: "" for one in model.fields if one.required}
    return with_names({**empty, **model.shaped(found)})


secrets = Resource(
    "secret",
    f"{_IN_SCHEMA}/secrets",
    ("secret", "secrets"),
    SECRET,
    "SECRETS",
    shape=_secret,
    described=True,
)
rules = Resource(
    "network_rule",
    f"{_IN_SCHEMA}/network-rules",
    ("network_rule", "network_rules"),
    RULE,
    "NETWORK RULES",
    described=True,
)

OPERATIONS = (
    secrets.create(),
    secrets.list(),
    secrets.fetch(),
    secrets.delete(),
    rules.create(),
    rules.list(),
    rules.fetch(),
    rules.delete(),
)
