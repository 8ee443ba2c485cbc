"""Where to listen: loopback or the configured address, and the machine's end of the fabric link."""

import errno
import socket

from snowcave.runtime.mesh import Mesh

# Python has no name for it.
_IP_FREEBIND = 15


def exists(address: str) -> bool:
    """Whether this namespace has the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EACCES):
                return False
            raise
    return True


def bound(
    address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM, *, early: bool = False
) -> socket.socket:
    """A non-blocking socket. `early`: also at an address that this machine does not have yet, or lost."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if kind == socket.SOCK_STREAM:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if early:
            one.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        one.bind((address, port))
    except OSError:
        one.close()
        raise
    return one


def node_addresses(mesh: Mesh, first: str = "127.0.0.1") -> list[str]:
    """For servers that nodes call: `first`, and the fabric link where `snowcave up` has made it."""
    machine = mesh.plan.machine
    return [first, machine] if exists(machine) and first != "0.0.0.0" else [first]
