"""What the names of our zones mean. Pure: fed by the mirrors, asked by the responder.

`spcs.internal` and, in its older form, `snowflakecomputing.internal`. A name is a tuple of lower-case
labels. Every put returns whether an answer may have changed, which is when cached answers go.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Labels = tuple[str, ...]

SPCS: Labels = ("spcs", "internal")
OLDER: Labels = ("snowflakecomputing", "internal")
ZONES: tuple[Labels, ...] = (SPCS, OLDER)
# Of `snowflake.snowflakecomputing.internal`, the API as containers see it (SNOWFLAKE_HOST).
API_LABEL = "snowflake"


@dataclass(frozen=True, slots=True)
class Found:
    """A name that exists, perhaps without addresses."""

    addresses: tuple[str, ...] = ()
    # Names below it that its SRV records lead to, with the address of each.
    targets: tuple[tuple[str, str], ...] = ()


class Index(Generic[K]):
    """uid by label. Two objects may share a label ("my_db" and MY_DB do): the older one has it."""

    def __init__(self) -> None:
        self._keys: dict[int, K] = {}
        self._uids: dict[K, set[int]] = {}

    def put(self, uid: int, key: K | None) -> bool:
        """None: there is no such object any more."""
        before = self._keys.get(uid)
        if before == key:
            return False
        if before is not None:
            del self._keys[uid]
            self._uids[before].discard(uid)
            if not self._uids[before]:
                del self._uids[before]
        if key is not None:
            self._keys[uid] = key
            self._uids.setdefault(key, set()).add(uid)
        return True

    def find(self, key: K) -> int | None:
        return min(self._uids.get(key, ()), default=None)


class Addresses(Generic[K]):
    """Addresses of the members of an object, such as the instances of a service."""

    def __init__(self) -> None:
        self._members: dict[int, dict[K, str]] = {}

    def put(self, uid: int, member: K, address: str) -> bool:
        """Empty: it has none any more."""
        members = self._members.setdefault(uid, {})
        before = members.pop(member, "")
        if address:
            members[member] = address
        elif not members:
            del self._members[uid]
        return before != address

    def of(self, uid: int) -> tuple[str, ...]:
        return tuple(self._members.get(uid, {}).values())

    def by_member(self, uid: int) -> dict[K, str]:
        return dict(self._members.get(uid, {}))


class Directory:
    """All names of both zones. Not synchronised: one event loop owns it."""

    def __init__(self, api_address: str) -> None:
        self._api_address = api_address
        self.databases: Index[str] = Index()
        self.schemas: Index[tuple[int, str]] = Index()
        self.hashes: Index[str] = Index()
        self.services: Index[tuple[int, str]] = Index()
        self.pools: Index[str] = Index()
        self.service_addresses: Addresses[None] = Addresses()
        self.instances: Addresses[str] = Addresses()
        self.nodes: Addresses[str] = Addresses()

    def zone_of(self, name: Labels) -> Labels | None:
        """The zone of ours that `name` is in; None says that it is somebody else's."""
        return name[-2:] if name[-2:] in ZONES else None

    def lookup(self, name: Labels) -> Found | None:
        """What a name of our zones stands for; None where it does not exist."""
        zone, rest = name[-2:], name[:-2]
        if not rest:
            return Found()
        if zone == OLDER:
            return self._older(rest)
        match rest[-1]:
            case "svc":
                return self._by_hash(rest[:-1])
            case "cp":
                return self._pool(rest[:-1])
            case _:
                return None

    def _by_hash(self, path: Labels) -> Found | None:
        if not path:
            return Found()
        schema = self.hashes.find(path[-1])
        return None if schema is None else self._in_schema(schema, path[:-1])

    def _older(self, path: Labels) -> Found | None:
        if path == (API_LABEL,):
            return Found((self._api_address,))
        database = self.databases.find(path[-1])
        if database is None or len(path) == 1:
            return None if database is None else Found()
        schema = self.schemas.find((database, path[-2]))
        return None if schema is None else self._in_schema(schema, path[:-2])

    def _in_schema(self, schema: int, path: Labels) -> Found | None:
        if not path:
            return Found()
        service = self.services.find((schema, path[-1]))
        if service is None:
            return None
        match path[:-1]:
            case ():
                return Found(self.service_addresses.of(service))
            case ("instances",):
                return Found(self.instances.of(service))
            case _:
                return None

    def _pool(self, path: Labels) -> Found | None:
        if not path:
            return Found()
        pool = self.pools.find(path[-1])
        if pool is None:
            return None
        match path[:-1]:
            case () | ("monitor",):
                return Found()
            case ("discover", "monitor"):
                nodes = self.nodes.by_member(pool)
                return Found(tuple(nodes.values()), tuple(nodes.items()))
            case (node, "discover", "monitor"):
                address = self.nodes.by_member(pool).get(node)
                return Found((address,)) if address else None
            case _:
                return None
