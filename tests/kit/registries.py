"""A registry in this process: a catalog to play with, clients' credentials, images made of nothing."""

import base64
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher

from snowcave.kit.clock import Clock, LoopClock
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.registry.main import assemble
from snowcave.registry.settings import RegistrySettings
from snowcave.runtime import tls
from snowcave.runtime.daemon import Health, Parts
from snowcave.store.api import Store
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

DATABASE, SCHEMA, REPOSITORY, OTHER = 1, 2, 3, 4
OWNERS, WRITERS, READERS, STRANGERS = 11, 12, 13, 14
OWNER, WRITER, READER, STRANGER = 21, 22, 23, 24
PASSWORD = "open sesame"
# Cheap on purpose: the tests are not about argon2.
_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


async def put_object(api: Store, domain: str, one: state.Object) -> None:
    await api.put(keys.CATALOG.key(domain, one.uid), one.SerializeToString())


async def preload(api: Store) -> None:
    """tutorial_db/data_schema/tutorial_repository and …/other_repository, four users and their roles."""
    named = [
        ("database", state.Object(uid=DATABASE, name="TUTORIAL_DB", owner_role=OWNERS)),
        ("schema", state.Object(uid=SCHEMA, name="DATA_SCHEMA", parent=1, owner_role=OWNERS)),
        ("image_repository", repository(REPOSITORY, "TUTORIAL_REPOSITORY")),
        ("image_repository", repository(OTHER, "OTHER_REPOSITORY")),
    ]
    for role, name in ((11, "OWNERS"), (12, "WRITERS"), (13, "READERS"), (14, "STRANGERS")):
        named.append(("role", state.Object(uid=role, name=name)))
        user = state.User(
            login_name=name[:-1], default_role=name, password_hash=_HASHER.hash(PASSWORD)
        )
        named.append(("user", state.Object(uid=role + 10, name=name[:-1], user=user)))
        await grant(api, "user", role + 10, "role", role, "USAGE")
    for domain, one in named:
        await put_object(api, domain, one)
    await grant(api, "role", WRITERS, "image_repository", REPOSITORY, "WRITE")
    await grant(api, "role", READERS, "image_repository", REPOSITORY, "READ")


def repository(uid: int, name: str) -> state.Object:
    body = state.ImageRepository()
    return state.Object(
        uid=uid, name=name, parent=SCHEMA, owner_role=OWNERS, image_repository=body
    )


async def grant(
    api: Store, kind: str, grantee: int, domain: str, securable: int, privilege: str
) -> None:
    one = state.Grant(
        grantee_kind=kind,
        grantee=grantee,
        domain=domain,
        securable=securable,
        privilege=privilege,
    )
    key = keys.GRANTS.key(kind, grantee, domain, securable, privilege)
    await api.put(key, one.SerializeToString())


def basic(user: str, password: str = PASSWORD) -> dict[str, str]:
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


@dataclass
class Registry:
    """One that runs in this process."""

    host: str
    port: int
    settings: RegistrySettings
    api: MemoryStore
    store: MemoryStore
    health: Health

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def tag(self, image: str, tag: str, repository: int = REPOSITORY) -> state.Image | None:
        found = self.store.backend.get(keys.IMAGES.key(repository, image, tag))
        return state.Image.FromString(found.value) if found else None


@asynccontextmanager
async def running_registry(
    settings: RegistrySettings,
    backend: MemoryBackend | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[Registry]:
    """With a state store in memory; `backend` carries one over to the next."""
    fresh = backend is None
    backend = backend or MemoryBackend()
    api, store = MemoryStore(Role.API, backend), MemoryStore(Role.REGISTRY, backend)
    if fresh:
        await preload(api)
    tls.ensure(settings.mesh.folder("tls"))
    health = Health()
    async with AsyncExitStack() as stack:
        parts = Parts(stack, health)
        listening = await assemble(settings, parts, store, clock or LoopClock())
        host, port = listening[0]
        yield Registry(host, port, settings, api, store, health)


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


@dataclass(frozen=True)
class Picture:
    """An image's bytes: configuration, layers and manifest."""

    config: bytes
    layers: tuple[bytes, ...]
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def picture(*sizes: int, architecture: str = "amd64", **more: object) -> Picture:
    """Fresh incompressible layers of the given sizes, gzip'd without compressing."""
    layers = tuple(gzip.compress(os.urandom(size), 0) for size in sizes)
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [digest_of(gzip.decompress(one)) for one in layers],
            },
        }
    ).encode()
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(one, kind) for one in layers],
        **more,
    }
    return Picture(config, layers, json.dumps(manifest).encode())


def write_layout(folder: Path, made: Picture) -> None:
    """As an OCI layout with the tag `latest`."""
    shutil.rmtree(folder, ignore_errors=True)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for one in (made.config, made.manifest, *made.layers):
        (blobs / digest_of(one).removeprefix("sha256:")).write_bytes(one)
    entry = descriptor(made.manifest, MANIFEST)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    index = {"schemaVersion": 2, "manifests": [entry]}
    (folder / "index.json").write_text(json.dumps(index))
