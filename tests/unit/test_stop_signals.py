"""What a daemon makes of signals: one asks it to stop, whoever sends it and however often."""

import asyncio
import signal
import subprocess
import sys

PROGRAM = """
import asyncio
from snowcave.runtime.daemon import stop_on_signals

async def main():
    stop = stop_on_signals()
    print("begun", flush=True)
    await stop.wait()
    print("asked", flush=True)
    await asyncio.to_thread(input)
    print("drained", flush=True)

asyncio.run(main())
"""


def _asked_twice() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    return process


async def test_a_second_sigterm_lets_it_drain():
    process = await asyncio.to_thread(_asked_twice)
    output, errors = await asyncio.to_thread(process.communicate, "\n", 60)
    assert (output, errors) == ("drained\n", "")
