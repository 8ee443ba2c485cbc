"""The fabric: a namespace with the switch that VMs hang on, and one link from it to the root namespace.

The switch checks that every port sends only from its own addresses, and routes between the nodes'
networks, so one place knows where a node is. In the root namespace stand the link, its routes and a small
table. `ensure` may be repeated and interrupted; `remove` leaves nothing of this home on the machine.
"""

import json
from typing import Any

import structlog

from snowcave.hypervisor import names, namespaces, plan, teardown
from snowcave.runtime.commands import run
from snowcave.runtime.mesh import Mesh

log = structlog.get_logger()


async def ensure(mesh: Mesh) -> None:
    """Everything that the daemons need before the first of them starts."""
    fabric = mesh.fabric_namespace
    await namespaces.ensure(fabric, namespaces.ROUTER_SYSCTLS)
    await namespaces.nft(fabric, switch_rules())
    await _ensure_switch(mesh)
    await namespaces.ensure_veth(None, mesh.root_link, fabric, names.ROOT_PORT)
    await namespaces.batch(fabric, [f"link set {names.ROOT_PORT} master {names.BRIDGE}"])
    await run("sh", "-e", stdin=_root_sysctls(mesh.root_link))
    await namespaces.nft(None, root_rules(mesh))
    router = mesh.plan.underlay_address(names.ROUTER)
    await namespaces.batch(
        None,
        [
            f"addr replace {mesh.plan.machine}/16 dev {mesh.root_link}",
            f"link set {mesh.root_link} up",
            f"route replace {mesh.plan.instances} via {router} dev {mesh.root_link}",
            f"route replace {mesh.plan.services} via {router} dev {mesh.root_link}",
        ],
    )


async def remove(mesh: Mesh) -> None:
    """VMs with their agents and containers, the engine's namespace, the fabric, our table and link."""
    await teardown.remove_vms(mesh)
    await namespaces.remove(mesh.engine_namespace)
    await namespaces.delete_link(None, mesh.root_link)
    await namespaces.remove(mesh.fabric_namespace)
    table = f"inet {names.root_table(mesh.id)}"
    # Declared before it is deleted: deleting what is not there would fail.
    await namespaces.nft(None, f"table {table}\ndelete table {table}\n")
    log.info("fabric_removed", mesh=mesh.id)


async def plan_conflicts(mesh: Mesh) -> list[str]:
    """One sentence for each of this machine's routes that the address plan collides with."""
    routes = await machine_routes()
    return plan.conflicts(mesh.plan, [route for route in routes if route[1] != mesh.root_link])


async def machine_routes() -> list[tuple[str, str]]:
    """(destination, device) of every IPv4 route but the default ones."""
    listed: list[dict[str, Any]] = json.loads(await run("ip", "-j", "-4", "route") or "[]")
    return [
        (route["dst"], route.get("dev", ""))
        for route in listed
        if route.get("dst", "default") != "default"
    ]


async def connect_port(mesh: Mesh, port: str, addresses: list[str]) -> None:
    """Make a link's end in the fabric a port of the switch that may send from these addresses."""
    # Elements of an interval set may be added twice; what the port may no longer use is taken away.
    stale = await _disconnect_rules(mesh, port, keep=addresses)
    elements = ", ".join(f'"{port}" . {address}' for address in addresses)
    rules = f"{stale}add element bridge {names.TABLE} port_src {{ {elements} }}\n"
    await namespaces.nft(mesh.fabric_namespace, rules)
    await namespaces.batch(mesh.fabric_namespace, [f"link set {port} master {names.BRIDGE}"])


async def disconnect_port(mesh: Mesh, port: str) -> None:
    """The port with its rights to send; nothing where it is gone already."""
    if not namespaces.exists(mesh.fabric_namespace):
        return
    if rules := await _disconnect_rules(mesh, port, keep=[]):
        await namespaces.nft(mesh.fabric_namespace, rules)
    await namespaces.delete_link(mesh.fabric_namespace, port)


def switch_rules() -> str:
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


def root_rules(mesh: Mesh) -> str:
    """The root namespace forwards nothing to the fabric: a container of another engine would pass as us."""
    table = names.root_table(mesh.id)
    inside = f"{{ {mesh.plan.underlay}, {mesh.plan.instances} }}"
    return f"""
table inet {table}
delete table inet {table}
table inet {table} {{
  chain forward {{
    type filter hook forward priority -10; policy accept;
    oifname "{mesh.root_link}" ct direction original counter drop
    iifname "{mesh.root_link}" ct direction original counter drop
  }}
  chain arriving {{
    type filter hook input priority -10; policy accept;
    iifname "{mesh.root_link}" meta nfproto ipv4 ip saddr != {inside} counter drop
  }}
}}
"""


async def _ensure_switch(mesh: Mesh) -> None:
    fabric, addresses = mesh.fabric_namespace, mesh.plan
    if names.BRIDGE not in await namespaces.links(fabric):
        await namespaces.batch(fabric, [f"link add {names.BRIDGE} type bridge"])
    await namespaces.batch(
        fabric,
        [
            f"link set {names.BRIDGE} up",
            f"addr replace {addresses.underlay_address(names.ROUTER)}/16 dev {names.BRIDGE}",
            f"route replace default via {addresses.machine} dev {names.BRIDGE}",
            # A node that is not there is told so at once; each VM adds a narrower route.
            f"route replace unreachable {addresses.instances}",
            f"route replace unreachable {addresses.services}",
        ],
    )


async def _disconnect_rules(mesh: Mesh, port: str, keep: list[str]) -> str:
    listed = await namespaces.inside(
        mesh.fabric_namespace, "nft", "-j", "list", "set", "bridge", names.TABLE, "port_src"
    )
    gone = [
        f'"{port}" . {address}' for address in port_sources(listed, port) if address not in keep
    ]
    if not gone:
        return ""
    return f"delete element bridge {names.TABLE} port_src {{ {', '.join(gone)} }}\n"


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


def _root_sysctls(link: str) -> str:
    lines = [f"echo 0 > /proc/sys/net/ipv4/conf/{link}/rp_filter"]
    lines += [
        f"f=/proc/sys/net/ipv6/conf/{link}/disable_ipv6; [ ! -e $f ] || echo 1 > $f",
        f"echo 0 > /proc/sys/net/ipv4/conf/{link}/accept_redirects",
        f"echo 0 > /proc/sys/net/ipv4/conf/{link}/send_redirects",
    ]
    return "\n".join(lines) + "\n"
