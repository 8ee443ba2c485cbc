"""Ports to listen at, picked before anything listens there.

All are below those that the kernel gives to connections (32,768 and up, ip(7)): of these, any may be
taken between the moment it is picked and the moment somebody listens at it.
"""

import os
import socket
from collections.abc import Iterator

# A mesh has 100 ports; single ones are picked from hundreds of their own.
_HUNDRED = 100
_FOR_MESHES = range(20_000, 32_000, _HUNDRED)
_FOR_SINGLES = range(10_000, 20_000, _HUNDRED)
# By the first of a hundred: what keeps other processes of tests off until this one ends.
_claims: dict[int, socket.socket] = {}


def free_port_base() -> int:
    """The first of 100 ports of which none is in use, and which no other process of tests has picked.

    Raises RuntimeError where there are none.
    """
    for base in _hundreds(_FOR_MESHES):
        if all(_is_free(base + offset) for offset in range(_HUNDRED)):
            return base
    raise RuntimeError("no 100 free ports in a row")


def free_port() -> int:
    """One that is not in use, that no other process of tests picks, nor this one for the next 90 or so.

    Raises RuntimeError where there is none.
    """
    port = next((port for port in _singles if _is_free(port)), None)
    if port is None:
        raise RuntimeError("no free port")
    return port


def _round() -> Iterator[int]:
    """All ports of this process' hundred, over and over; ends after a round without a free one."""
    base = next(_hundreds(_FOR_SINGLES), None)
    while base is not None and any(_is_free(base + offset) for offset in range(_HUNDRED)):
        yield from range(base, base + _HUNDRED)


_singles = _round()


def _hundreds(wanted: range) -> Iterator[int]:
    """Those that this process may have, each claimed first; processes begin at different ones."""
    first = os.getpid() % len(wanted)
    for base in (*wanted[first:], *wanted[:first]):
        if _claim(base):
            yield base


def _claim(base: int) -> bool:
    """By a socket in the abstract namespace, which the kernel lets go of however the process ends."""
    if base in _claims:
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0snowcave-tests-ports-{base}")
    except OSError:
        claim.close()
        return False
    _claims[base] = claim
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port on which connections have just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
