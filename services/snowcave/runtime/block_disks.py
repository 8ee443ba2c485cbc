"""Block volumes of this machine: an image file each, an ext4 in it, in use through a loop device.

`<folder>/<service>/<instance id>/<volume>.img`, and `<folder>/snapshots/<uid>.img`. The size is the file
system's, so a volume that is full refuses more; the file itself is sparse. Nobody here knows who may use
what: agents attach, and the hypervisor copies and removes. Everything here blocks.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog

from snowcave.model.errors import Conflict, ObjectNotFound, SnowcaveError
from snowcave.runtime.commands import run_now
from snowcave.runtime.mounts import mounts
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_SNAPSHOTS = "snapshots"
_OPTIONS = "loop,nosuid,nodev,noatime,discard"
_LOOKS, _LOOK = 60, 0.05


@dataclass(frozen=True)
class BlockDisks:
    folder: Path
    # Seconds for one program that makes, copies or checks an image.
    patience: float = 900.0

    def image(self, service: int, instance_id: int, volume: str) -> Path:
        return self.folder / str(service) / str(instance_id) / f"{volume}.img"

    def snapshot(self, uid: int) -> Path:
        return self.folder / _SNAPSHOTS / f"{uid}.img"

    def services(self) -> set[int]:
        """Whose volumes lie here."""
        return {int(path.name) for path in self.folder.glob("*") if path.name.isdigit()}

    def images(self) -> list[Path]:
        """All volumes that lie here."""
        return sorted(self.folder.glob("[0-9]*/*/*.img"))

    def snapshots(self) -> set[int]:
        return {int(path.stem) for path in (self.folder / _SNAPSHOTS).glob("*.img")}

    # ------------------------------------------------------------ making

    def ensure(
        self, image: Path, volume: state.VolumeSpec, restore: state.VolumeRestore | None
    ) -> None:
        """The image is there, with the content that was last asked for. It must not be attached.

        Raises ObjectNotFound where a snapshot that it is made from is gone.
        """
        if image.exists() and (restore is None or _restored(image) >= restore.number):
            return
        snapshot = restore.snapshot if restore else volume.block.snapshot
        with _whole(image) as made:
            if snapshot:
                self._from_snapshot(made, snapshot, volume.size_bytes)
            else:
                self._format(made, volume)
        if restore is not None:
            _remember(image, restore.number)
        log.info("block_volume_made", image=str(image), snapshot=snapshot)

    def _format(self, image: Path, volume: state.VolumeSpec) -> None:
        self._sized(image, volume.size_bytes, truncate=True)
        owner = f"root_owner={volume.uid}:{volume.gid}"
        options = f"lazy_itable_init=1,lazy_journal_init=1,{owner}"
        # No part kept back for root: the size is all the user's.
        self._run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", options, str(image))

    def _from_snapshot(self, image: Path, uid: int, size: int) -> None:
        source = self.snapshot(uid)
        if not source.exists():
            raise ObjectNotFound("Snapshot", str(uid))
        self._copy(source, image)
        if image.stat().st_size < size:
            self._sized(image, size, truncate=False)
            self._run("e2fsck", "-f", "-p", str(image))
            self._run("resize2fs", str(image))

    def _sized(self, image: Path, size: int, *, truncate: bool) -> None:
        with image.open("wb" if truncate else "r+b") as file:
            file.truncate(size)

    def _copy(self, source: Path, target: Path) -> None:
        self._run("cp", "--sparse=always", "--reflink=auto", str(source), str(target))

    # ------------------------------------------------------------ using

    def attach(self, image: Path, target: Path, volume: state.VolumeSpec) -> None:
        """Harmless where it is attached there already. Raises Conflict where it is in use or being copied."""
        if target in self.places(image):
            return
        with _locked(image):
            if self.loops(image):
                raise Conflict(f"The block volume '{volume.name}' is in use.")
            target.mkdir(parents=True, exist_ok=True)
            self._run("mount", "-t", "ext4", "-o", _OPTIONS, str(image), str(target))
        if volume.uid or volume.gid:
            self._run("chown", f"{volume.uid}:{volume.gid}", str(target))

    def detach(self, image: Path) -> None:
        """Off every place where it is mounted. Raises Conflict while somebody still uses it."""
        for place in self.places(image):
            self._run("umount", "-l", str(place))
        # The kernel takes the device apart after the last unmount, not with it.
        for _ in range(_LOOKS):
            if not self.loops(image):
                return
            time.sleep(_LOOK)
        raise Conflict(f"The block volume '{image.stem}' is still in use.")

    def loops(self, image: Path) -> list[str]:
        """The loop devices that hold the image: none once nobody, in whatever namespace, has it mounted."""
        if not image.exists():
            return []
        return (self._run("losetup", "-n", "-O", "NAME", "-j", str(image))).split()

    def places(self, image: Path) -> list[Path]:
        """Where it is mounted on the machine."""
        devices = set(self.loops(image))
        return [place for device, place in mounts() if device in devices]

    # ------------------------------------------------------------ copying and removing

    def take_snapshot(self, image: Path, uid: int) -> None:
        """As it is at one moment: whoever writes to it, or wants to attach it, waits meanwhile.

        Raises Conflict while it is being attached or copied already.
        """
        with _locked(image), self._still(image), _whole(self.snapshot(uid)) as made:
            self._copy(image, made)

    @contextmanager
    def _still(self, image: Path) -> Generator[None]:
        """Held open: what is taken off its place meanwhile stays mounted for as long, and can be thawed."""
        held = self._hold(image)
        if held is None:
            yield
            return
        place = f"/proc/{os.getpid()}/fd/{held}"
        try:
            self._run("fsfreeze", "--freeze", place)
            yield
        finally:
            # A volume that stays frozen stops its service for good.
            self._thaw(place)
            os.close(held)

    def _hold(self, image: Path) -> int | None:
        """The top folder of its file system, opened; None where it is mounted nowhere."""
        for loop in self.loops(image):
            for place in self.places(image):
                held = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
                # Where it has just been unmounted, the folder is the machine's own: never freeze that.
                if os.fstat(held).st_dev == os.stat(loop).st_rdev:
                    return held
                os.close(held)
        return None

    def _thaw(self, place: str) -> None:
        try:
            self._run("fsfreeze", "--unfreeze", place)
        except SnowcaveError as error:
            log.debug("volume_not_thawed", place=place, error=error.message)

    def thaw_all(self) -> None:
        """What one of us froze who died before it could thaw it, also where it was unmounted since."""
        for image in self.images():
            places = self.places(image)
            if places:
                self._thaw(str(places[0]))
                continue
            for loop in self.loops(image):
                self._thaw_unmounted(loop)

    def _thaw_unmounted(self, loop: str) -> None:
        """The kernel keeps a frozen file system, and its device, until somebody mounts and thaws it."""
        with tempfile.TemporaryDirectory(prefix="snowcave-thaw-") as place:
            try:
                self._run("mount", "-t", "ext4", "-o", "nosuid,nodev", loop, place)
            except SnowcaveError as error:
                # Nobody had frozen it: it has gone by itself.
                log.debug("volume_not_mounted", device=loop, error=error.message)
                return
            try:
                self._thaw(place)
            finally:
                self._run("umount", place)

    def remove_service(self, service: int) -> None:
        """Raises Conflict while any of its volumes is in use."""
        folder = self.folder / str(service)
        for image in folder.glob("*/*.img"):
            self.detach(image)
        shutil.rmtree(folder, ignore_errors=True)

    def remove_snapshot(self, uid: int) -> None:
        self.snapshot(uid).unlink(missing_ok=True)

    def _run(self, *argv: str) -> str:
        return run_now(*argv, timeout=self.patience)


@contextmanager
def _whole(target: Path) -> Generator[Path]:
    """Where the target is made: it takes its place when it is whole and on the disk, or leaves nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_suffix(".new")
    # Never written over: a program whose daemon was killed may still write to the one before.
    made.unlink(missing_ok=True)
    try:
        yield made
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def _locked(image: Path) -> Generator[None]:
    """Between those who attach an image and those who copy it; the kernel opens it for whoever is killed."""
    with image.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"The block volume '{image.stem}' is being copied.") from None
        yield


def _restored(image: Path) -> int:
    """The number of the last restore that the image has seen."""
    try:
        kept = cast("dict[str, Any]", json.loads(image.with_suffix(".json").read_text()))
        return int(kept["restored"])
    except (OSError, ValueError, KeyError):
        return 0


def _remember(image: Path, number: int) -> None:
    image.with_suffix(".json").write_text(json.dumps({"restored": number}))
