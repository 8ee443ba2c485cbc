"""Who runs a statement: what their roles see and may do, and what names mean to them.

A name that the caller may not see is a name that does not exist; only what they see and may not use is
refused as such. Source: facts on privileges.
"""

from dataclasses import dataclass

from snowcave.api.catalog.catalog import ACCOUNT, Catalog
from snowcave.api.catalog.change import domain_of
from snowcave.api.contract import SessionContext
from snowcave.api.sql.domains import label
from snowcave.api.statements.caller_limits import CallerLimits, limits_of
from snowcave.model import keys
from snowcave.model.errors import ContextMissing, NotAuthorized, ObjectNotFound
from snowcave.model.grants import OWNERSHIP, AccessView
from snowcave.model.names import ObjectName
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

ACCOUNTADMIN = "ACCOUNTADMIN"
PUBLIC = "PUBLIC"
# The system's database: everyone may look into it.
SYSTEM_DATABASE = "SNOWFLAKE"
# What the system roles may do in the account without a grant.
_IMPLICIT = {
    "SYSADMIN": frozenset({"CREATE DATABASE", "CREATE WAREHOUSE", "CREATE COMPUTE POOL"}),
    "SECURITYADMIN": frozenset({"MANAGE GRANTS"}),
    "USERADMIN": frozenset({"CREATE USER", "CREATE ROLE"}),
}


@dataclass(frozen=True)
class Caller:
    """`roles`: closed over the hierarchy, PUBLIC and active secondary roles included.

    With `limits` a service acts for its caller: of what the roles have, only what the limits leave counts,
    and `has_all` says that the roles have everything.
    """

    catalog: Catalog
    access: AccessView
    context: SessionContext
    roles: frozenset[int]
    # The primary role's alone: what is created belongs to it.
    primary: frozenset[int]
    is_admin: bool
    has_all: bool = False
    limits: CallerLimits | None = None

    # ------------------------------------------------------------ privileges

    def may(self, privilege: str, found: state.Object) -> bool:
        if self.limits is not None and privilege not in self.limits.left(found):
            return False
        domain = domain_of(found)
        has_all = self.is_admin or self.has_all
        return has_all or self.access.holds(self.roles, privilege, domain, found.uid)

    def owns(self, found: state.Object) -> bool:
        if self.limits is not None and OWNERSHIP not in self.limits.left(found):
            return False
        return self.is_admin or self.has_all or found.owner_role in self.roles

    def may_in_account(self, privilege: str) -> bool:
        if self.limits is not None and privilege not in self.limits.left_in_account():
            return False
        if (
            self.is_admin
            or self.has_all
            or self.access.holds(self.roles, privilege, "account", ACCOUNT)
        ):
            return True
        names = {self.catalog.name("role", role) for role in self.roles}
        return any(privilege in _IMPLICIT.get(name, ()) for name in names)

    def sees(self, found: state.Object) -> bool:
        """Any privilege on the object, and on the schema and database that hold it."""
        domain = domain_of(found)
        if self.limits is not None and not self._is_left(domain, found):
            return False
        if self.is_admin or (found.name == SYSTEM_DATABASE and domain == "database"):
            return True
        if domain == "role":
            return True
        if domain == "user" and found.uid == self.context.user_uid:
            return True
        held = self.has_all or self.access.holds_any(self.roles, domain, found.uid)
        if domain in keys.IN_SCHEMA:
            schema = self.catalog.get("schema", found.parent)
            return held and schema is not None and self.sees(schema)
        if domain == "schema":
            database = self.catalog.get("database", found.parent)
            if database is None or not self.sees(database):
                return False
            return held or database.name == SYSTEM_DATABASE or self.owns(database)
        if domain == "database":
            return held or self._sees_within(found)
        return held

    def _is_left(self, domain: str, found: state.Object) -> bool:
        if domain == "role" or (domain == "user" and found.uid == self.context.user_uid):
            return True
        return self.limits is None or bool(self.limits.left(found))

    def _sees_within(self, database: state.Object) -> bool:
        """A role that owns a schema sees its database."""
        schemas = self.catalog.children("schema", database.uid)
        return any(schema.owner_role in self.roles for schema in schemas)

    def need(self, privilege: str, found: state.Object) -> None:
        """Raises NotAuthorized, naming what the caller sees anyway."""
        if not self.may(privilege, found):
            raise NotAuthorized(self.words(found))

    def need_any(self, found: state.Object, *privileges: str) -> None:
        if not any(self.may(privilege, found) for privilege in privileges):
            raise NotAuthorized(self.words(found))

    def need_ownership(self, found: state.Object) -> None:
        if not self.owns(found):
            raise NotAuthorized(self.words(found))

    def need_in_account(self, privilege: str) -> None:
        if not self.may_in_account(privilege):
            raise NotAuthorized(f"account '{self.context.account}'")

    def words(self, found: state.Object) -> str:
        """`compute pool 'P'`, for messages."""
        return f"{label(domain_of(found)).lower()} '{found.name}'"

    # ------------------------------------------------------------ names

    def database(self, name: str = "") -> Entry[state.Object]:
        """By name, or the session's."""
        name = name or self.context.database
        if not name:
            raise ContextMissing("database")
        return self._seen("database", ACCOUNT, name, name)

    def schema(self, name: ObjectName | None = None) -> Entry[state.Object]:
        """`name.database` may be empty. No name: the session's schema."""
        if name is None or not name.name:
            if not self.context.schema:
                raise ContextMissing("schema")
            name = ObjectName(self.context.schema, database=self.context.database)
        database = self.database(name.database)
        shown = f"{database.message.name}.{name.name}"
        return self._seen("schema", database.message.uid, name.name, shown)

    def holder(self, name: ObjectName) -> Entry[state.Object]:
        """The schema that an object of this name stands, or would stand, in."""
        if name.schema:
            return self.schema(ObjectName(name.schema, database=name.database))
        return self.schema()

    def full_name(self, name: ObjectName) -> ObjectName:
        """With the session's database and schema where the name has none; nothing is looked up."""
        if name.schema and name.database:
            return name
        database = name.database or self.context.database
        return ObjectName(name.name, name.schema or self.context.schema, database)

    def find(self, domain: str, name: ObjectName) -> Entry[state.Object]:
        """An object that the caller sees. Raises ObjectNotFound with its full name otherwise."""
        if domain == "database":
            return self.database(name.name)
        if domain == "schema":
            return self.schema(name)
        if domain not in keys.IN_SCHEMA:
            return self._seen(domain, ACCOUNT, name.name, name.name)
        schema = self.holder(name)
        return self._seen(domain, schema.message.uid, name.name, str(self.full_name(name)))

    def _seen(self, domain: str, parent: int, name: str, shown: str) -> Entry[state.Object]:
        found = self.catalog.named(domain, parent, name)
        if found is None or not self.sees(found.message):
            raise ObjectNotFound(label(domain), shown)
        return found


