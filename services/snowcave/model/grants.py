"""Who may do what: role hierarchy and privileges as pure look-ups over the grants.

A view is a snapshot: build a new one when the grants change. Source of the rules: facts on
privileges (S0-S4, D:security access control).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from snowcave.model.privileges import CALLER, INHERITED_CALLER, is_caller_grant
from snowcave.v1 import state_pb2 as state

OwnerOf = Callable[[str, int], int | None]

OWNERSHIP = "OWNERSHIP"
ACCOUNT = "account"
ROLE = "role"
SERVICE_ROLE = "service_role"


class AccessView:
    """Answers for one state of the grants.

    `owner_of(domain, uid)` gives the owner role of a securable, or None where there is no such object.
    """

    def __init__(self, grants: Iterable[state.Grant], owner_of: OwnerOf) -> None:
        self._owner_of = owner_of
        # role → roles granted to it (which it inherits from)
        self._inherits: dict[int, set[int]] = defaultdict(set)
        self._roles_of_user: dict[int, set[int]] = defaultdict(set)
        self._privileges: dict[tuple[str, int], dict[int, set[str]]] = defaultdict(
            lambda: defaultdict(set)
        )
        # Caller grants, which give nobody anything, by what they are about and who owns the service.
        self._callers: dict[tuple[str, int], dict[int, set[str]]] = defaultdict(
            lambda: defaultdict(set)
        )
        self._service_roles: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._closures: dict[int, frozenset[int]] = {}
        self._held: dict[tuple[frozenset[int], frozenset[str]], dict[int, frozenset[str]]] = {}
        for grant in grants:
            self._add(grant)

    def _add(self, grant: state.Grant) -> None:
        if grant.future_in:
            return  # of what is not there yet
        if is_caller_grant(grant.privilege):
            self._callers[(grant.domain, grant.securable)][grant.grantee].add(grant.privilege)
            return
        if grant.domain == ROLE:
            held = self._roles_of_user if grant.grantee_kind == "user" else self._inherits
            held[grant.grantee].add(grant.securable)
        elif grant.domain == SERVICE_ROLE:
            self._service_roles[grant.securable][grant.grantee].add(grant.service_role)
        else:
            holders = self._privileges[(grant.domain, grant.securable)]
            holders[grant.grantee].add(grant.privilege)

    def closure(self, role: int) -> frozenset[int]:
        """The role and all roles that it inherits from."""
        known = self._closures.get(role)
        if known is None:
            found: set[int] = set()
            waiting = [role]
            while waiting:
                one = waiting.pop()
                if one not in found:
                    found.add(one)
                    waiting.extend(self._inherits.get(one, ()))
            known = self._closures[role] = frozenset(found)
        return known

    def roles_of(self, user: int) -> frozenset[int]:
        """Roles granted to the user directly."""
        return frozenset(self._roles_of_user.get(user, ()))

    def all_roles_of(self, user: int) -> frozenset[int]:
        """Everything the user may act as, hierarchy included. A service acts as its owner."""
        roles = self.roles_of(user)
        owner = None if roles else self._owner_of("service", user)
        if owner is not None:
            roles = frozenset({owner})
        return roles.union(*(self.closure(role) for role in roles))

    def holds(self, roles: Iterable[int], privilege: str, domain: str, uid: int) -> bool:
        """Whether one of `roles` (closed over the hierarchy) has the privilege; owners have all."""
        held = frozenset(roles)
        if domain != ACCOUNT and self._owner_of(domain, uid) in held:
            return True
        granted = self._privileges.get((domain, uid), {})
        return any(
            privilege in granted[role] or OWNERSHIP in granted[role]
            for role in held & granted.keys()
        )

    def holds_any(self, roles: Iterable[int], domain: str, uid: int) -> bool:
        """Whether one of `roles` owns the object or has any privilege on it: enough to see it."""
        held = frozenset(roles)
        if domain != ACCOUNT and self._owner_of(domain, uid) in held:
            return True
        return bool(held & self._privileges.get((domain, uid), {}).keys())

    def held(self, roles: Iterable[int], domains: Iterable[str]) -> dict[int, frozenset[str]]:
        """What one of `roles` holds on objects of these domains, by uid; ownership by grant is not asked."""
        roles, domains = frozenset(roles), frozenset(domains)
        found = self._held.get((roles, domains))
        if found is None:
            found = {
                uid: frozenset(one for role in roles & holders.keys() for one in holders[role])
                for (domain, uid), holders in self._privileges.items()
                if domain in domains and roles & holders.keys()
            }
            self._held[(roles, domains)] = found
        return found

    def left_to(
        self, roles: Iterable[int], domain: str, uid: int | None, containers: Iterable[int]
    ) -> frozenset[str]:
        """Privileges on an object that caller grants to these roles leave to services of theirs.

        `containers`: what holds the object, the account (0) too. No object: of all that are in them.
        """
        held = frozenset(roles)
        found: set[str] = set()
        if uid is not None:
            found.update(self._caller_privileges(held, domain, uid, CALLER))
        for container in containers:
            found.update(self._caller_privileges(held, domain, container, INHERITED_CALLER))
        return frozenset(found)

    def _caller_privileges(
        self, roles: frozenset[int], domain: str, uid: int, kind: str
    ) -> Iterator[str]:
        granted = self._callers.get((domain, uid), {})
        for role in roles & granted.keys():
            for privilege in granted[role]:
                if privilege.startswith(kind):
                    yield privilege.removeprefix(kind)

    def left_on(self, roles: Iterable[int], domains: Iterable[str]) -> dict[int, frozenset[str]]:
        """The same of single objects of these domains, by uid."""
        held, wanted = frozenset(roles), frozenset(domains)
        return {
            uid: frozenset(self._caller_privileges(held, domain, uid, CALLER))
            for (domain, uid), holders in self._callers.items()
            if domain in wanted and held & holders.keys()
        }

    def service_roles(self, roles: Iterable[int], service: int) -> frozenset[str]:
        """Names of the service's roles that one of `roles` holds."""
        granted = self._service_roles.get(service, {})
        held = frozenset(roles) & granted.keys()
        return frozenset(name for role in held for name in granted[role])
