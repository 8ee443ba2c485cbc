"""Pure: which replicas of dns the containers' questions are sent to, and the rules that do it.

A connection, or the datagrams of one socket, stay with the replica that was picked for the first
packet. When it is gone they are forgotten, and lead to another one from their next packet on.
"""

import ipaddress
import zlib
from collections.abc import Iterable

from snowcave.agent.network.frame import TABLE, NodePlace
from snowcave.v1 import state_pb2 as state

# Address and port, as nodes reach it.
Replica = tuple[str, int]


def alive(place: NodePlace, announced: Iterable[state.DnsServer]) -> tuple[Replica, ...]:
    """Where nobody says so, the machine's own: the store may have lost sight of it."""
    usable = sorted({(one.address, one.port) for one in announced if _is_usable(one)})
    return tuple(usable) or ((place.machine, place.dns_port),)


def _is_usable(one: state.DnsServer) -> bool:
    """Nothing but an address gets into the text that nft reads."""
    try:
        ipaddress.IPv4Address(one.address)
    except ValueError:
        return False
    return 0 < one.port < 1 << 16


def mark(replica: Replica) -> int:
    """Of connections to it: the same in every life of an agent, whose connections outlive it."""
    return 0xD5000000 | zlib.crc32(f"{replica[0]}:{replica[1]}".encode()) >> 8


def spread(replicas: tuple[Replica, ...]) -> str:
    """Replaces what `dns` and `resolvers` hold."""
    marked = [f"{one[0]} . {one[1]} : {mark(one)}" for one in replicas]
    return (
        f"flush map {TABLE} resolvers\n"
        f"add element {TABLE} resolvers {{ {', '.join(marked)} }}\n"
        f"flush chain {TABLE} dns\n"
        f"add rule {TABLE} dns meta l4proto {{ tcp, udp }} dnat ip to {_target(replicas)}\n"
    )


def _target(replicas: tuple[Replica, ...]) -> str:
    if len(replicas) == 1:
        return f"{replicas[0][0]}:{replicas[0][1]}"
    each = ", ".join(f"{n} : {address} . {port}" for n, (address, port) in enumerate(replicas))
    return f"numgen random mod {len(replicas)} map {{ {each} }}"
