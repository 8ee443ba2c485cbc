"""Where a machine mounts its cgroups, and what is written there."""

from pathlib import Path

from snowcave.hypervisor import cgroups, names, switch
from snowcave.hypervisor.cgroups import Limits

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"


def test_a_hybrid_machine_keeps_its_limits_in_version_one():
    trees = cgroups.read(HYBRID)
    assert not trees.is_unified
    assert trees.controllers["memory"] == Path("/sys/fs/cgroup/memory")
    assert trees.controllers["cpu"] == trees.controllers["cpuacct"]
    assert set(trees.controllers) == {"memory", "cpu", "cpuacct", "name=systemd"}


def test_a_machine_with_version_two_alone_is_unified():
    trees = cgroups.read(UNIFIED)
    assert trees.is_unified
    assert trees.unified == Path("/sys/fs/cgroup")


def test_limits_of_version_two_are_written_and_handed_down(tmp_path: Path):
    trees = cgroups.read(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    trees.make("/snowcave-1234/node", Limits(memory_bytes=1 << 30, cpu_milli=1500))
    folder = tmp_path / "snowcave-1234" / "node"
    assert (folder / "memory.max").read_text() == str(1 << 30)
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_ports_of_the_switch_are_told_apart():
    listed = """{"nftables": [{"metainfo": {}}, {"set": {"name": "port_src", "elem": [
        {"concat": ["vm1", "10.246.0.11"]},
        {"concat": ["vm1", {"prefix": {"addr": "10.244.1.0", "len": 24}}]},
        {"concat": ["vm2", "10.246.0.12"]}]}}]}"""
    assert switch.port_sources(listed, "vm1") == ["10.246.0.11", "10.244.1.0/24"]
    assert switch.port_sources('{"nftables": [{"set": {"name": "port_src"}}]}', "vm1") == []


def test_names_of_ports_fit_whatever_a_node_is_called():
    port = names.vm_port("a-compute-pool-with-a-very-long-name-17")
    assert len(port) <= 15
    assert port != names.vm_port("a-compute-pool-with-a-very-long-name-18")
