"""What the containers of an instance find to log in with: /snowflake/session/token, and whom to trust.

A folder an instance on a file system in memory, bound into its containers; the agent asks api for each
token and for its successor long before it ends. While api is away the old token stays.
"""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from snowcave.agent.instances.recipe import BUNDLE
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model.errors import SnowcaveError

log = structlog.get_logger()

TOKEN = "token"

# Where distributions keep the certificates that the machine trusts.
_ROOTS = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
)

# Asks api for a token of an instance.
Issue = Callable[[str], Awaitable[str]]


@dataclass(frozen=True)
class SessionSettings:
    """Durations in seconds."""

    # A token is replaced when it is this old; it is valid for an hour.
    refresh: float = 300.0
    # Between two looks at the age of the tokens.
    look: float = 15.0
    # Where the tokens are kept: a file system in memory. Empty: /dev/shm/snowcave-<mesh>/<node>.
    folder: str = ""


@dataclass
class SessionFiles:
    """Made by `open_session_files`."""

    folder: Path
    issue: Issue
    settings: SessionSettings
    clock: Clock
    # When each instance got its token.
    _issued: dict[str, float] = field(default_factory=dict[str, float])
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])

    async def prepare(self, instance: str) -> None:
        """Before a container of the instance is made: its folder is there, and its token if api answers."""
        (self.folder / instance).mkdir(parents=True, exist_ok=True, mode=0o755)
        async with self._turn(instance):
            if instance not in self._issued:
                await self._renew(instance)

    def drop(self, instance: str) -> None:
        self._issued.pop(instance, None)
        self._turns.pop(instance, None)
        shutil.rmtree(self.folder / instance, ignore_errors=True)

    async def keep_fresh(self) -> None:
        """Endless; for whatever has a folder, also from before this agent was started."""
        while True:
            for path in list(self.folder.glob("*")):
                async with self._turn(path.name):
                    if self._is_due(path.name):
                        await self._renew(path.name)
            await self.clock.sleep(self.settings.look)

    def _is_due(self, instance: str) -> bool:
        issued = self._issued.get(instance)
        return issued is None or self.clock.monotonic() - issued >= self.settings.refresh

    async def _renew(self, instance: str) -> None:
        folder = self.folder / instance
        try:
            token = await self.issue(instance)
        except SnowcaveError as error:
            log.warning("service_token_not_issued", instance=instance, error=error.message)
            return
        if folder.is_dir():
            _replace(folder / TOKEN, token)
            self._issued[instance] = self.clock.monotonic()

    def _turn(self, instance: str) -> asyncio.Lock:
        return self._turns.setdefault(instance, asyncio.Lock())


def _replace(path: Path, text: str) -> None:
    """At once: a reader finds the old token or the new one. Containers need not run as root to read it."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text)
    temporary.chmod(0o644)
    os.replace(temporary, path)


def write_bundle(folder: Path, authority: Path) -> Path:
    """Our authority's certificate and those that the machine trusts, in one file; gives its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [authority.read_text()]
    roots = Path(ssl.get_default_verify_paths().openssl_cafile)
    found = next((path for path in (*_ROOTS, roots) if path.is_file()), None)
    if found is not None:
        parts.append(found.read_text(errors="ignore"))
    _replace(folder / BUNDLE, "\n".join(parts))
    return folder


def _tidy(folder: Path, assigned: Collection[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in folder.iterdir():
        if path.name not in assigned:
            shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def open_session_files(
    folder: Path, assigned: Collection[str], issue: Issue, settings: SessionSettings, clock: Clock
) -> AsyncGenerator[SessionFiles]:
    """What belongs to instances that are assigned no more goes. Left: files stay, as containers do."""
    _tidy(folder, assigned)
    files = SessionFiles(folder, issue, settings, clock)
    async with background(files.keep_fresh()):
        yield files
