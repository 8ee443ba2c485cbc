"""Instances' network interfaces: a veth between the node's namespace and each sandbox.

Owns the links whose names begin with `c`, and their routes. Plugging an instance that is plugged
already changes nothing, so an agent that was restarted may plug everything again.
"""

import asyncio
import ctypes
import hashlib
import os
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pyroute2 import AsyncIPRoute, IPRoute
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


@dataclass
class Plugs:
    """Made by `open_plugs`. One plug at a time: each is a handful of kernel calls, some milliseconds."""

    _netlink: AsyncIPRoute
    _own_namespace: int
    # The only thread that ever leaves the node's namespace.
    _inside: ThreadPoolExecutor
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def plug(self, pid: int, name: str, address: str) -> None:
        """Give the sandbox with process `pid` the address. `name` is the instance's.

        Raises Unavailable where the sandbox is gone or the kernel refuses.
        """
        async with self._lock:
            try:
                await self._plug(pid, link_name(name), address)
            except (NetlinkError, OSError) as error:
                raise Unavailable(f"cannot plug instance {name}: {error}") from error

    async def unplug(self, name: str) -> None:
        """Take the interface away; nothing where it is gone, as it is when the sandbox has ended."""
        async with self._lock:
            try:
                await self._delete(link_name(name))
            except (NetlinkError, OSError) as error:
                raise Unavailable(f"cannot unplug instance {name}: {error}") from error

    async def _plug(self, pid: int, link: str, address: str) -> None:
        if await self._index(link) is not None:
            if await self._in_namespace(pid, partial(_has_address, address)):
                await self._set_up(link, address)
                return
            await self._delete(link)  # it led to a sandbox that was replaced
        await self._netlink.link(
            "add", ifname=link, kind="veth", peer={"ifname": INSIDE, "net_ns_pid": pid}
        )
        try:
            await self._set_up(link, address)
            await self._in_namespace(pid, partial(_configure, address))
        except BaseException:
            with suppress(NetlinkError):
                await self._delete(link)
            raise

    async def _set_up(self, link: str, address: str) -> None:
        index = await self._index(link)
        await self._netlink.link("set", index=index, state="up")
        await self._netlink.route("replace", dst=f"{address}/32", oif=index, scope=_SCOPE_LINK)

    async def _delete(self, link: str) -> None:
        if (index := await self._index(link)) is not None:
            with suppress(
                NetlinkError
            ):  # the sandbox may end, and take the pair along, at this moment
                await self._netlink.link("del", index=index)

    async def _index(self, link: str) -> int | None:
        found = await self._netlink.link_lookup(ifname=link)
        return found[0] if found else None

    async def _in_namespace(self, pid: int, act: Callable[[IPRoute], bool]) -> bool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._inside, _visit, pid, self._own_namespace, act)


@asynccontextmanager
async def open_plugs() -> AsyncGenerator[Plugs]:
    """Interfaces stay when it is left: instances outlive their agent."""
    own_namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    inside = ThreadPoolExecutor(1, "netns")
    try:
        async with AsyncIPRoute() as netlink:
            yield Plugs(netlink, own_namespace, inside)
    finally:
        inside.shutdown()
        os.close(own_namespace)


def _visit(pid: int, own_namespace: int, act: Callable[[IPRoute], bool]) -> bool:
    """Run `act` with a netlink socket of the process's namespace, then go home."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.path.sameopenfile(fd, own_namespace):
            raise OSError("the process has no network namespace of its own")
        _setns(fd)
        try:
            with IPRoute() as netlink:  # belongs to the namespace that it was opened in
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
    index = next(iter(netlink.link_lookup(ifname=INSIDE)), None)
    if index is None:
        return False
    held = {message.get_attr("IFA_ADDRESS") for message in netlink.get_addr(index=index)}
    routes = {message.get_attr("RTA_GATEWAY") for message in netlink.get_routes(family=2)}
    return address in held and GATEWAY in routes


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
