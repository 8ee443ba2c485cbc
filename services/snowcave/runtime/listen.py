"""Addresses to listen on: loopback or the configured one, and the machine's end of the fabric link."""

import errno
import socket

from snowcave.runtime.mesh import Mesh


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


def node_addresses(mesh: Mesh, first: str = "127.0.0.1") -> list[str]:
    """For servers that nodes call: `first`, and the fabric link where `snowcave up` has made it."""
    machine = mesh.plan.machine
    return [first, machine] if exists(machine) and first != "0.0.0.0" else [first]
