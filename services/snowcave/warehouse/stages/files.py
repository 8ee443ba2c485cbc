"""Stage files on disk: `<folder>/<stage>/DATA/STAGE/<path>`, with what is known of each beside it.

A file is written under a name of its own, synced, and only then gets its place, so a reader or a crash sees
the old content or the new one. Digests lie in `<stage>/about/<path>`; they carry the size and the time of the
file that they tell about, and are made anew where those do not fit. Everything here blocks.
"""

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from snowcave.model import stage_path
from snowcave.model.errors import Exhausted, ObjectNotFound, Unavailable, ValueInvalid

_INCOMING = ".incoming"
# The engine knows a stage as database, schema and name, and takes them for folders.
# Upper case: it folds what it reads.
_DATA = ("DATA", "STAGE")
_PIECE = 1 << 20
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class FileInfo:
    path: str
    size: int
    md5: str
    client_digest: str
    # Nanoseconds since 1970.
    modified: int


class StageFiles:
    """Owns the folder. One process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        # What was being written when the last process ended is of no use to anyone.
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)

    def data(self, stage: int) -> Path:
        """Where the stage's files lie; the folder may be missing."""
        return self._folder.joinpath(str(stage), *_DATA)

    def begin(self, limit: int) -> "Upload":
        return Upload(self._incoming / secrets.token_hex(16), limit)

    def finish(
        self, upload: "Upload", stage: int, path: str, *, overwrite: bool, client_digest: str
    ) -> FileInfo | None:
        """The new file; None where there was one that had to be kept. Raises ValueInvalid, Unavailable."""
        path = stage_path.checked(path)
        place = self.data(stage) / path
        written = upload.sealed(path, client_digest)
        try:
            _settle(upload.place, place, overwrite=overwrite)
            _sync(place.parent)
        except FileExistsError:
            if place.is_file():
                return None
            raise _taken(path) from None
        except (NotADirectoryError, IsADirectoryError):
            raise _taken(path) from None
        except OSError as error:
            raise Unavailable(f"The file '{path}' cannot be stored: {error.strerror}.") from error
        self._remember(stage, written)
        return written

    def open(self, stage: int, path: str) -> tuple[FileInfo, BinaryIO]:
        """Whoever reads it goes on reading the same content. Raises ObjectNotFound."""
        path = stage_path.checked(path)
        try:
            file = (self.data(stage) / path).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectNotFound("File", path) from None
        try:
            return self._describe(stage, path, os.fstat(file.fileno())), file
        except BaseException:
            file.close()
            raise

    def describe(self, stage: int, path: str) -> FileInfo:
        """Raises ObjectNotFound."""
        info, file = self.open(stage, path)
        file.close()
        return info

    def paths(self, stage: int, prefix: str) -> Iterator[str]:
        """Those that begin so, in no particular order."""
        root = self.data(stage)
        top = root / prefix.rpartition("/")[0]
        for folder, _, names in os.walk(top):
            where = os.path.relpath(folder, root)
            for name in names:
                path = name if where == "." else f"{where}/{name}"
                if path.startswith(prefix):
                    yield path

    def remove(self, stage: int, path: str) -> bool:
        """Whether it was there. Folders that are empty then go as well."""
        path = stage_path.checked(path)
        place = self.data(stage) / path
        try:
            place.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        self._about(stage, path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _sync(place.parent)
            for folder in place.parents:
                if folder == self.data(stage):
                    break
                folder.rmdir()
        return True

    def clear(self, stage: int) -> None:
        """Out of sight at once; then gone."""
        gone = self._incoming / secrets.token_hex(16)
        with contextlib.suppress(FileNotFoundError):
            (self._folder / str(stage)).rename(gone)
            _sync(self._folder)
        shutil.rmtree(gone, ignore_errors=True)

    def stages(self) -> list[int]:
        return sorted(int(name) for name in os.listdir(self._folder) if name.isdigit())

    # ---------------------------------------------------------------- what is known of a file

    def _about(self, stage: int, path: str) -> Path:
        # One flat folder of hashed names: a path's folders may come and go.
        name = hashlib.sha256(path.encode()).hexdigest()
        return self._folder / str(stage) / "about" / name

    def _describe(self, stage: int, path: str, stat: os.stat_result) -> FileInfo:
        known = self._recalled(stage, path)
        if known and (known.size, known.modified) == (stat.st_size, stat.st_mtime_ns):
            return known
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        with (self.data(stage) / path).open("rb") as file:
            while piece := file.read(_PIECE):
                md5.update(piece)
                sha256.update(piece)
        digest = base64.b64encode(sha256.digest()).decode()
        made = FileInfo(path, stat.st_size, md5.hexdigest(), digest, stat.st_mtime_ns)
        self._remember(stage, made)
        return made

    def _recalled(self, stage: int, path: str) -> FileInfo | None:
        try:
            kept = cast("dict[str, Any]", json.loads(self._about(stage, path).read_bytes()))
            return FileInfo(**kept)
        except (OSError, ValueError, TypeError):
            return None

    def _remember(self, stage: int, info: FileInfo) -> None:
        about = self._about(stage, info.path)
        kept = {name: getattr(info, name) for name in FileInfo.__slots__}
        temporary = self._incoming / secrets.token_hex(16)
        # Lost or torn, it is made again; so this one is not synced.
        with contextlib.suppress(OSError):
            about.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(kept))
            temporary.rename(about)


class Upload:
    """A file that is being written. `close` it; what has not got its place by then is gone."""

    def __init__(self, place: Path, limit: int) -> None:
        self.place = place
        self._limit = limit
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file = place.open("xb")

    def write(self, content: bytes) -> None:
        """Raises Exhausted beyond the limit, Unavailable where the disk takes no more."""
        self._size += len(content)
        if self._size > self._limit:
            raise Exhausted(f"The file is larger than {self._limit} bytes.")
        self._md5.update(content)
        try:
            self._file.write(content)
        except OSError as error:
            raise Unavailable(f"The file cannot be stored: {error.strerror}.") from error

    def sealed(self, path: str, client_digest: str) -> FileInfo:
        """What was written, now durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        stat = os.fstat(self._file.fileno())
        return FileInfo(path, stat.st_size, self._md5.hexdigest(), client_digest, stat.st_mtime_ns)

    def close(self) -> None:
        self._file.close()
        self.place.unlink(missing_ok=True)


def _settle(source: Path, place: Path, *, overwrite: bool) -> None:
    for attempt in range(_ATTEMPTS):
        _make_folders(place.parent)
        try:
            if overwrite:
                source.rename(place)
            else:
                os.link(source, place)
            return
        except FileNotFoundError:
            # The folder became empty, and went, in between.
            if attempt == _ATTEMPTS - 1:
                raise


def _taken(path: str) -> ValueInvalid:
    return ValueInvalid(f"'{path}' cannot be a file: it is, or lies below, what is another thing.")


def _make_folders(path: Path) -> None:
    missing: list[Path] = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
