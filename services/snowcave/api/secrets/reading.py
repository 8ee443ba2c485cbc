"""Secrets for containers: what the owner of a service may READ, for the agent of an instance of it."""

from dataclasses import dataclass

import structlog

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.secrets.sealing import Sealer
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.sql.cursor import parse_name
from snowcave.model.errors import ObjectNotFound, Unsupported
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


def values_of(secret: state.Object, sealer: Sealer) -> dict[str, str]:
    """What containers may get of it, by secretKeyRef. Raises Unsupported where there is nothing for them."""
    content = state.SecretContent.FromString(sealer.unseal(secret.uid, secret.secret.sealed))
    match secret.secret.type:
        case "PASSWORD":
            return {"username": secret.secret.username, "password": content.password}
        case "GENERIC_STRING":
            return {"secret_string": content.secret_string}
        case kind:
            # An access token would have to be fetched from its authorization server.
            raise Unsupported(f"a secret of type {kind} in a container")


@dataclass(frozen=True)
class SecretReader:
    catalog: Catalog
    tokens: ServiceTokens
    sealer: Sealer

    async def read(self, node: str, instance: str, name: str, caller: str) -> v1.ReadSecretReply:
        """`caller`: where the agent calls from. Raises NotAuthorized, ObjectNotFound, Unsupported."""
        service = await self.tokens.assigned_to(node, instance, caller)
        secret = self.readable(service, name)
        values = values_of(secret, self.sealer)
        log.info("secret_read", secret=secret.uid, service=service, node=node)
        return v1.ReadSecretReply(
            type=secret.secret.type,
            values=values,
            uid=secret.uid,
            version=secret.secret.version,
        )

    def readable(self, service: int, name: str) -> state.Object:
        """The secret that the name means in the service's schema, where its owner may READ it."""
        found = self.catalog.get("service", service)
        secret = self._named(found, name) if found else None
        if found is None or secret is None:
            raise ObjectNotFound("Secret", name)
        access = self.catalog.access
        roles = access.closure(found.owner_role)
        admin = self.catalog.named("role", 0, "ACCOUNTADMIN")
        is_admin = admin is not None and admin.message.uid in roles
        if not is_admin and not access.holds(roles, "READ", "secret", secret.uid):
            raise ObjectNotFound("Secret", name)
        return secret

    def _named(self, service: state.Object, name: str) -> state.Object | None:
        asked = parse_name(name)
        schema = self.catalog.get("schema", service.parent)
        database = schema.parent if schema else 0
        if asked.database:
            entry = self.catalog.named("database", 0, asked.database)
            database = entry.message.uid if entry else 0
        holder = service.parent
        if asked.schema:
            entry = self.catalog.named("schema", database, asked.schema)
            holder = entry.message.uid if entry else 0
        secret = self.catalog.named("secret", holder, asked.name) if holder else None
        return secret.message if secret else None
