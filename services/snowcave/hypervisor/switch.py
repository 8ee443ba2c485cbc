"""The switch in the fabric namespace: which ports it has and what each of them may send.

A VM's link comes and goes while the switch and the other ports carry traffic, so ports are added to and
taken from a set of nft and never by writing its table anew.
"""

import json
from typing import Any

from snowcave.hypervisor import names, namespaces
from snowcave.runtime.mesh import Mesh


async def ensure(mesh: Mesh) -> None:
    """The bridge, the fabric's own address on it, and its routes."""
    fabric, addresses = mesh.fabric_namespace, mesh.plan
    if names.BRIDGE not in await namespaces.links(fabric):
        await namespaces.batch(fabric, [f"link add {names.BRIDGE} type bridge"])
    await namespaces.batch(
        fabric,
        [
            # Left to itself a bridge takes the lowest address of its ports: with a new VM it may change,
            # and everybody who knows the router by the old one loses it.
            f"link set {names.BRIDGE} address {names.router_mac(mesh.id)}",
            f"link set {names.BRIDGE} up",
            f"addr replace {addresses.underlay_address(names.ROUTER)}/16 dev {names.BRIDGE}",
            f"route replace default via {addresses.machine} dev {names.BRIDGE}",
            # A node that is not there is told so at once; each VM adds a narrower route.
            f"route replace unreachable {addresses.instances}",
            f"route replace unreachable {addresses.services}",
        ],
    )


async def connect_port(mesh: Mesh, port: str, addresses: list[str]) -> None:
    """Make a link's end in the fabric a port of the switch that may send from these addresses."""
    # Elements of an interval set may be added twice; what the port may no longer use is taken away.
    stale = await _withdrawal(mesh, port, keep=addresses)
    elements = ", ".join(f'"{port}" . {address}' for address in addresses)
    rules = f"{stale}add element bridge {names.TABLE} port_src {{ {elements} }}\n"
    await namespaces.nft(mesh.fabric_namespace, rules)
    await namespaces.batch(mesh.fabric_namespace, [f"link set {port} master {names.BRIDGE}"])


async def disconnect_port(mesh: Mesh, port: str) -> None:
    """The port with its rights to send and the routes to it; nothing where it is gone already."""
    fabric = mesh.fabric_namespace
    if not namespaces.exists(fabric):
        return
    networks = [address for address in await _sources(mesh, port) if "/" in address]
    present = {route["dst"] for route in await namespaces.routes(fabric)}
    await namespaces.batch(fabric, [f"route del {net}" for net in networks if net in present])
    if withdrawal := await _withdrawal(mesh, port, keep=[]):
        await namespaces.nft(fabric, withdrawal)
    await namespaces.delete_link(fabric, port)


def rules() -> str:
    """Who may send what through the switch. Running it again keeps the ports that it knows."""
    return f"""
table bridge {names.TABLE} {{
  set port_src {{ type ifname . ipv4_addr; flags interval; }}
  chain pre {{ type filter hook prerouting priority -300; policy accept; }}
}}
flush chain bridge {names.TABLE} pre
table bridge {names.TABLE} {{
  chain pre {{
    iifname "{names.ROOT_PORT}" accept
    ether type ip iifname . ip saddr @port_src accept
    ether type arp iifname . arp saddr ip @port_src accept
    counter drop
  }}
}}
"""


async def _withdrawal(mesh: Mesh, port: str, keep: list[str]) -> str:
    sources = await _sources(mesh, port)
    gone = [f'"{port}" . {address}' for address in sources if address not in keep]
    if not gone:
        return ""
    return f"delete element bridge {names.TABLE} port_src {{ {', '.join(gone)} }}\n"


async def _sources(mesh: Mesh, port: str) -> list[str]:
    listed = await namespaces.inside(
        mesh.fabric_namespace, "nft", "-j", "list", "set", "bridge", names.TABLE, "port_src"
    )
    return port_sources(listed, port)


def port_sources(listed: str, port: str) -> list[str]:
    """The addresses that a port may send from, out of nft's JSON."""
    sources: list[str] = []
    for entry in json.loads(listed)["nftables"]:
        for element in entry.get("set", {}).get("elem", ()):
            name, address = element["concat"]
            if name == port:
                sources.append(_address(address))
    return sources


def _address(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value['prefix']['addr']}/{value['prefix']['len']}"
