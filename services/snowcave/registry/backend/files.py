"""Files that survive a crash: every function here returns once the disk has what it was given."""

import os
import secrets
from pathlib import Path


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """With its parents."""
    missing: list[Path] = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def write(path: Path, content: bytes) -> None:
    """All of it or nothing, under its name at once."""
    make_folder(path.parent)
    # A leading dot keeps it out of every listing of ours.
    temporary = path.parent / f".{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def mark(path: Path) -> None:
    """An empty file; an older one becomes young again."""
    make_folder(path.parent)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        os.utime(path)
    else:
        sync_folder(path.parent)


def names(path: Path) -> list[str]:
    """In a folder that may be missing, without those still being written, in order."""
    try:
        return sorted(name for name in os.listdir(path) if not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
