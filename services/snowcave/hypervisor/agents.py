"""Agent processes: started inside their VM, remembered across our own restarts, never tied to our life.

A pid file names the process and when it started, so a pid that the kernel gave to somebody else is
not taken for an agent.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from snowcave.hypervisor import namespaces

# What a process of ours shows in its environment, whatever program it is.
NODE_VARIABLE = "SNOWCAVE_AGENT__NODE"


@dataclass(frozen=True, slots=True)
class Agent:
    pid: int
    # Clock ticks since boot, from /proc/<pid>/stat.
    started: int


def start(
    namespace: str, command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Agent:
    """Run the command in the namespace, in a session of its own, its words appended to `log`.

    setns comes between fork and exec (`nsenter` becomes the command): the agent keeps the machine's
    mounts. posix_spawn leaves no object behind whose end would take the process with it.
    """
    argv = ["nsenter", f"--net={namespaces.FOLDER / namespace}", "--", *command]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        argv[0],
        argv,
        dict(environment),
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    return Agent(pid, _started(pid))


def remember(file: Path, agent: Agent) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    temporary.write_text(f"{agent.pid} {agent.started}\n")
    temporary.rename(file)


def recall(file: Path, node: str) -> Agent | None:
    """The agent that the file names, if that very process still lives and is this node's."""
    try:
        pid, started = file.read_text().split()
        agent = Agent(int(pid), int(started))
    except (OSError, ValueError):
        return None
    return agent if is_alive(agent) and _is_of_node(agent.pid, node) else None


def search(inode: int, node: str) -> Agent | None:
    """The node's agent among the processes in the network namespace; 0 is none."""
    if not inode:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with suppress(OSError):
            # What the agent itself starts inherits its environment, but leads no session.
            is_leader = os.getsid(pid) == pid
            if is_leader and (folder / "ns/net").stat().st_ino == inode and _is_of_node(pid, node):
                agent = Agent(pid, _started(pid))
                if is_alive(agent):
                    return agent
    return None


def is_alive(agent: Agent) -> bool:
    """A zombie that nobody has reaped yet is dead."""
    state, started = _stat(agent.pid)
    return started == agent.started and state not in ("Z", "X")


def namespace_inode(agent: Agent) -> int:
    """Which network namespace it is in; 0 where it is gone."""
    try:
        return Path(f"/proc/{agent.pid}/ns/net").stat().st_ino
    except OSError:
        return 0


def reap(agent: Agent) -> None:
    """Collect it if it is a child of ours; an adopted one has another parent."""
    with suppress(ChildProcessError):
        os.waitpid(agent.pid, os.WNOHANG)


def when_dead(agent: Agent, call: Callable[[], None]) -> Callable[[], None]:
    """Call once when the process has ended. Gives a function that stops watching."""
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(agent.pid)
    except ProcessLookupError:
        handle = loop.call_soon(call)
        return handle.cancel
    watching = True

    def stop() -> None:
        nonlocal watching
        if watching:
            watching = False
            loop.remove_reader(pidfd)
            os.close(pidfd)

    def ended() -> None:
        stop()
        reap(agent)
        call()

    loop.add_reader(pidfd, ended)
    return stop


async def terminate(agent: Agent, *, grace: float) -> None:
    """SIGTERM, and SIGKILL after the grace; back when it is gone or killed."""
    if not is_alive(agent):
        return
    gone = asyncio.Event()
    stop_watching = when_dead(agent, gone.set)
    try:
        _signal(agent, signal.SIGTERM)
        async with asyncio.timeout(grace):
            await gone.wait()
    except TimeoutError:
        _signal(agent, signal.SIGKILL)
    finally:
        stop_watching()


def _signal(agent: Agent, number: signal.Signals) -> None:
    if is_alive(agent):
        with suppress(ProcessLookupError):
            os.kill(agent.pid, number)


def _started(pid: int) -> int:
    return _stat(pid)[1]


def _stat(pid: int) -> tuple[str, int]:
    """State letter and start time; ("", -1) where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", -1
    # The command's name stands in parentheses and may hold anything, so count from the last one.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _is_of_node(pid: int, node: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{NODE_VARIABLE}={node}".encode() in environment.split(b"\0")
