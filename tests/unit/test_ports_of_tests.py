"""Ports that tests pick stay free until somebody listens at them."""

import subprocess
import sys
from pathlib import Path

from tests.kit.ports import free_port, free_port_base

PICK = "from tests.kit.ports import *; print(free_port_base(), *(free_port() for _ in range(90)))"


def test_none_is_one_that_the_kernel_gives_to_connections():
    range_of_kernel = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert free_port_base() + 99 < int(range_of_kernel[0])
    assert free_port() < int(range_of_kernel[0])


def test_no_other_process_picks_them():
    root = Path(__file__).parents[2]
    ours = {free_port() for _ in range(90)}
    our_base = free_port_base()
    others = subprocess.check_output([sys.executable, "-c", PICK], cwd=root, text=True, timeout=60)
    base, *singles = [int(word) for word in others.split()]
    assert base != our_base
    assert len(set(singles)) == 90
    assert ours.isdisjoint(singles)
