"""Rules of a node as a kernel has them after nft has read them, in a namespace of their own."""

import json
import subprocess
from typing import Any

from snowcave.agent.network.frame import NodePlace

PLACE = NodePlace(
    underlay="10.246.0.0/16",
    instances="10.244.0.0/16",
    services="10.245.0.0/16",
    node_network="10.244.1.0/24",
    machine="10.246.0.1",
    dns_address="10.245.0.53",
    dns_port=8453,
    api_address="10.245.0.2",
    api_port=8443,
)


def kernel_after(*texts: str) -> Any:
    """The table that a fresh kernel namespace holds after these transactions, without handles and order."""
    script = "\n".join(f"nft -f - <<'END'\n{text}\nEND" for text in texts)
    ended = subprocess.run(
        ["unshare", "--net", "sh", "-e"],
        input=f"{script}\nnft -j list ruleset\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 0, ended.stderr
    return sorted(
        json.dumps(_plain(entry), sort_keys=True) for entry in json.loads(ended.stdout)["nftables"]
    )


def _plain(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {
            key: sorted(map(json.dumps, value)) if key == "elem" else _plain(value)
            for key, value in entry.items()
            if key not in ("handle", "metainfo")
        }
    return [_plain(item) for item in entry] if isinstance(entry, list) else entry
