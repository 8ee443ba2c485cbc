"""What is mounted on this machine. Everything here blocks."""

import os
import re
from pathlib import Path

from snowcave.runtime.commands import run_now

_MOUNTS = Path("/proc/self/mounts")
_OCTAL = re.compile(rb"\\([0-7]{3})")


def mounts() -> list[tuple[str, Path]]:
    """Device and place of each, in the order in which they were made."""
    lines = (line.split(b" ") for line in _MOUNTS.read_bytes().splitlines())
    return [(os.fsdecode(words[0]), _path(words[1])) for words in lines]


def _path(written: bytes) -> Path:
    """Blanks and backslashes are written as octal numbers, all other bytes as they are."""
    return Path(os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), written)))


def unmount_below(folder: Path) -> None:
    """Everything mounted inside the folder, the latest first."""
    top = folder.resolve()
    for _, place in reversed(mounts()):
        if top in place.parents:
            run_now("umount", "-l", str(place))
