"""Network namespaces, veth links and their settings, by iproute2. Everything here may be repeated.

`ip -n` and `nsenter --net` enter a namespace for one command; `ip netns exec` is never used, because
it makes a mount namespace as well.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snowcave.model.errors import Unavailable
from snowcave.runtime.commands import run

FOLDER = Path("/run/netns")
_QUIET = {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
ROUTER_SYSCTLS: Mapping[str, str] = {
    **_QUIET,
    "net.ipv4.ip_forward": "1",
    # Sources are checked by nftables; a redirect would teach instances to go around us.
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
}
ENGINE_SYSCTLS: Mapping[str, str] = {
    **_QUIET,
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    # Lets a DNAT move packets from 127.0.0.1 to the wire.
    "net.ipv4.conf.all.route_localnet": "1",
}


def exists(name: str) -> bool:
    return (FOLDER / name).exists()


def inode(name: str) -> int:
    """What /proc/<pid>/ns/net of a process inside shows; 0 where there is no such namespace."""
    try:
        return (FOLDER / name).stat().st_ino
    except OSError:
        return 0


def named(prefix: str) -> list[str]:
    """The namespaces whose names begin so."""
    return sorted(path.name for path in FOLDER.glob(f"{prefix}*")) if FOLDER.is_dir() else []


async def ensure(name: str, sysctls: Mapping[str, str]) -> None:
    if exists(name) and not await _is_alive(name):
        # The file survived its mount: made by somebody who died half way.
        await run("ip", "netns", "del", name)
    if not exists(name):
        await run("ip", "netns", "add", name)
    await set_sysctls(name, sysctls)
    await run("ip", "-n", name, "link", "set", "lo", "up")


async def remove(name: str) -> None:
    """The links inside go with it."""
    if exists(name):
        await run("ip", "netns", "del", name)


async def set_sysctls(name: str, sysctls: Mapping[str, str]) -> None:
    """A file that the kernel does not have (IPv6 compiled out) is no failure."""
    lines = [
        f"f=/proc/sys/{key.replace('.', '/')}; [ ! -e $f ] || echo {value} > $f"
        for key, value in sysctls.items()
    ]
    await inside(name, "sh", "-e", stdin="\n".join(lines) + "\n")


async def inside(name: str, *argv: str, stdin: str = "") -> str:
    """Run a command in the namespace, and in it alone."""
    return await run("nsenter", f"--net={FOLDER / name}", "--", *argv, stdin=stdin)


async def links(name: str | None) -> dict[str, dict[str, Any]]:
    """Name to what `ip -j link` says; None is the root namespace."""
    where = ("-n", name) if name else ()
    listed: list[dict[str, Any]] = json.loads(await run("ip", "-j", *where, "link") or "[]")
    return {link["ifname"]: link for link in listed}


async def routes(name: str | None) -> list[dict[str, Any]]:
    """IPv4 routes as `ip -j route` gives them."""
    where = ("-n", name) if name else ()
    listed: list[dict[str, Any]] = json.loads(await run("ip", "-j", "-4", *where, "route") or "[]")
    return listed


async def ensure_veth(
    outer: str | None, outer_name: str, inner: str | None, inner_name: str
) -> None:
    """A veth between two namespaces (None: root), both ends present or made anew.

    The outer end is set up only when it is made: one that somebody took down stays down, so that a
    link which a fault test has cut is not healed behind its back.
    """
    outer_links, inner_links = await links(outer), await links(inner)
    if outer_name not in outer_links or inner_name not in inner_links:
        for where, name, there in (
            (outer, outer_name, outer_links),
            (inner, inner_name, inner_links),
        ):
            if name in there:
                await batch(where, [f"link del {name}"])
        place = f" netns {inner}" if inner else ""
        # One process: should we die meanwhile, it still does both.
        add = f"link add {outer_name} type veth peer name {inner_name}{place}"
        await batch(outer, [add, f"link set {outer_name} up"])
    await batch(inner, [f"link set {inner_name} up"])


async def batch(name: str | None, lines: Sequence[str]) -> None:
    """Several `ip` commands by one process; the first failure ends it."""
    if not lines:
        return
    where = ("-n", name) if name else ()
    await run("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


async def delete_link(name: str | None, link: str) -> None:
    if link in await links(name):
        await batch(name, [f"link del {link}"])


async def nft(name: str | None, rules: str) -> str:
    """Apply a ruleset in a namespace, all of it or nothing."""
    if name is None:
        return await run("nft", "-f", "-", stdin=rules)
    return await inside(name, "nft", "-f", "-", stdin=rules)


async def _is_alive(name: str) -> bool:
    try:
        await run("ip", "-n", name, "-j", "link")
    except Unavailable:
        return False
    return True
