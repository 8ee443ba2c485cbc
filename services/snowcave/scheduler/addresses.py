"""Numbers and addresses, given out in turn so that one just freed is not used at once again. Pure."""

import ipaddress
from collections.abc import Collection

from snowcave.model.errors import Exhausted
from snowcave.runtime.mesh import AddressPlan

# The first ones of a node's network are the node's own.
FIRST_INSTANCE = 10
LAST_INSTANCE = 254
_LAST_SERVICE = (1 << 16) - 2


def instance_address(network: str, used: Collection[str], incarnation: int) -> str:
    """A free address of a node's /24. Incarnations grow, so neighbours in time get different ones."""
    base = ipaddress.ip_network(network)
    size = LAST_INSTANCE - FIRST_INSTANCE + 1
    for step in range(size):
        address = str(base[FIRST_INSTANCE + (incarnation + step) % size])
        if address not in used:
            return address
    raise Exhausted(f"Every address of {network} is in use.")


def service_number(plan: AddressPlan, used: Collection[str], last: int) -> int:
    """The next free number of a service address after `last`."""
    size = _LAST_SERVICE - plan.first_service + 1
    start = max(last + 1, plan.first_service)
    for step in range(size):
        number = plan.first_service + (start - plan.first_service + step) % size
        if plan.service_address(number) not in used:
            return number
    raise Exhausted(f"Every address of {plan.services} is in use.")


def node_index(number: int, most: int) -> int:
    """Node numbers never end; their indices, which the networks come from, go round."""
    return (number - 1) % most + 1


def node_number(used_indices: Collection[int], last: int, most: int) -> int:
    """The next node number whose index is free. `most`: as many as the address plan holds."""
    for number in range(last + 1, last + 1 + most):
        if node_index(number, most) not in used_indices:
            return number
    raise Exhausted(f"{most} nodes are the most that one address plan holds.")
