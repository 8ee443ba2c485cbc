"""What a restart finds again, what the collector takes and what it must leave, what gRPC answers."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.registry.settings import RegistrySettings
from snowcave.runtime import grpc as rpc
from snowcave.runtime.outcomes import translated
from snowcave.v1 import registry_pb2 as pb
from snowcave.v1 import registry_pb2_grpc as pb_grpc
from snowcave.v1 import state_pb2 as state
from tests.kit.registries import (
    MANIFEST,
    OTHER,
    REPOSITORY,
    Picture,
    Registry,
    basic,
    digest_of,
    picture,
    put_object,
    repository,
    running_registry,
)

PATH = "tutorial_db/data_schema/tutorial_repository"
WRITER, OWNER = basic("writer"), basic("owner")


@asynccontextmanager
async def stub(registry: Registry, me: Role) -> AsyncGenerator[pb_grpc.RegistryServiceStub]:
    mesh = registry.settings.mesh
    address = f"127.0.0.1:{mesh.grpc_port(Role.REGISTRY)}"
    async with rpc.connect(address, mesh.folder("tls"), me=me, to=Role.REGISTRY) as channel:
        yield pb_grpc.RegistryServiceStub(channel)


async def push(http: ClientSession, made: Picture, tag: str, path: str = f"{PATH}/echo") -> None:
    for one in (made.config, *made.layers):
        where = f"/v2/{path}/blobs/uploads/?digest={digest_of(one)}"
        async with http.post(where, data=one, headers=OWNER) as response:
            assert response.status == 201
    where = f"/v2/{path}/manifests/{tag}"
    headers = {**OWNER, "Content-Type": MANIFEST}
    async with http.put(where, data=made.manifest, headers=headers) as response:
        assert response.status == 201, await response.text()


async def collect(registry: Registry, dry_run: bool = False) -> pb.CollectGarbageReply:
    async with stub(registry, Role.ADMIN) as service:
        return await service.CollectGarbage(pb.CollectGarbageRequest(dry_run=dry_run), timeout=10)


async def status(http: ClientSession, where: str) -> int:
    async with http.get(f"/v2/{where}", headers=OWNER) as response:
        await response.read()
        return response.status


def stored(settings: RegistrySettings) -> set[str]:
    folder = settings.mesh.folder("registry") / "blobs"
    return {f"sha256:{file.name}" for file in folder.glob("*/*")}


async def forget(registry: Registry, uid: int) -> None:
    """The catalog drops a repository for good, and the registry has heard of it."""
    await registry.api.delete(keys.CATALOG.key("image_repository", uid))
    path = "tutorial_db/data_schema/" + {3: "tutorial_repository", 4: "other_repository"}[uid]
    async with asyncio.timeout(60), ClientSession(registry.url) as http:
        while await status(http, f"{path}/echo/tags/list") != 404:
            pass


async def test_an_upload_goes_on_after_a_restart(settings: RegistrySettings):
    content = os.urandom(200_000)
    where = f"/v2/{PATH}/echo/blobs/uploads/"
    async with running_registry(settings) as first, ClientSession(first.url) as http:
        async with http.post(where, headers=WRITER) as response:
            location = response.headers["Location"]
        async with http.patch(location, data=content[:150_000], headers=WRITER) as response:
            assert response.status == 202
        state_of_the_store = first.store.backend
    # The next process knows nothing but the files.
    async with (
        running_registry(settings, state_of_the_store) as second,
        ClientSession(second.url) as http,
    ):
        async with http.get(location, headers=WRITER) as response:
            assert response.headers["Range"] == "0-149999"
        end = f"{location}?digest={digest_of(content)}"
        async with http.put(end, data=content[150_000:], headers=WRITER) as response:
            assert response.status == 201
        assert await status(http, f"{PATH}/echo/blobs/{digest_of(content)}") == 200


async def test_tags_that_a_crash_kept_from_the_store_are_written_at_start(
    settings: RegistrySettings,
):
    made = picture(10)
    async with running_registry(settings) as first, ClientSession(first.url) as http:
        await push(http, made, "v1")
        backend = first.store.backend
        await first.store.delete(keys.IMAGES.key(REPOSITORY, "echo", "v1"))
        await first.store.put(keys.IMAGES.key(REPOSITORY, "echo", "never"), b"")
    async with running_registry(settings, backend) as second, asyncio.timeout(60):
        while second.tag("echo", "v1") is None or second.tag("echo", "never") is not None:
            await asyncio.sleep(0)
        kept = second.tag("echo", "v1")
        assert kept is not None
        assert kept.digest == made.digest


async def test_a_token_outlives_a_restart(settings: RegistrySettings):
    async with running_registry(settings) as first, ClientSession(first.url) as http:
        async with http.get("/login", headers=WRITER) as response:
            token = (await response.json())["token"]
        backend = first.store.backend
    async with (
        running_registry(settings, backend) as second,
        ClientSession(second.url) as http,
        http.get("/v2/", headers={"Authorization": f"Bearer {token}"}) as response,
    ):
        assert response.status == 200


async def test_what_nothing_refers_to_is_collected(
    registry: Registry, http: ClientSession, settings: RegistrySettings
):
    made = picture(1000)
    await push(http, made, "v1")
    stray = os.urandom(500)
    where = f"/v2/{PATH}/echo/blobs/uploads/?digest={digest_of(stray)}"
    async with http.post(where, data=stray, headers=WRITER) as response:
        assert response.status == 201
    assert (await collect(registry, dry_run=True)).bytes == 500
    assert digest_of(stray) in stored(settings)
    done = await collect(registry)
    assert (done.blobs, done.bytes) == (1, 500)
    assert stored(settings) == {digest_of(b) for b in (made.config, made.manifest, *made.layers)}
    assert await status(http, f"{PATH}/echo/manifests/v1") == 200


async def test_what_is_young_is_left_alone(tmp_path: Path, settings: RegistrySettings):

    patient = replace(settings, garbage=replace(settings.garbage, grace=3600.0, upload=3600.0))
    async with running_registry(patient) as registry, ClientSession(registry.url) as http:
        where = f"/v2/{PATH}/echo/blobs/uploads/?digest={digest_of(b'young')}"
        async with http.post(where, data=b"young", headers=WRITER) as response:
            assert response.status == 201
        assert (await collect(registry)).blobs == 0
        assert digest_of(b"young") in stored(patient)


async def test_the_images_of_a_dropped_repository_go_but_not_those_that_services_run(
    registry: Registry, http: ClientSession, settings: RegistrySettings
):
    run, other = picture(1000), picture(2000)
    path = "tutorial_db/data_schema/other_repository/echo"
    await push(http, run, "run", path)
    await push(http, other, "other", path)
    container = state.ContainerSpec(
        name="main",
        resolved=state.ImageRef(repository=OTHER, image_name="echo", digest=run.digest),
    )
    service = state.Service(spec=state.ServiceSpec(containers=[container]))
    await put_object(registry.api, "service", state.Object(uid=99, name="S", service=service))
    await forget(registry, OTHER)
    await collect(registry)
    assert stored(settings) == {digest_of(b) for b in (run.config, run.manifest, *run.layers)}
    async with asyncio.timeout(60):
        while registry.tag("echo", "run", OTHER) is not None:
            await asyncio.sleep(0)
    await registry.api.delete(keys.CATALOG.key("service", 99))
    async with asyncio.timeout(60):
        while stored(settings):
            await collect(registry)


async def test_a_repository_made_again_starts_empty(registry: Registry, http: ClientSession):
    await push(http, picture(10), "v1")
    await registry.api.delete(keys.CATALOG.key("image_repository", REPOSITORY))
    await put_object(registry.api, "image_repository", repository(77, "TUTORIAL_REPOSITORY"))
    async with asyncio.timeout(60):
        while await status(http, f"{PATH}/echo/manifests/v1") == 200:
            pass
    assert await status(http, f"{PATH}/echo/manifests/v1") == 404


async def test_resolve_gives_the_digest_and_the_platform(registry: Registry, http: ClientSession):
    made = picture(10, architecture="arm64")
    await push(http, made, "v1")
    async with stub(registry, Role.API) as service:
        for reference in ("v1", made.digest):
            answer = await service.Resolve(
                pb.ResolveRequest(repository_path=PATH, image_name="echo", reference=reference),
                timeout=10,
            )
            assert (answer.digest, list(answer.platforms)) == (made.digest, ["linux/arm64"])
            assert answer.media_type == MANIFEST


@pytest.mark.parametrize(
    ("path", "image", "reference"),
    [
        (PATH, "echo", "nothing"),
        (PATH, "nothing", "v1"),
        ("a/b/c", "echo", "v1"),
        (PATH, "UPPER", "v1"),
        (PATH, "echo", "sha256:" + "0" * 64),
    ],
)
async def test_resolve_names_the_image_that_is_missing(
    registry: Registry, path: str, image: str, reference: str
):
    request = pb.ResolveRequest(repository_path=path, image_name=image, reference=reference)
    mark = "@" if ":" in reference else ":"
    wanted = f"Failed to retrieve image {path}/{image}{mark}{reference} from the image repository."
    async with stub(registry, Role.API) as service:
        with pytest.raises(SnowcaveError) as raised, translated("registry"):
            await service.Resolve(request, timeout=10)
    assert raised.value.message.startswith(wanted)
    assert raised.value.kind.name == "NOT_FOUND"


async def test_a_node_pulls_from_its_repository_alone(registry: Registry, http: ClientSession):
    made = picture(10)
    await push(http, made, "v1")
    await push(http, made, "v1", "tutorial_db/data_schema/other_repository/echo")
    async with stub(registry, Role.AGENT) as service:
        given = await service.IssuePullToken(pb.PullTokenRequest(repository_path=PATH), timeout=10)
    assert (given.username, given.expires_in_secs) == ("0node", 600)
    node = basic(given.username, given.password)
    async with http.get("/login", headers=node) as response:
        token = (await response.json())["token"]
        bearer = {"Authorization": f"Bearer {token}"}
    async with http.get("/login", headers=basic("0node", token)) as response:
        assert (await response.json())["expires_in"] <= 300  # of that token, not anew
    for who in (node, bearer):
        async with http.get(f"/v2/{PATH}/echo/manifests/v1", headers=who) as response:
            assert response.status == 200
        where = "/v2/tutorial_db/data_schema/other_repository/echo/manifests/v1"
        async with http.get(where, headers=who) as response:
            assert response.status == 403
        async with http.post(f"/v2/{PATH}/echo/blobs/uploads/", headers=who) as response:
            assert response.status == 403


async def test_each_method_has_its_callers(registry: Registry):
    async with stub(registry, Role.AGENT) as service:
        with pytest.raises(SnowcaveError) as raised, translated("registry"):
            await service.CollectGarbage(pb.CollectGarbageRequest(), timeout=10)
        assert raised.value.kind.name == "DENIED"
    async with stub(registry, Role.API) as service:
        with pytest.raises(SnowcaveError) as raised, translated("registry"):
            await service.IssuePullToken(pb.PullTokenRequest(repository_path=PATH), timeout=10)
        assert raised.value.kind.name == "DENIED"
