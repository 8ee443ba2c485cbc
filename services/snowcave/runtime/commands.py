"""Programs of the system (ip, nft, nsenter) run to their end, with a deadline and a checked result."""

import asyncio
import subprocess

from snowcave.model.errors import DeadlinePassed, Unavailable


async def run(*argv: str, stdin: str = "", timeout: float = 20.0) -> str:
    """What the program wrote. Raises Unavailable with its own words where it fails.

    A thread starts it, by vfork: an event loop that forks beside gRPC's threads is asking for trouble.
    """
    return await asyncio.to_thread(run_now, *argv, stdin=stdin, timeout=timeout)


def run_now(*argv: str, stdin: str = "", timeout: float = 20.0) -> str:
    """The same for a thread that may block."""
    try:
        ended = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{argv[0]} is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise DeadlinePassed(f"{argv[0]} took longer than {timeout:.0f} s.") from error
    if ended.returncode != 0:
        said = " ".join(ended.stderr.split())[:800]
        raise Unavailable(f"{' '.join(argv)[:200]} ended with {ended.returncode}: {said}")
    return ended.stdout
