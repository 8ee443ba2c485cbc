"""What has to happen to a VM, and how eagerly a dying agent is started again."""

from itertools import pairwise

import pytest

from snowcave.hypervisor import machine
from snowcave.hypervisor.agents import Agent
from snowcave.hypervisor.decide import Found, Starts, Step, after_start, pause_before_start, steps
from snowcave.hypervisor.machine import Machine
from snowcave.v1 import state_pb2 as state

VM = state.Vm(node="n")
STOPPING = state.Vm(node="n", stopping=True)
NOTHING = Found(traces=False, namespace=0, agent=None)
WHOLE = Found(traces=True, namespace=7, agent=Agent(1, 1), agent_namespace=7)
WITHOUT_AGENT = Found(traces=True, namespace=7, agent=None)
ASTRAY = Found(traces=True, namespace=8, agent=Agent(1, 1), agent_namespace=7)


@pytest.mark.parametrize(
    ("want", "found", "expected"),
    [
        (VM, NOTHING, (Step.PREPARE, Step.START_AGENT)),
        (VM, WHOLE, (Step.PREPARE,)),
        (VM, WITHOUT_AGENT, (Step.PREPARE, Step.START_AGENT)),
        (VM, ASTRAY, (Step.REMOVE, Step.PREPARE, Step.START_AGENT)),
        (STOPPING, WHOLE, (Step.REMOVE,)),
        (STOPPING, NOTHING, ()),
        (None, WHOLE, (Step.REMOVE,)),
        (None, WITHOUT_AGENT, (Step.REMOVE,)),
        (None, NOTHING, ()),
    ],
)
def test_a_vm_is_brought_to_what_is_wanted(
    want: state.Vm | None, found: Found, expected: tuple[Step, ...]
):
    assert steps(want, found) == expected


def test_pauses_grow_while_an_agent_keeps_dying_and_have_an_end():
    starts, now, pauses = Starts(), 100.0, list[float]()
    for _ in range(12):
        pause = pause_before_start(starts, now, steady=20.0, cap=10.0)
        pauses.append(pause)
        now += pause
        starts = after_start(starts, now, steady=20.0)
    assert pauses[0] == 0.0
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(pauses))
    assert pauses[-1] == pytest.approx(10.0)


def test_an_agent_that_lived_long_is_started_again_at_once():
    starts = Starts(failures=9, last=100.0)
    assert pause_before_start(starts, 121.0, steady=20.0, cap=10.0) == 0.0
    assert after_start(starts, 121.0, steady=20.0).failures == 1


def test_the_wait_counts_from_the_last_start():
    starts = Starts(failures=3, last=100.0)
    assert pause_before_start(starts, 100.1, steady=20.0, cap=10.0) == pytest.approx(0.3)
    assert pause_before_start(starts, 105.0, steady=20.0, cap=10.0) == 0.0


@pytest.mark.parametrize(
    ("wanted", "given"), [((1000, 1 << 30), (1000, 1 << 30)), ((64_000, 1 << 40), (2000, 4 << 30))]
)
def test_a_vm_gets_its_family_or_all_of_a_smaller_machine(
    wanted: tuple[int, int], given: tuple[int, int]
):
    small = Machine(cpu_milli=2000, memory_bytes=4 << 30, gpu=0, architecture="amd64")
    limits = machine.limits(state.Vm(cpu_milli=wanted[0], memory_bytes=wanted[1]), small)
    assert (limits.cpu_milli, limits.memory_bytes) == given
