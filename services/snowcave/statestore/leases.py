"""Leases: how long they live and which keys hang on them. Time is an argument."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Lease:
    id: int
    ttl: int
    expires: float
    # The role that took it; empty where roles are not told apart.
    owner: str = ""
    keys: set[bytes] = field(default_factory=set[bytes])


class Leases:
    """Every lease that lives. What expires is told by `due`; the caller deletes its keys and drops it."""

    def __init__(self) -> None:
        self._leases: dict[int, Lease] = {}
        self._holder: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def get(self, lease_id: int) -> Lease | None:
        return self._leases.get(lease_id)

    def all(self) -> list[Lease]:
        return list(self._leases.values())

    def grant(self, lease_id: int, ttl: int, now: float, owner: str) -> Lease:
        lease = self._leases[lease_id] = Lease(lease_id, ttl, now + ttl, owner)
        return lease

    def renew(self, lease_id: int, now: float) -> int:
        """Its full life again, in seconds; 0 where it is gone."""
        lease = self._leases.get(lease_id)
        if lease is None:
            return 0
        lease.expires = now + lease.ttl
        return lease.ttl

    def attach(self, key: bytes, lease_id: int) -> None:
        """The key hangs on this lease from now on, on none where the id is 0."""
        before = self._holder.pop(key, 0)
        if before in self._leases:
            self._leases[before].keys.discard(key)
        if lease_id in self._leases:
            self._leases[lease_id].keys.add(key)
            self._holder[key] = lease_id

    def drop(self, lease_id: int) -> None:
        lease = self._leases.pop(lease_id, None)
        for key in lease.keys if lease else ():
            self._holder.pop(key, None)

    def due(self, now: float) -> list[Lease]:
        return [lease for lease in self._leases.values() if lease.expires <= now]

    def excuse(self, seconds: float) -> None:
        """The store itself was away for so long: nobody could have renewed."""
        for lease in self._leases.values():
            lease.expires += seconds
