"""What is on disk about each followed log: who speaks, where the files are, how far they were acknowledged.

One small file a container run, replaced by rename. A removed container's files live on here as
hard links until they have been read.
"""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from snowcave.agent.logs.jsonfile import Place, parts
from snowcave.model.errors import Unavailable
from snowcave.v1 import events_pb2 as events

log = structlog.get_logger()


@dataclass(slots=True)
class Entry:
    """A container run's log. Streams in `broken` stopped in the middle of a line."""

    run: str
    path: Path
    resource: events.Resource
    log_level: str
    acknowledged: Place | None = None
    broken: set[str] = field(default_factory=set[str])
    # The container is gone: nothing will be added, and the files are ours to delete.
    kept: bool = False


class Ledger:
    """Blocking; its files are small."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> Iterator[Entry]:
        for path in sorted(self._folder.glob("*.json")):
            try:
                yield _decode(json.loads(path.read_text()))
            except (ValueError, KeyError, TypeError) as error:
                log.error("log_position_unreadable", path=str(path), error=str(error))

    def save(self, entry: Entry) -> None:
        """Raises Unavailable where the disk takes nothing: the position before counts on."""
        path = self._folder / f"{entry.run}.json"
        temporary = path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(_encode(entry)))
            temporary.replace(path)
        except OSError as error:
            raise _unwritable(error) from error

    def keep(self, entry: Entry) -> dict[int, int]:
        """Take hold of the files before their container is removed. Returns old and new inodes of copies.

        Raises Unavailable; then the entry is as it was.
        """
        if entry.kept:
            return {}
        folder = self._folder / entry.run
        try:
            copied = _taken(parts(entry.path), folder)
        except OSError as error:
            raise _unwritable(error) from error
        place = entry.acknowledged
        if place is not None and place.inode in copied:
            place = replace(place, inode=copied[place.inode])
        kept = replace(entry, path=folder / entry.path.name, kept=True, acknowledged=place)
        self.save(kept)
        entry.path, entry.kept, entry.acknowledged = kept.path, True, place
        return copied

    def held(self, entry: Entry) -> Path:
        """Where its reader puts rotated parts that the engine may delete."""
        return self._folder / f"{entry.run}.held"

    def forget(self, entry: Entry) -> None:
        for folder in (self._folder / entry.run, self.held(entry)):
            shutil.rmtree(folder, ignore_errors=True)
        (self._folder / f"{entry.run}.json").unlink(missing_ok=True)

    def kept_bytes(self, entry: Entry) -> int:
        return sum(part.stat().st_size for part in parts(entry.path)) if entry.kept else 0


def _taken(files: list[Path], folder: Path) -> dict[int, int]:
    """Links in that folder; old and new inodes of those that had to be copied."""
    folder.mkdir(exist_ok=True)
    copied: dict[int, int] = {}
    for part in files:
        link = folder / part.name
        link.unlink(missing_ok=True)
        try:
            os.link(part, link)
        except FileNotFoundError:
            continue
        except OSError:
            # Another file system, or another mount of it: a copy, with another inode.
            copied[part.stat().st_ino] = _copy(part, link)
    return copied


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(f"Logs cannot be kept on this node: {error.strerror}.")


def _copy(source: Path, target: Path) -> int:
    shutil.copyfile(source, target)
    return target.stat().st_ino


def _encode(entry: Entry) -> dict[str, Any]:
    return {
        "run": entry.run,
        "path": str(entry.path),
        "resource": base64.b64encode(entry.resource.SerializeToString()).decode(),
        "log_level": entry.log_level,
        "acknowledged": asdict(entry.acknowledged) if entry.acknowledged else None,
        "broken": sorted(entry.broken),
        "kept": entry.kept,
    }


def _decode(found: dict[str, Any]) -> Entry:
    place = found["acknowledged"]
    return Entry(
        run=str(found["run"]),
        path=Path(found["path"]),
        resource=events.Resource.FromString(base64.b64decode(found["resource"])),
        log_level=str(found["log_level"]),
        acknowledged=Place(**place) if place else None,
        broken=set(found["broken"]),
        kept=bool(found["kept"]),
    )
