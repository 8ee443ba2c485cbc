"""The real daemon beside the real state store: killed in the middle, nothing acknowledged is lost."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.client import open_store
from snowcave.v1 import state_pb2 as state
from tests.kit.daemons import a_mesh, running
from tests.kit.registries import MANIFEST, basic, digest_of, picture, preload

HERE = "/v2/tutorial_db/data_schema/tutorial_repository/echo"
WRITER = basic("writer")


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncGenerator[Mesh]:
    """With a state store that runs and holds a catalog."""
    made = a_mesh(tmp_path)
    tls.ensure(made.folder("tls"))
    async with running(made, "statestore"):
        credentials = tls.channel_credentials(made.folder("tls"), Role.API)
        name = tls.server_name(Role.STATESTORE)
        async with open_store(
            made.store_address, Role.API, credentials=credentials, target_name=name
        ) as store:
            await preload(store)
        yield made


async def test_a_sigkill_loses_no_pushed_image_and_no_upload(mesh: Mesh):
    url = f"http://127.0.0.1:{mesh.port('registry')}"
    made, rest = picture(500_000), os.urandom(3 << 20)
    async with running(mesh, "registry") as daemon, ClientSession(url) as http:
        for one in (made.config, *made.layers):
            where = f"{HERE}/blobs/uploads/?digest={digest_of(one)}"
            async with http.post(where, data=one, headers=WRITER) as response:
                assert response.status == 201
        headers = {**WRITER, "Content-Type": MANIFEST}
        where = f"{HERE}/manifests/v1"
        async with http.put(where, data=made.manifest, headers=headers) as response:
            assert response.status == 201
        async with http.post(f"{HERE}/blobs/uploads/", headers=WRITER) as response:
            location = response.headers["Location"]
        async with http.patch(location, data=rest[: 1 << 20], headers=WRITER) as response:
            assert response.status == 202
        daemon.kill()
    async with running(mesh, "registry"), ClientSession(url) as http:
        async with http.get(f"{HERE}/manifests/v1", headers=WRITER) as response:
            assert await response.read() == made.manifest
        for one in (made.config, *made.layers):
            async with http.get(f"{HERE}/blobs/{digest_of(one)}", headers=WRITER) as response:
                assert await response.read() == one
        async with http.get(location, headers=WRITER) as response:
            assert response.headers["Range"] == f"0-{(1 << 20) - 1}"

        async def body() -> AsyncGenerator[bytes]:
            yield rest[1 << 20 :]

        end = f"{location}?digest={digest_of(rest)}"
        async with http.put(end, data=body(), headers=WRITER) as response:
            assert response.status == 201
    credentials = tls.channel_credentials(mesh.folder("tls"), Role.ADMIN)
    name = tls.server_name(Role.STATESTORE)
    async with open_store(
        mesh.store_address, Role.ADMIN, credentials=credentials, target_name=name
    ) as store:
        kept = await store.get(keys.IMAGES.key(3, "echo", "v1"))
        assert kept is not None
        assert state.Image.FromString(kept.value).digest == made.digest
