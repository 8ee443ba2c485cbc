"""Pure: which owner roles may call a service, by its ownership and its service roles.

A role may whatever a role may that is granted to it, as everywhere: so whoever inherits from the owner,
or from a grantee of a service role, may call too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from snowcave.model.grants import ROLE, SERVICE_ROLE
from snowcave.v1 import state_pb2 as state

RoleUid = int
# Stands for every role: a service role was granted to PUBLIC.
ANYBODY: RoleUid = 0
ALL_ENDPOINTS = "ALL_ENDPOINTS_USAGE"
# Stands for an endpoint that the specification does not have (any more): an older instance may.
OTHER_ENDPOINT = ""
# Of keys under `grant/`: their domain stands third. Other grants decide about no connection.
_DOMAIN = 2
INTEGRATION = "integration"


def matters(key: tuple[str, ...]) -> bool:
    """Whether the grant with this key may decide about connections."""
    return len(key) > _DOMAIN and key[_DOMAIN] in (ROLE, SERVICE_ROLE, INTEGRATION)


class Callers:
    """A snapshot of the grants. `public` is the uid of the role PUBLIC, which every role holds."""

    def __init__(self, grants: Iterable[state.Grant], public: RoleUid | None) -> None:
        self._public = public
        # role → roles that it was granted to
        self._heirs: dict[RoleUid, set[RoleUid]] = defaultdict(set)
        self._holders: dict[tuple[int, str], set[RoleUid]] = defaultdict(set)
        self._above: dict[RoleUid, frozenset[RoleUid]] = {}
        for grant in grants:
            if grant.grantee_kind != ROLE or grant.future_in:
                continue
            if grant.domain == ROLE:
                self._heirs[grant.securable].add(grant.grantee)
            elif grant.domain == SERVICE_ROLE:
                self._holders[grant.securable, grant.service_role.upper()].add(grant.grantee)

    def above(self, role: RoleUid) -> frozenset[RoleUid]:
        """The role and all that inherit from it; ANYBODY where PUBLIC does."""
        known = self._above.get(role)
        if known is None:
            found: set[RoleUid] = set()
            waiting = [role]
            while waiting:
                one = waiting.pop()
                if one not in found:
                    found.add(one)
                    waiting.extend(self._heirs.get(one, ()))
            public = self._public in found
            known = self._above[role] = frozenset({ANYBODY} if public else found)
        return known

    def by_endpoint(
        self, service: int, roles: Iterable[state.ServiceRoleSpec], endpoints: Iterable[str]
    ) -> Mapping[str, frozenset[RoleUid]]:
        """Who else than the owner may call each endpoint of the service, and OTHER_ENDPOINT.

        `roles` are its service roles.
        """
        opening = {name: {ALL_ENDPOINTS} for name in (*endpoints, OTHER_ENDPOINT)}
        for role in roles:
            for name in role.endpoints:
                opening.setdefault(name, {ALL_ENDPOINTS}).add(role.name.upper())
        return {
            endpoint: frozenset[RoleUid]().union(
                *(
                    self.above(holder)
                    for name in names
                    for holder in self._holders.get((service, name), ())
                )
            )
            for endpoint, names in opening.items()
        }
