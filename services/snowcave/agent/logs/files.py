"""The files of a log as they are now: the engine's own, and rotated ones that are held for reading."""

import os
from collections.abc import Mapping
from pathlib import Path

from snowcave.agent.logs.jsonfile import Place, inode_of, parts


class LogFiles:
    """`held`: a folder for hard links to rotated parts, whatever the engine does to them."""

    def __init__(self, path: Path, held: Path | None = None) -> None:
        self.path = path
        self._held = held
        # Inodes of rotated parts that were seen and not begun yet.
        self._unread: set[int] = set()
        # Of those so many are gone.
        self.lost = 0

    def in_order(self) -> list[Path]:
        """Oldest first, each once: what is held and not the engine's any more is older than all that is."""
        there = parts(self.path)
        inodes = {inode_of(part) for part in there}
        return [*(held for held in self._links() if inode_of(held) not in inodes), *there]

    def inodes(self) -> list[int]:
        """Oldest first; asked again until no rotation came between."""
        seen: list[int] = []
        while True:
            found = [one for part in self.in_order() if (one := inode_of(part)) is not None]
            if found == seen:
                return list(dict.fromkeys(found))
            seen = found

    def begin(self, inode: int) -> None:
        """It is being read."""
        self._unread.discard(inode)

    def hold(self, needed: int | None, here: int | None, room: int) -> int:
        """Link the rotated parts from `needed` on, so that they outlive the engine's own cleaning.

        At most `room` bytes of them: what came first is kept. Returns how many bytes it took.
        `here`: what is being read.
        """
        if self._held is None:
            return 0
        found = [(part, inode_of(part)) for part in self.in_order()]
        rotated = {inode: part for part, inode in found if part != self.path and inode is not None}
        # The one that is written has a number of its own, which may have been another's until just now.
        self._count_lost(set(rotated))
        written = inode_of(self.path)
        self._unread |= set(_from(here, rotated, written)) - {here}
        taken, held = 0, {inode_of(link) for link in self._links()}
        for inode in _from(needed, rotated, written):
            if inode in held:
                continue
            size = self._link(rotated[inode], inode, room - taken)
            if size is None:
                break
            taken += size
        return taken

    def release(self, reached: Place) -> None:
        """Give up the held parts before that place."""
        order = [inode_of(file) for file in self.in_order()]
        if reached.inode not in order:
            return
        read = set(order[: order.index(reached.inode)])
        for link in self._links():
            if inode_of(link) in read:
                link.unlink(missing_ok=True)

    def held_bytes(self) -> int:
        return sum(link.stat().st_size for link in self._links())

    def _link(self, part: Path, inode: int, room: int) -> int | None:
        """The bytes that it holds; None where it cannot be held now."""
        assert self._held is not None
        try:
            size = part.stat().st_size
            if size > room:
                return None
            self._held.mkdir(exist_ok=True)
            links = self._links()
            link = self._held / f"{int(links[-1].name) + 1 if links else 0:06d}"
            os.link(part, link)
            if inode_of(link) != inode:
                # Rotated since the look: another file has the name. Links have to be in the files' order.
                link.unlink()
                return None
        except OSError:  # gone meanwhile, or on another file system
            return None
        return size

    def _count_lost(self, there: set[int]) -> None:
        """Parts that were seen, not read, and are gone."""
        gone = self._unread - there
        self.lost += len(gone)
        self._unread -= gone

    def _links(self) -> list[Path]:
        return sorted(self._held.glob("*")) if self._held and self._held.exists() else []


def _from(inode: int | None, rotated: Mapping[int, Path], written: int | None) -> list[int]:
    """That part and the younger ones; all where it is not there, none where it is being written."""
    if inode is not None and inode == written:
        return []
    order = list(rotated)
    return order if inode is None or inode not in rotated else order[order.index(inode) :]
