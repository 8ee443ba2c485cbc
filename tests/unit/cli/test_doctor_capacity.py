"""What doctor says of instance families that are larger than the machine."""

from pathlib import Path

from snowcave.cli.doctor import capacity
from snowcave.hypervisor.machine import Machine
from snowcave.runtime.mesh import Mesh

GIB = 1 << 30
SMALL = Machine(cpu_milli=2000, memory_bytes=8 * GIB, gpu=0, architecture="amd64")
LARGE = Machine(cpu_milli=200_000, memory_bytes=2000 * GIB, gpu=8, architecture="amd64")


def test_limits_that_are_cut_down_are_told_and_harm_nothing(tmp_path: Path):
    found = capacity(Mesh(home=tmp_path), SMALL)
    assert found.text == ("2 vCPU, 8.0 GiB, 0 GPU; nodes of 19 of 20 instance families are larger")
    assert "cut down" in found.advice
    assert "not visible" in found.advice
    assert not found.fatal


def test_with_strict_capacity_they_are_refused(tmp_path: Path):
    found = capacity(Mesh(home=tmp_path, strict_capacity=True), SMALL)
    assert found.text.endswith("are refused (strict_capacity)")
    assert not found.advice


def test_a_machine_that_holds_them_all_is_told_so(tmp_path: Path):
    found = capacity(Mesh(home=tmp_path), LARGE)
    assert found.text.endswith("nodes of every instance family fit")
    assert not found.advice
