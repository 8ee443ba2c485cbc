"""Instances' network interfaces: a veth between the node's namespace and each sandbox.

Owns the links whose names begin with `c`, and their routes. Plugging an instance that is plugged
already changes nothing, so an agent that was restarted may plug everything again.
"""

import asyncio
import ctypes
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from snowcave.model.errors import Unavailable

GATEWAY = "169.254.1.1"
INSIDE = "eth0"
_CLONE_NEWNET = 0x40000000
_SCOPE_LINK = 253
_libc = ctypes.CDLL(None, use_errno=True)


def link_name(instance: str) -> str:
    """The node's end of an instance's veth; the kernel allows 15 characters."""
    return "c" + hashlib.sha256(instance.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Plugs:
    """Made by `open_plugs`. One plug at a time: each is a handful of kernel calls, some milliseconds."""

    _own_namespace: int
    # The only thread that ever leaves the node's namespace.
    _inside: ThreadPoolExecutor

    async def plug(self, pid: int, name: str, address: str) -> None:
        """Give the sandbox with process `pid` the address. `name` is the instance's.

        Raises Unavailable where the sandbox is gone or the kernel refuses.
        """
        try:
            await self._in_thread(
                partial(_plug, self._own_namespace, pid, link_name(name), address)
            )
        except (NetlinkError, OSError) as error:
            raise Unavailable(f"cannot plug instance {name}: {error}") from error

    async def unplug(self, name: str) -> None:
        """Take the interface away; nothing where it is gone, as it is when the sandbox has ended."""
        try:
            await self._in_thread(partial(_unplug, link_name(name)))
        except (NetlinkError, OSError) as error:
            raise Unavailable(f"cannot unplug instance {name}: {error}") from error

    async def _in_thread(self, act: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._inside, act)


@asynccontextmanager
async def open_plugs() -> AsyncGenerator[Plugs]:
    """Interfaces stay when it is left: instances outlive their agent."""
    own_namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    inside = ThreadPoolExecutor(1, "netns")
    try:
        yield Plugs(own_namespace, inside)
    finally:
        inside.shutdown()
        os.close(own_namespace)


@contextmanager
def _open_netlink() -> Generator[IPRoute]:
    """Bound to the namespace that the thread is in now.

    With a loop of its own: pyroute2 would ask for the usual one, and does not work on uvloop.
    """
    loop = asyncio.SelectorEventLoop()
    try:
        with IPRoute(use_event_loop=loop) as netlink:
            yield netlink
    finally:
        loop.run_until_complete(asyncio.sleep(0))  # transports close in the loop's next turn
        loop.close()


def _plug(own_namespace: int, pid: int, link: str, address: str) -> None:
    with _open_netlink() as node:
        if _index(node, link) is not None:
            if _visit(pid, own_namespace, partial(_has_address, address)):
                _set_up(node, link, address)
                return
            _delete(node, link)  # it led to a sandbox that was replaced
        node.link("add", ifname=link, kind="veth", peer={"ifname": INSIDE, "net_ns_pid": pid})
        try:
            _set_up(node, link, address)
            _visit(pid, own_namespace, partial(_configure, address))
        except BaseException:
            with suppress(NetlinkError):
                _delete(node, link)
            raise


def _unplug(link: str) -> None:
    with _open_netlink() as node:
        _delete(node, link)


def _set_up(node: IPRoute, link: str, address: str) -> None:
    index = _index(node, link)
    node.link("set", index=index, state="up")
    node.route("replace", dst=f"{address}/32", oif=index, scope=_SCOPE_LINK)


def _delete(node: IPRoute, link: str) -> None:
    if (index := _index(node, link)) is not None:
        # The sandbox may end, and take the pair along, at this moment.
        with suppress(NetlinkError):
            node.link("del", index=index)


def _index(netlink: IPRoute, link: str) -> int | None:
    return next(iter(netlink.link_lookup(ifname=link)), None)


def _visit(pid: int, own_namespace: int, act: Callable[[IPRoute], bool]) -> bool:
    """Run `act` with a netlink socket of the process's namespace, then go home."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.path.sameopenfile(fd, own_namespace):
            raise OSError("the process has no network namespace of its own")
        _setns(fd)
        try:
            with _open_netlink() as netlink:
                return act(netlink)
        finally:
            _setns(own_namespace)
    finally:
        os.close(fd)


def _configure(address: str, netlink: IPRoute) -> bool:
    # Our rules are IPv4's; an IPv6 address, link-local even, would go past them.
    for scope in ("all", "default"):
        with suppress(FileNotFoundError):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
    (loopback,) = netlink.link_lookup(ifname="lo")
    (index,) = netlink.link_lookup(ifname=INSIDE)
    netlink.link("set", index=loopback, state="up")
    netlink.addr("replace", index=index, address=address, prefixlen=32)
    netlink.link("set", index=index, state="up")
    netlink.route("replace", dst=f"{GATEWAY}/32", oif=index, scope=_SCOPE_LINK)
    netlink.route("replace", dst="default", gateway=GATEWAY, oif=index)
    return True


def _has_address(address: str, netlink: IPRoute) -> bool:
    if (index := _index(netlink, INSIDE)) is None:
        return False
    held = {message.get_attr("IFA_ADDRESS") for message in netlink.get_addr(index=index)}
    routes = {message.get_attr("RTA_GATEWAY") for message in netlink.get_routes(family=2)}
    return address in held and GATEWAY in routes


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
