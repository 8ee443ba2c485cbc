"""What the daemons' logs tell of exceptions that nobody dealt with."""

import re
from itertools import pairwise
from pathlib import Path

_BEGINS = re.compile(
    r"Traceback \(most recent|Task exception was never retrieved|was never awaited|reconcile_bug"
)
# Of a traceback: where in our code, how it was told, and what it was.
_OURS = re.compile(r'File ".*/snowcave/(.+)", line (\d+), in (\w+)')
_ENDS = re.compile(r"^(?: *\| )?[A-Za-z_][\w.]+(?:: .*)?$")
_LONGEST = 200


def accidents(log: Path) -> list[str]:
    """One line for each: the log, the line in it, our frames of the traceback, and the exception."""
    lines = log.read_text(errors="replace").splitlines()
    begins = [number for number, line in enumerate(lines) if _BEGINS.search(line)]
    return [
        f"{log.name}:{first + 1}: {_told(lines[first : min(following, first + _LONGEST)])}"
        for first, following in pairwise([*begins, len(lines)])
    ]


def _told(lines: list[str]) -> str:
    frames: list[str] = []
    for line in lines:
        if found := _OURS.search(line):
            frames.append(":".join(found.groups()))
        elif _ENDS.match(line):
            return " > ".join([*frames[-6:], line.strip(" |+-")[:300]])
    return " > ".join([*frames[-6:], lines[0]])
