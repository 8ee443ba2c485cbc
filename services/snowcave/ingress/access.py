"""Who may open which endpoint. Reads what the mirrors say now."""

from snowcave.ingress.routes import Route
from snowcave.runtime.identity import Identity, Principal

PUBLISHING = "BIND SERVICE ENDPOINT"


def may_open(identity: Identity, who: Principal, route: Route) -> bool:
    """The service's owner, and roles that hold a service role which covers the endpoint."""
    if route.owner_role in who.roles:
        return True
    held = identity.access.service_roles(who.roles, route.service)
    return not route.roles.isdisjoint(name.upper() for name in held)


def is_published(identity: Identity, route: Route) -> bool:
    """Whether its owner may have public endpoints."""
    return identity.may_in_account(route.owner_role, PUBLISHING)
