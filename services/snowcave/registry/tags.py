"""Tags in the state store: `image/<repository>/<image>/<tag>`, which SQL lists and Resolve's callers read.

The backend is the truth. A push writes its tag there first and here before it is acknowledged; what a
crash left between the two is set right by `reconcile`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.registry.backend.api import Backend, Tag
from snowcave.registry.manifest import Manifest
from snowcave.registry.repositories import Image, Repositories
from snowcave.store.api import Compare, Delete, KeyValue, Put, Store, Write
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


class Tags:
    """The one writer of `image/`."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        repositories: Repositories,
        clock: Clock,
        deadline: float,
    ) -> None:
        self._store = store
        self._backend = backend
        self._repositories = repositories
        self._clock = clock
        self._deadline = deadline
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    async def push(self, image: Image, tag: str, manifest: Manifest) -> None:
        """Durable in the backend and known to the store when this returns."""
        # Two pushes of one tag: the store gets the one that the backend got last.
        async with self._turn(f"{image.repository.uid}/{image.name}:{tag}"):
            await self._backend.put_manifest(image, tag, manifest)
            if tag:
                uid = image.repository.uid
                value = _value(uid, image.name, tag, manifest, self._clock.now())
                async with asyncio.timeout(self._deadline):
                    await self._store.put(keys.IMAGES.key(uid, image.name, tag), value)

    async def reconcile(self) -> int:
        """How many keys were wrong."""
        # The store first: a tag that is pushed meanwhile is then newer than what is compared with.
        listing = await self._store.list(keys.IMAGES.prefix)
        known = {item.key: item for item in listing.items}
        there = await self._backend.tagged()
        wrong = [*self._gone(known, there), *self._missing(known, there or ())]
        for key, found, write in wrong:
            revision = found.mod_revision if found else 0
            async with asyncio.timeout(self._deadline):
                await self._store.txn([Compare(key, mod_revision=revision)], [write])
        if wrong:
            log.info("tags_reconciled", wrong=len(wrong))
        return len(wrong)

    def _gone(
        self, known: dict[str, KeyValue], there: Sequence[Tag] | None
    ) -> list[tuple[str, KeyValue | None, Write]]:
        present = None if there is None else {_key(tag) for tag in there}
        found: list[tuple[str, KeyValue | None, Write]] = []
        for key, item in known.items():
            alive = self._repositories.exists(int(keys.IMAGES.split(key)[0]))
            if not alive or (present is not None and key not in present):
                found.append((key, item, Delete(key)))
        return found

    def _missing(
        self, known: dict[str, KeyValue], there: Sequence[Tag]
    ) -> list[tuple[str, KeyValue | None, Write]]:
        found: list[tuple[str, KeyValue | None, Write]] = []
        for tag in there:
            key = _key(tag)
            item = known.get(key)
            stored = state.Image.FromString(item.value).digest if item else ""
            if stored != tag.manifest.digest and self._repositories.exists(tag.repository):
                value = _value(tag.repository, tag.image, tag.tag, tag.manifest, tag.created_on)
                found.append((key, item, Put(key, value)))
        return found

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncGenerator[None]:
        lock, waiting = self._turns.get(name, (asyncio.Lock(), 0))
        self._turns[name] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._turns.pop(name)
            if waiting > 1:
                self._turns[name] = (lock, waiting - 1)


def _key(tag: Tag) -> str:
    return keys.IMAGES.key(tag.repository, tag.image, tag.tag)


def _value(repository: int, image: str, tag: str, manifest: Manifest, made: datetime) -> bytes:
    value = state.Image(
        repository=repository,
        image_name=image,
        tag=tag,
        digest=manifest.digest,
        media_type=manifest.media_type,
        size_bytes=manifest.size,
    )
    value.created_on.FromDatetime(made)
    return value.SerializeToString()
