"""The network namespace of a container engine of our own.

The engine must not run in the root namespace: it would take the other engine's bridge and firewall apart.
Its loopback is therefore not the machine's, so image names that say `localhost:<registry port>` are led to
the registry over the fabric.
"""

from snowcave.hypervisor import names, namespaces, switch
from snowcave.runtime.mesh import Mesh


async def ensure_engine_namespace(mesh: Mesh) -> str:
    """The namespace, joined to the fabric; may be repeated. Its path, for `nsenter --net=`."""
    engine = mesh.engine_namespace
    await namespaces.ensure(engine, namespaces.ENGINE_SYSCTLS)
    await namespaces.ensure_veth(mesh.fabric_namespace, names.ENGINE_PORT, engine, names.UPLINK)
    await switch.connect_port(mesh, names.ENGINE_PORT, [mesh.plan.engine])
    await namespaces.batch(
        engine,
        [
            f"addr replace {mesh.plan.engine}/16 dev {names.UPLINK}",
            f"route replace default via {mesh.plan.machine} dev {names.UPLINK}",
        ],
    )
    await namespaces.nft(engine, registry_rules(mesh))
    return str(namespaces.FOLDER / engine)


def registry_rules(mesh: Mesh) -> str:
    """127.0.0.1 (that is `localhost`, too) on the registry's port is the machine's registry."""
    port = mesh.port("registry")
    return f"""
table ip {names.TABLE}
delete table ip {names.TABLE}
table ip {names.TABLE} {{
  chain registry_there {{
    type nat hook output priority -100; policy accept;
    ip daddr 127.0.0.1 tcp dport {port} dnat to {mesh.plan.machine}:{port}
  }}
  chain registry_back {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 127.0.0.0/8 oifname "{names.UPLINK}" snat to {mesh.plan.engine}
  }}
}}
"""
