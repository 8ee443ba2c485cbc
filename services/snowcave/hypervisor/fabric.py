"""The fabric: a namespace with the switch that VMs hang on, and one link from it to the root namespace.

The switch checks that every port sends only from its own addresses, and routes between the nodes'
networks, so one place knows where a node is. In the root namespace stand the link, its routes and a small
table. `ensure` may be repeated and interrupted; `remove` leaves nothing of this home on the machine.
"""

import structlog

from snowcave.hypervisor import firewall, names, namespaces, plan, switch, teardown
from snowcave.runtime.commands import run
from snowcave.runtime.mesh import Mesh

log = structlog.get_logger()


async def ensure(mesh: Mesh) -> None:
    """Everything that the daemons need before the first of them starts."""
    fabric = mesh.fabric_namespace
    await namespaces.ensure(fabric, namespaces.ROUTER_SYSCTLS)
    await namespaces.nft(fabric, switch.rules())
    await switch.ensure(mesh)
    await namespaces.ensure_veth(None, mesh.root_link, fabric, names.ROOT_PORT)
    await namespaces.batch(fabric, [f"link set {names.ROOT_PORT} master {names.BRIDGE}"])
    await run("sh", "-e", stdin=_root_sysctls(mesh.root_link))
    await namespaces.nft(None, root_rules(mesh))
    await firewall.open_way_out(mesh.root_link)
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
    await firewall.close_way_out(mesh.root_link)
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
    return [
        (route["dst"], route.get("dev", ""))
        for route in await namespaces.routes(None)
        if route.get("dst", "default") != "default"
    ]


def root_rules(mesh: Mesh) -> str:
    """Nobody is forwarded to the fabric: a container of another engine would pass as us. From it instances
    are, masqueraded as this machine; where each of them may go its node has decided.
    """
    table = names.root_table(mesh.id)
    inside = f"{{ {mesh.plan.underlay}, {mesh.plan.instances} }}"
    return f"""
table inet {table}
delete table inet {table}
table inet {table} {{
  chain forward {{
    type filter hook forward priority -10; policy accept;
    oifname "{mesh.root_link}" ct direction original counter drop
    iifname "{mesh.root_link}" meta nfproto != ipv4 counter drop
    iifname "{mesh.root_link}" ct direction original ip saddr != {mesh.plan.instances} counter drop
  }}
  chain leaving {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {mesh.plan.instances} oifname != "{mesh.root_link}" counter masquerade
  }}
  chain arriving {{
    type filter hook input priority -10; policy accept;
    iifname "{mesh.root_link}" meta nfproto ipv4 ip saddr != {inside} counter drop
  }}
}}
"""


def _root_sysctls(link: str) -> str:
    # What comes back to instances arrives on whichever link leads outside, so one link's setting is too
    # little. Engines set it as well, and may have come to need it when we go: it stays.
    lines = ["echo 1 > /proc/sys/net/ipv4/ip_forward"]
    lines += [f"echo 0 > /proc/sys/net/ipv4/conf/{link}/rp_filter"]
    lines += [
        f"f=/proc/sys/net/ipv6/conf/{link}/disable_ipv6; [ ! -e $f ] || echo 1 > $f",
        f"echo 0 > /proc/sys/net/ipv4/conf/{link}/accept_redirects",
        f"echo 0 > /proc/sys/net/ipv4/conf/{link}/send_redirects",
    ]
    return "\n".join(lines) + "\n"
