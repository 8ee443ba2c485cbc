"""What the kernel counts of an instance: its packets, its connections, its block volumes.

Reading blocks for moments only; what cannot be read is left out.
"""

import ipaddress
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.model.errors import SnowcaveError
from snowcave.runtime.commands import run

Address = str

# Sets of the node's table that count packets of each instance by its address.
_SETS = {"denied": "denied", "transmitted": "sent", "received": "received"}
_ESTABLISHED = "01"
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Count:
    packets: int = 0
    bytes: int = 0


@dataclass
class Totals:
    """Counters that begin anew with the table they are in, made into sums that do not."""

    _sums: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    _last: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    def of(self, owner: str, name: str, count: float) -> float:
        key = (owner, name)
        before = self._last.get(key, 0.0)
        grown = count - before if count >= before else count
        self._last[key] = count
        self._sums[key] = self._sums.get(key, 0.0) + grown
        return self._sums[key]

    def forget_others(self, owners: Iterable[str]) -> None:
        kept = set(owners)
        for book in (self._sums, self._last):
            for key in [key for key in book if key[0] not in kept]:
                del book[key]


async def egress() -> Mapping[str, Mapping[Address, Count]]:
    """Packets to and from outside of the mesh, by what became of them. Empty where nft does not say."""
    found: dict[str, Mapping[Address, Count]] = {}
    for name, set_name in _SETS.items():
        try:
            found[name] = counted(
                await run("nft", "-j", "list", "set", "ip", "snowcave", set_name)
            )
        except SnowcaveError:
            continue
    return found


def counted(told: str) -> dict[Address, Count]:
    """What nft says of a set of addresses with counters, in JSON."""
    objects = json.loads(told)["nftables"]
    elements = next((one["set"] for one in objects if "set" in one), {}).get("elem", [])
    found: dict[Address, Count] = {}
    for element in elements:
        inner = element["elem"]
        counter = inner.get("counter", {})
        found[str(inner["val"])] = Count(counter.get("packets", 0), counter.get("bytes", 0))
    return found


def connections(pid: int, platform: Address, proc: Path = Path("/proc")) -> dict[int, int]:
    """Established connections of the platform into this process's network namespace, by local port."""
    # As the kernel prints an address: little-endian, and at the end of what IPv6 makes of it.
    remote_end = f"{int.from_bytes(ipaddress.IPv4Address(platform).packed, 'little'):08X}"
    found: dict[int, int] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / str(pid) / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, connection_state, *_ = line.split()
            ours = remote.rpartition(":")[0].endswith(remote_end)
            if connection_state == _ESTABLISHED and ours:
                port = int(local.rpartition(":")[2], 16)
                found[port] = found.get(port, 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted block volume: sizes in bytes, the others since it was attached."""

    capacity: int
    used: int
    inflight: int
    reads: int
    read_bytes: int
    writes: int
    written_bytes: int


def disk(mount: Path, sysfs: Path = Path("/sys/dev/block")) -> Disk | None:
    """None where nothing of its own is mounted there."""
    try:
        device, above = mount.stat().st_dev, mount.parent.stat().st_dev
        if device == above:
            return None
        sizes = os.statvfs(mount)
        words = (sysfs / f"{os.major(device)}:{os.minor(device)}" / "stat").read_text().split()
    except OSError:
        return None
    reads, _, read_sectors, _, writes, _, written_sectors, _, inflight, *_ = map(int, words)
    return Disk(
        capacity=sizes.f_blocks * sizes.f_frsize,
        used=(sizes.f_blocks - sizes.f_bfree) * sizes.f_frsize,
        inflight=inflight,
        reads=reads,
        read_bytes=read_sectors * _SECTOR,
        writes=writes,
        written_bytes=written_sectors * _SECTOR,
    )
