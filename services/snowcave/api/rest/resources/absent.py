"""Kinds of objects that there are none of here; each of their operations says so."""

from snowcave.api.rest.operations import Operation
from snowcave.api.rest.unsupported import unsupported

_ROLES = "There are no database roles; grant to roles of the account."
_CODE = "Functions in other languages than SQL are not run; a service function calls a service."
_IN_DATABASE = "/databases/{database}"
_IN_SCHEMA = "/databases/{database}/schemas/{schema}"


def _of(
    words: tuple[str, str], path: str, why: str, name: str, verbs: tuple[tuple[str, str], ...]
) -> tuple[Operation, ...]:
    """`verbs`: method and what follows the name, for more than create, list and delete."""
    one, many = words
    free = frozenset({"nameWithArgs"})
    basic = (
        unsupported(f"create_{one}", "POST", path, why),
        unsupported(f"list_{many}", "GET", path, why),
        unsupported(f"delete_{one}", "DELETE", f"{path}/{name}", why, free=free),
    )
    more = tuple(
        unsupported(
            f"{one}_{method.lower()}_{tail.strip(':/').replace('-', '_').replace(':', '_')}",
            method,
            f"{path}/{name}{tail}",
            why,
            free=free,
        )
        for method, tail in verbs
    )
    return basic + more


_GRANTS = tuple(
    (method, f"/{what}{tail}")
    for what in ("grants", "future-grants")
    for method, tail in (("POST", ""), ("GET", ""), ("POST", ":revoke"))
)

OPERATIONS = (
    *_of(
        ("database_role", "database_roles"),
        f"{_IN_DATABASE}/database-roles",
        _ROLES,
        "{name}",
        (("POST", ":clone"), *_GRANTS),
    ),
    *_of(
        ("user_defined_function", "user_defined_functions"),
        f"{_IN_SCHEMA}/user-defined-functions",
        _CODE,
        "{nameWithArgs}",
        (("GET", ""), ("POST", ":rename")),
    ),
)
