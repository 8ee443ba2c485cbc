"""What is mounted on this machine. Everything here blocks."""

from pathlib import Path

from snowcave.runtime.commands import run_now

_MOUNTS = Path("/proc/self/mounts")


def mounts() -> list[tuple[str, Path]]:
    """Device and place of each, in the order in which they were made."""
    lines = (line.split() for line in _MOUNTS.read_text().splitlines())
    # Blanks and backslashes in a path are written as octal numbers.
    return [(words[0], Path(words[1].encode().decode("unicode_escape"))) for words in lines]


def unmount_below(folder: Path) -> None:
    """Everything mounted inside the folder, the latest first."""
    top = folder.resolve()
    for _, place in reversed(mounts()):
        if top in place.parents:
            run_now("umount", "-l", str(place))
