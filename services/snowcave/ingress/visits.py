"""Where a request for one of the gateway's own pages came from, and how often a visitor tries to sign in."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visitor:
    """Of a connection: the client's address, and whether it came over TLS."""

    address: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a visitor, to the host of that name."""

    host: str
    visitor: Visitor = Visitor()


def is_root(host: str, domain: str) -> bool:
    """Whether a Host header names the gateway itself, and no endpoint: the domain, or an address."""
    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name.rstrip(".") == domain.lower():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Attempts:
    """How often an address may still try. Pure: time is an argument. It remembers so many and no more."""

    def __init__(self, most: int, window: float, remembered: int) -> None:
        """`most` in `window` seconds, which come back one by one."""
        self._most = most
        self._pause = window / most
        self._remembered = remembered
        # When the address would have all its attempts again.
        self._free_at: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """0 where this one is allowed, else the seconds until the next one is."""
        free_at = max(self._free_at.get(address, now), now) + self._pause
        over = free_at - now - self._most * self._pause
        if over > 1e-9:
            return over
        self._free_at[address] = free_at
        self._free_at.move_to_end(address)
        if len(self._free_at) > self._remembered:
            self._free_at.popitem(last=False)
        return 0.0
