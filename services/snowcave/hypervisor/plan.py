"""Pure: does the address plan fit this machine, and which one would?"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from snowcave.runtime.mesh import AddressPlan

_Network = ipaddress.IPv4Network
# Neighbouring seeds begin this many candidates apart: a plan takes three.
_SPREAD = 3


def conflicts(plan: AddressPlan, routes: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence for each network of the plan that a route (destination, device) already covers."""
    found: list[str] = []
    for name, network in (
        ("underlay", plan.underlay),
        ("instances", plan.instances),
        ("services", plan.services),
    ):
        ours = _Network(network)
        found += [
            f"{name} {network} overlaps the route to {destination} by {device}"
            for destination, device in routes
            if ours.overlaps(_Network(destination))
        ]
    return found


def choose_plan(taken: Iterable[str], *, usual: bool = True, seed: int = 0) -> AddressPlan:
    """Three free networks. Raises ValueError where nothing is left.

    `usual`: the documented ones if they are free. Otherwise the search begins at a place that `seed`
    gives: two instances that were each made while the other was down do not take the same networks.
    """
    routes = [_Network(destination) for destination in taken]
    plan = AddressPlan()
    if usual and _are_free((plan.underlay, plan.instances, plan.services), routes):
        return plan
    candidates = list(_candidates())
    start = seed * _SPREAD % len(candidates)
    candidates = candidates[start:] + candidates[:start]
    free = (network for network in candidates if _are_free((network,), routes))
    instances, services, underlay = (next(free, "") for _ in range(3))
    if not underlay:
        raise ValueError("no three free /16 networks in the private address space")
    return AddressPlan(underlay=underlay, instances=instances, services=services)


def _are_free(networks: Sequence[str], routes: Sequence[_Network]) -> bool:
    return not any(_Network(network).overlaps(route) for network in networks for route in routes)


def _candidates() -> Iterator[str]:
    """From the quiet end of 10/8, then the shared address space, then 172.16/12."""
    yield from (f"10.{second}.0.0/16" for second in range(243, 127, -1))
    yield from (f"100.{second}.0.0/16" for second in range(127, 63, -1))
    yield from (f"172.{second}.0.0/16" for second in range(31, 19, -1))
