"""What the front door looks up of the catalog: users, roles, and whether a context exists."""

from collections.abc import Mapping
from dataclasses import dataclass

from snowcave.api.contract import SessionContext
from snowcave.api.sessions.endpoint_tokens import executes_as_caller
from snowcave.model import keys
from snowcave.model.errors import SessionGone
from snowcave.model.names import fold
from snowcave.runtime.identity import Identity
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

_ACCOUNT = "0"
_DEFAULT_SCHEMA = "PUBLIC"


@dataclass(frozen=True)
class Directory:
    """Answers from mirrors."""

    mesh: Mesh
    store: Store
    identity: Identity
    catalog: Mirror[state.Object]
    names: Mirror[state.NameEntry]

    async def context(self, session: state.Session) -> SessionContext:
        """The session as statements see it. Raises SessionGone where its user may not go on."""
        user = self._user(session.user)
        if session.called_service and not self._still_calls(session.called_service):
            raise SessionGone
        return SessionContext(
            session_id=session.id,
            user_uid=session.user,
            user_name=user.name,
            role=session.role,
            role_uid=await self._role_in_use(session.role),
            secondary_roles=session.secondary_roles,
            database=session.database,
            schema=session.schema,
            warehouse=session.warehouse,
            parameters={**self._inherited(user), **session.parameters},
            account=self.mesh.account,
            organization=self.mesh.organization,
            last_query_id=session.last_query_id,
            client_app=session.client_app,
            client_version=session.client_version,
            role_restriction=session.role_restriction,
            called_service=session.called_service,
        )

    def _still_calls(self, service: int) -> bool:
        found = self.catalog.get("service", str(service))
        return found is not None and executes_as_caller(found)

    def _inherited(self, user: state.Object) -> dict[str, str]:
        """Parameters that a session has without having set them."""
        account = self.catalog.get("account", "0")
        return {**(account.parameters if account else {}), **user.parameters}

    def _user(self, uid: int) -> state.Object:
        """Whom a session is of: a user, or a service whose container logged in."""
        for domain in ("user", "service"):
            found = self.catalog.get(domain, str(uid))
            if found is not None and self.identity.may_log_in(found):
                return found
        raise SessionGone

    async def _role_in_use(self, name: str) -> int:
        known = self.role(name)
        if known or not name:
            return known
        # Just created through another statement: the mirror has not heard of it yet.
        kept = await self.store.get(keys.NAMES.key("role", _ACCOUNT, name))
        return state.NameEntry.FromString(kept.value).uid if kept else 0

    def role(self, name: str) -> int:
        """Its uid; 0 where there is no such role."""
        return self._uid("role", _ACCOUNT, name) if name else 0

    def visible(self, user: int, domain: str, name: str) -> str:
        """An account object's stored name, or empty where the user cannot see one of that name."""
        stored = fold(name) if name else ""
        uid = self._uid(domain, _ACCOUNT, stored) if stored else 0
        return stored if uid and self._sees(user, domain, uid) else ""

    def schema(self, user: int, database: str, name: str) -> str:
        """The schema's stored name (PUBLIC where none is asked for), or empty."""
        parent = self._uid("database", _ACCOUNT, database) if database else 0
        if not parent:
            return ""
        stored = fold(name) if name else _DEFAULT_SCHEMA
        uid = self._uid("schema", str(parent), stored)
        return stored if uid and self._sees(user, "schema", uid) else ""

    def _uid(self, domain: str, parent: str, name: str) -> int:
        entry = self.names.get(domain, parent, name)
        return entry.uid if entry else 0

    def _sees(self, user: int, domain: str, uid: int) -> bool:
        access = self.identity.access
        roles = access.all_roles_of(user)
        public = self.role("PUBLIC")
        held = roles | access.closure(public) if public else roles
        return access.holds_any(held, domain, uid) or self.role("ACCOUNTADMIN") in held


def parameter_text(value: object) -> str:
    """As a session keeps it: booleans and numbers are texts too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def bounded(parameters: Mapping[str, object], *, count: int, length: int) -> dict[str, str]:
    """A client's own parameters: names in upper case, no more and no longer than allowed."""
    texts = {name.upper(): parameter_text(value) for name, value in parameters.items()}
    fitting = [(name, text) for name, text in texts.items() if len(name) + len(text) <= length]
    return dict(fitting[:count])
