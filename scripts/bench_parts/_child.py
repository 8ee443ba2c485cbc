"""Programs that a benchmark runs beside itself: a load generator, a peer's client, a tool."""

import asyncio
from collections.abc import Mapping

_LAST = 2_000


async def output_of(
    *command: str,
    seconds: float,
    given: str = "",
    environment: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """What the program writes to its output; `given` is its input.

    It is killed when `seconds` have passed or the caller is cancelled. Raises RuntimeError with the end of
    its error output when it fails, unless `check` is false.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode and check:
        raise RuntimeError(f"{command[0]} failed: {errors.decode()[-_LAST:]}")
    return output.decode()
