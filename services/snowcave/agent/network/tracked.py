"""The effect: makes the kernel forget connections, which it otherwise leads on where they began.

Datagrams from one socket are one connection: without this, a program that asks from the same port again
and again would stay with a server that is gone for as long as it asks.
"""

import os
import socket
import struct

from snowcave.model.errors import Unavailable

# What the kernel's headers say: the netlink family of netfilter, its table of connections, and words of it.
_NETFILTER = 12
_DELETE = 1 << 8 | 2
_REQUEST_WITH_ANSWER = 1 | 4
_MARK, _MARK_MASK = 8, 21
_ANSWER = struct.Struct("=IHHIIi")


def forget(mark: int) -> None:
    """All IPv4 connections with this mark, in our network namespace. Raises Unavailable."""
    body = struct.pack(">BBH", socket.AF_INET, 0, 0)
    for kind, value in ((_MARK, mark), (_MARK_MASK, 0xFFFFFFFF)):
        body += struct.pack("=HH", 8, kind) + struct.pack(">I", value)
    header = struct.pack("=IHHII", 16 + len(body), _DELETE, _REQUEST_WITH_ANSWER, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as kernel:
            kernel.settimeout(5.0)
            kernel.send(header + body)
            status = _ANSWER.unpack_from(kernel.recv(4096))[-1]
    except OSError as error:
        raise Unavailable(f"connections are not forgotten: {error}") from error
    if status:
        raise Unavailable(f"connections are not forgotten: {os.strerror(-status)}")
