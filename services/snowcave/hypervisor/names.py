"""Names of what the hypervisor makes, beyond those that a Mesh derives.

Inside our own namespaces short fixed names are enough; what stands in the root namespace carries
the mesh's id. Tests cut a VM off by `ip -n <fabric namespace> link set <vm_port> down`.
"""

import hashlib

# In the fabric: the switch, the other end of the root link, the engine's port, the nft table.
BRIDGE = "br0"
ROOT_PORT = "up0"
ENGINE_PORT = "eng0"
TABLE = "snowcave"
# In a VM and in the engine's namespace: the end that looks at the fabric.
UPLINK = "fab0"
# Every instance's gateway; stands on lo of every VM.
GATEWAY = "169.254.1.1"
# Number of the fabric's own address in the underlay: the router between the nodes' networks.
ROUTER = 3


def vm_port(node: str) -> str:
    """The fabric's end of a VM's link. An interface name has 15 characters, a node's may have more."""
    return "vm" + hashlib.sha256(node.encode()).hexdigest()[:10]


def router_mac(mesh_id: str) -> str:
    """The switch's own address, locally administered."""
    digits = hashlib.sha256(f"router {mesh_id}".encode()).hexdigest()
    return ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])


def root_table(mesh_id: str) -> str:
    """Our table in the root namespace, in family inet."""
    return f"snowcave_{mesh_id}"
