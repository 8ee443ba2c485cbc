"""The collector of the disk backend: mark what is referred to, sweep the rest once it is old.

Kept: every manifest of a repository that the catalog has, every pinned manifest, and all that those
refer to. Nothing younger than the grace is touched, since its manifest may be on the way.
"""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.registry import manifest as manifests
from snowcave.registry.backend import files
from snowcave.registry.backend.api import Collected, Pin
from snowcave.registry.backend.layout import Layout, hex_of, image_name
from snowcave.registry.settings import Garbage


@dataclass(slots=True)
class _Sweep:
    """One collection: what is to go, and what went."""

    oldest_kept: float
    dry_run: bool
    blobs: int = 0
    bytes: int = 0
    referred: set[str] = field(default_factory=set[str])


class Collector:
    """`lock` is the backend's: held around every look-then-remove, never for long."""

    def __init__(self, layout: Layout, lock: threading.Lock, settings: Garbage) -> None:
        self._layout = layout
        self._lock = lock
        self._settings = settings

    def collect(
        self, repositories: frozenset[int], pins: frozenset[Pin], now: float, dry_run: bool
    ) -> tuple[Collected, list[str]]:
        """What was removed, and which uploads. Blocks."""
        sweep = _Sweep(now - self._settings.grace, dry_run)
        for uid, name, folder in self._images():
            pinned = {p.digest for p in pins if (p.repository, p.image) == (uid, name)}
            self._sweep_image(sweep, folder, None if uid in repositories else pinned)
        self._sweep_blobs(sweep)
        uploads = self._sweep_uploads(now - self._settings.upload, dry_run)
        return Collected(sweep.blobs, sweep.bytes), uploads

    def _images(self) -> Iterator[tuple[int, str, Path]]:
        for uid in files.names(self._layout.images):
            for folder in files.names(self._layout.images / uid):
                yield int(uid), image_name(folder), self._layout.images / uid / folder

    def _sweep_image(self, sweep: _Sweep, folder: Path, roots: set[str] | None) -> None:
        """`roots` None: the repository exists and keeps all its manifests."""
        there = {f"sha256:{name}" for name in files.names(folder / "manifests")}
        kept = there if roots is None else self._closure(folder, roots & there, there)
        layers = {blob for digest in kept for blob in self._parsed(folder, digest)[0]}
        for digest in there - kept:
            self._unlink(sweep, folder / "manifests" / hex_of(digest))
        for name in files.names(folder / "layers"):
            if f"sha256:{name}" not in layers:
                self._unlink(sweep, folder / "layers" / name)
        if roots is not None:
            self._forget_names(sweep, folder, kept)
        for kind in ("manifests", "layers"):
            sweep.referred.update(files.names(folder / kind))
        if sweep.dry_run:
            sweep.referred -= self._dying(sweep, folder, kept, layers)

    def _dying(self, sweep: _Sweep, folder: Path, kept: set[str], layers: set[str]) -> set[str]:
        """Names that a real run would have removed from this image."""
        gone: set[str] = set()
        for kind, keep in (("manifests", kept), ("layers", layers)):
            for name in files.names(folder / kind):
                old = _age(folder / kind / name) <= sweep.oldest_kept
                if f"sha256:{name}" not in keep and old:
                    gone.add(name)
        return gone

    def _closure(self, folder: Path, roots: set[str], there: set[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            digest = waiting.pop()
            if digest in there and digest not in found:
                found.add(digest)
                waiting.extend(self._parsed(folder, digest)[1])
        return found

    def _parsed(self, folder: Path, digest: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Blobs and manifests that one of the image's manifests refers to."""
        try:
            media_type = (folder / "manifests" / hex_of(digest)).read_text()
            parsed = manifests.parse(self._layout.blob(digest).read_bytes(), media_type)
        except FileNotFoundError:
            return (), ()
        return parsed.blobs, parsed.manifests

    def _forget_names(self, sweep: _Sweep, folder: Path, kept: set[str]) -> None:
        """A repository that is gone has no tags and no referrers."""
        for tag in files.names(folder / "tags"):
            self._unlink(sweep, folder / "tags" / tag)
        if sweep.dry_run:
            return
        if not kept and not files.names(folder / "layers"):
            with self._lock:
                if not files.names(folder / "layers") and not files.names(folder / "manifests"):
                    shutil.rmtree(folder, ignore_errors=True)
        if not files.names(folder.parent):
            with self._lock:
                # Fails where a push has just put something there, which is right.
                _remove_empty(folder.parent)

    def _sweep_blobs(self, sweep: _Sweep) -> None:
        for part in files.names(self._layout.blobs):
            for name in files.names(self._layout.blobs / part):
                if name not in sweep.referred:
                    path = self._layout.blobs / part / name
                    size = _size(path)
                    if self._unlink(sweep, path):
                        sweep.blobs += 1
                        sweep.bytes += size

    def _sweep_uploads(self, oldest_kept: float, dry_run: bool) -> list[str]:
        gone: list[str] = []
        for name in files.names(self._layout.uploads):
            folder = self._layout.uploads / name
            if _age(folder / "data") <= oldest_kept and not dry_run:
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(name)
        return gone

    def _unlink(self, sweep: _Sweep, path: Path) -> bool:
        """Whether it was old enough to go."""
        with self._lock:
            # Looked at again under the lock: a push may have relied on it since it was marked.
            if _age(path) > sweep.oldest_kept:
                return False
            if not sweep.dry_run:
                path.unlink(missing_ok=True)
            return True


def _age(path: Path) -> float:
    """When it was last relied on; the distant past where it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return
