"""The secrets that containers find: files on a file system in memory, kept as the secrets are, and variables.

`<folder>/<instance>/<container>/<place in the specification>/<key>`. Files follow a secret that is altered;
a variable is what the secret said when the container was made. The values are in no log and no other file.
"""

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model.errors import SnowcaveError, ValueInvalid
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SecretValues:
    """What a secret says, by key: username, password, secret_string, access_token."""

    uid: int
    version: int
    values: Mapping[str, str] = field(repr=False)


# Asks api for a secret, by the name that the specification gives it, for an instance.
Read = Callable[[str, str], Awaitable[SecretValues]]


@dataclass(frozen=True)
class SecretSettings:
    """Durations in seconds."""

    # Between two looks for secrets that were altered.
    refresh: float = 10.0
    # A file system in memory. Empty: beside the sessions, /dev/shm/snowcave-<mesh>/<node>.secrets.
    folder: str = ""


@dataclass
class SecretFiles:
    """Made by `open_secret_files`."""

    folder: Path
    read: Read
    assigned: Callable[[], Iterable[state.Assignment]]
    settings: SecretSettings
    clock: Clock
    # What each folder's files say: uid and version.
    _written: dict[Path, tuple[int, int]] = field(default_factory=dict[Path, tuple[int, int]])

    async def prepare(
        self, want: state.Assignment, container: state.ContainerSpec
    ) -> dict[str, str]:
        """Its files are there when this returns; gives its variables. Raises SnowcaveError: try again."""
        variables: dict[str, str] = {}
        for index, secret in enumerate(container.secrets):
            found = await self.read(want.instance, secret.object_name)
            if secret.directory_path:
                self._write(self._place(want.instance, container.name, index), found)
                continue
            if secret.secret_key_ref not in found.values:
                raise ValueInvalid(
                    f"Secret '{secret.object_name}' has no '{secret.secret_key_ref}'."
                )
            variables[secret.env_var_name] = found.values[secret.secret_key_ref]
        return variables

    def drop(self, instance: str) -> None:
        top = self.folder / instance
        shutil.rmtree(top, ignore_errors=True)
        self._written = {at: what for at, what in self._written.items() if top not in at.parents}

    async def keep_fresh(self) -> None:
        """Endless; for all instances that have files, also from before this agent was started."""
        while True:
            for want in list(self.assigned()):
                if (self.folder / want.instance).is_dir():
                    await self._refresh(want)
            await self.clock.sleep(self.settings.refresh)

    async def _refresh(self, want: state.Assignment) -> None:
        for container in want.spec.containers:
            for index, secret in enumerate(container.secrets):
                place = self._place(want.instance, container.name, index)
                if not secret.directory_path or not place.is_dir():
                    continue
                try:
                    found = await self.read(want.instance, secret.object_name)
                    if place.is_dir():  # else its instance has gone while api answered
                        self._write(place, found)
                except SnowcaveError as error:
                    # The container keeps what it has: the secret may be back before it needs it.
                    log.warning(
                        "secret_not_read",
                        instance=want.instance,
                        secret=secret.object_name,
                        error=error.message,
                    )

    def _write(self, place: Path, found: SecretValues) -> None:
        if self._written.get(place) == (found.uid, found.version):
            return
        place.mkdir(parents=True, exist_ok=True, mode=0o755)
        for key, value in found.values.items():
            temporary = place / f".{key}"
            temporary.write_text(value)
            temporary.chmod(0o444)
            # At once: a reader finds the old value or the new one.
            os.replace(temporary, place / key)
        for path in place.iterdir():
            if path.name not in found.values:
                path.unlink()
        self._written[place] = (found.uid, found.version)
        log.info("secret_written", place=str(place), version=found.version)

    def _place(self, instance: str, container: str, index: int) -> Path:
        return self.folder / instance / container / str(index)


@asynccontextmanager
async def open_secret_files(
    folder: Path,
    read: Read,
    assigned: Callable[[], Iterable[state.Assignment]],
    settings: SecretSettings,
    clock: Clock,
) -> AsyncGenerator[SecretFiles]:
    """What belongs to instances that are assigned no more goes. Left: files stay, as containers do."""
    _tidy(folder, {want.instance for want in assigned()})
    files = SecretFiles(folder, read, assigned, settings, clock)
    async with background(files.keep_fresh()):
        yield files


def _tidy(folder: Path, assigned: Collection[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.name not in assigned:
            shutil.rmtree(path, ignore_errors=True)