def roles_of(access: AccessView, context: SessionContext) -> frozenset[int]:
    """All that the session may act as: its user's roles, or the one that its access token leaves of them."""
    granted = access.all_roles_of(context.user_uid)
    if context.role_restriction:
        only = context.role_restriction
        return access.closure(only) if only in granted else frozenset[int]()
    return granted


def are_admin(catalog: Catalog, roles: frozenset[int]) -> bool:
    """Whether they pass every check: ACCOUNTADMIN is among them."""
    admin = catalog.named("role", ACCOUNT, ACCOUNTADMIN)
    return admin is not None and admin.message.uid in roles


def caller_of(catalog: Catalog, context: SessionContext) -> Caller:
    """The caller as the catalog knows them now: a role that was taken away counts no more."""
    access = catalog.access
    granted = roles_of(access, context)
    public = catalog.named("role", ACCOUNT, PUBLIC)
    common = access.closure(public.message.uid) if public else frozenset[int]()
    in_use = catalog.named("role", ACCOUNT, context.role) if context.role else None
    held = in_use is not None and in_use.message.uid in granted | common
    primary = access.closure(in_use.message.uid) if in_use and held else frozenset[int]()
    # What was granted to the user counts with the secondary roles.
    secondary = granted | {context.user_uid}
    if context.secondary_roles.upper() != "ALL":
        secondary = frozenset[int]()
    roles = primary | common | secondary
    is_admin = are_admin(catalog, roles)
    if not context.called_service:
        return Caller(catalog, access, context, roles, primary, is_admin)
    limits = limits_of(catalog, access, context.called_service)
    return Caller(catalog, access, context, roles, primary, False, is_admin, limits)
