"""Pure: what has to happen to one VM, given what is wanted and what is there."""

from dataclasses import dataclass
from enum import Enum, auto

from snowcave.hypervisor.agents import Agent
from snowcave.v1 import state_pb2 as state


class Step(Enum):
    # Agent, containers, cgroup, namespace: all of it goes.
    REMOVE = auto()
    # Namespace, link and cgroup stand as they should; repeating it changes nothing.
    PREPARE = auto()
    START_AGENT = auto()


@dataclass(frozen=True, slots=True)
class Found:
    """What is on the machine."""

    # Anything at all of this VM.
    traces: bool
    # Inode of its network namespace; 0 where there is none.
    namespace: int
    agent: Agent | None
    # The namespace that the agent is in.
    agent_namespace: int = 0


def steps(want: state.Vm | None, found: Found) -> tuple[Step, ...]:
    """In this order. An agent that died is started again beside its containers, which live on."""
    if want is None or want.stopping:
        return (Step.REMOVE,) if found.traces else ()
    if found.agent is None:
        return (Step.PREPARE, Step.START_AGENT)
    if found.agent_namespace != found.namespace:
        # It runs in a namespace that has lost its name: nothing new could join it.
        return (Step.REMOVE, Step.PREPARE, Step.START_AGENT)
    return (Step.PREPARE,)


@dataclass(frozen=True, slots=True)
class Starts:
    """How an agent has been doing: counted from its last start."""

    failures: int = 0
    last: float = 0.0


def pause_before_start(starts: Starts, now: float, *, steady: float, cap: float) -> float:
    """Seconds to wait: none after the first start or a good run, then doubling up to `cap`."""
    if starts.failures == 0 or now - starts.last >= steady:
        return 0.0
    pause = min(cap, 0.1 * 2.0 ** min(starts.failures - 1, 16))
    return max(0.0, starts.last + pause - now)


def after_start(starts: Starts, now: float, *, steady: float) -> Starts:
    """A start counts as a failure until the agent has lived for `steady` seconds."""
    failures = 0 if starts.last and now - starts.last >= steady else starts.failures
    return Starts(failures + 1, now)
