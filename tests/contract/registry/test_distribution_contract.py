"""The distribution specification over HTTP, the same for every backend."""

import asyncio
import io
import json
import os

import pytest
from aiohttp import ClientResponse, ClientSession

from tests.kit.registries import (
    INDEX,
    MANIFEST,
    Picture,
    Registry,
    basic,
    descriptor,
    digest_of,
    picture,
)

REPOSITORY_PATH = "tutorial_db/data_schema/tutorial_repository"
HERE = f"/v2/{REPOSITORY_PATH}/amd64/nginx"
THERE = f"/v2/{REPOSITORY_PATH}/echo"
WRITER, READER, STRANGER = basic("writer"), basic("reader"), basic("stranger")


async def code_of(response: ClientResponse) -> str:
    return (await response.json(content_type=None))["errors"][0]["code"]


async def start(http: ClientSession, base: str = HERE) -> str:
    async with http.post(f"{base}/blobs/uploads/", headers=WRITER) as response:
        assert response.status == 202
        assert response.headers["Range"] == "0-0"
        return response.headers["Location"]


async def patch(
    http: ClientSession, location: str, content: bytes, at: int | None = None
) -> ClientResponse:
    headers = {**WRITER, "Content-Type": "application/octet-stream"}
    if at is not None:
        headers["Content-Range"] = f"{at}-{at + len(content) - 1}"
    return await http.patch(location, data=content, headers=headers)


async def put(
    http: ClientSession, location: str, digest: str, content: bytes = b""
) -> ClientResponse:
    joined = "&" if "?" in location else "?"
    where = f"{location}{joined}digest={digest}"
    return await http.put(where, data=io.BytesIO(content), headers=WRITER)


async def push_blob(http: ClientSession, content: bytes, base: str = HERE) -> str:
    digest = digest_of(content)
    async with await put(http, await start(http, base), digest, content) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Docker-Content-Digest"] == digest
        assert response.headers["Location"] == f"{base}/blobs/{digest}"
    return digest


async def put_manifest(
    http: ClientSession,
    content: bytes,
    reference: str,
    base: str = HERE,
    media_type: str = MANIFEST,
) -> ClientResponse:
    headers = {**WRITER, "Content-Type": media_type}
    return await http.put(
        f"{base}/manifests/{reference}", data=io.BytesIO(content), headers=headers
    )


async def push(http: ClientSession, made: Picture, tag: str, base: str = HERE) -> None:
    for one in (made.config, *made.layers):
        await push_blob(http, one, base)
    async with await put_manifest(http, made.manifest, tag, base) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Docker-Content-Digest"] == made.digest


async def read(http: ClientSession, where: str, **headers: str) -> tuple[int, bytes]:
    async with http.get(where, headers={**READER, **headers}) as response:
        return response.status, await response.read()


async def test_an_image_comes_back_as_it_was_pushed(http: ClientSession):
    made = picture(70_000, 10)
    await push(http, made, "v1")
    assert await read(http, f"{HERE}/manifests/v1") == (200, made.manifest)
    assert await read(http, f"{HERE}/manifests/{made.digest}") == (200, made.manifest)
    for one in (made.config, *made.layers):
        assert await read(http, f"{HERE}/blobs/{digest_of(one)}") == (200, one)


async def test_head_tells_what_get_would(http: ClientSession):
    made = picture(500)
    await push(http, made, "v1")
    layer = made.layers[0]
    async with http.head(f"{HERE}/blobs/{digest_of(layer)}", headers=READER) as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == str(len(layer))
        assert response.headers["Docker-Content-Digest"] == digest_of(layer)
    async with http.head(f"{HERE}/manifests/v1", headers=READER) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == MANIFEST
        assert response.headers["Content-Length"] == str(len(made.manifest))
        assert response.headers["Docker-Content-Digest"] == made.digest


async def test_a_push_is_in_the_store_before_it_is_acknowledged(
    http: ClientSession, registry: Registry
):
    made = picture(100)
    await push(http, made, "v1")
    kept = registry.tag("amd64/nginx", "v1")
    assert kept is not None
    assert (kept.digest, kept.media_type) == (made.digest, MANIFEST)
    assert kept.size_bytes == len(made.config) + len(made.layers[0])


async def test_a_store_that_is_away_leaves_a_push_unacknowledged(
    http: ClientSession, registry: Registry
):
    made = picture(100)
    for one in (made.config, *made.layers):
        await push_blob(http, one)
    registry.store.reachable = False
    async with await put_manifest(http, made.manifest, "v1") as response:
        assert response.status == 503
        assert await code_of(response) == "UNAVAILABLE"
    registry.store.reachable = True
    async with await put_manifest(http, made.manifest, "v1") as response:
        assert response.status == 201
    assert registry.tag("amd64/nginx", "v1") is not None


async def test_a_blob_may_come_with_the_first_request(http: ClientSession):
    content = os.urandom(2000)
    where = f"{HERE}/blobs/uploads/?digest={digest_of(content)}"
    async with http.post(where, data=content, headers=WRITER) as response:
        assert response.status == 201, await response.text()
    assert await read(http, f"{HERE}/blobs/{digest_of(content)}") == (200, content)


async def test_an_empty_blob_is_a_blob(http: ClientSession):
    digest = await push_blob(http, b"")
    assert await read(http, f"{HERE}/blobs/{digest}") == (200, b"")


async def test_a_blob_may_come_in_chunks(http: ClientSession):
    content = os.urandom(3000)
    location = await start(http)
    for at in (0, 1000, 2000):
        async with await patch(http, location, content[at : at + 1000], at) as response:
            assert response.status == 202, await response.text()
            assert response.headers["Range"] == f"0-{at + 999}"
            location = response.headers["Location"]
    async with await put(http, location, digest_of(content)) as response:
        assert response.status == 201
    assert await read(http, f"{HERE}/blobs/{digest_of(content)}") == (200, content)


async def test_the_last_chunk_may_come_with_the_end(http: ClientSession):
    content = os.urandom(3000)
    async with await patch(http, await start(http), content[:1234]) as response:
        location = response.headers["Location"]
    async with await put(http, location, digest_of(content), content[1234:]) as response:
        assert response.status == 201, await response.text()


async def test_a_chunk_of_unknown_length_is_taken(http: ClientSession):
    content = os.urandom(300_000)

    async def body():
        for at in range(0, len(content), 100_000):
            yield content[at : at + 100_000]

    async with http.patch(await start(http), data=body(), headers=WRITER) as response:
        assert response.status == 202
        assert response.headers["Range"] == f"0-{len(content) - 1}"
        location = response.headers["Location"]
    async with await put(http, location, digest_of(content)) as response:
        assert response.status == 201


async def test_a_chunk_at_the_wrong_place_is_refused_and_the_upload_goes_on(http: ClientSession):
    content = os.urandom(2000)
    async with await patch(http, await start(http), content[:1000], 0) as response:
        location = response.headers["Location"]
    async with await patch(http, location, content[1500:], 1500) as response:
        assert response.status == 416
        assert response.headers["Range"] == "0-999"
    async with http.get(location, headers=WRITER) as response:
        assert response.status == 204
        assert response.headers["Range"] == "0-999"
        location = response.headers["Location"]
    async with await patch(http, location, content[1000:], 1000) as response:
        assert response.status == 202
        location = response.headers["Location"]
    async with await put(http, location, digest_of(content)) as response:
        assert response.status == 201


async def test_content_that_is_not_its_digest_is_refused(http: ClientSession):
    wrong = digest_of(b"something else")
    async with await put(http, await start(http), wrong, b"content") as response:
        assert response.status == 400
        assert await code_of(response) == "DIGEST_INVALID"
    assert (await read(http, f"{HERE}/blobs/{wrong}"))[0] == 404


async def test_a_cancelled_upload_is_gone(http: ClientSession):
    location = await start(http)
    async with http.delete(location, headers=WRITER) as response:
        assert response.status == 204
    async with await put(http, location, digest_of(b"x"), b"x") as response:
        assert response.status == 404
        assert await code_of(response) == "BLOB_UPLOAD_UNKNOWN"


async def test_an_upload_belongs_to_its_image(http: ClientSession):
    location = (await start(http)).replace("/amd64/nginx/", "/echo/")
    async with await put(http, location, digest_of(b"x"), b"x") as response:
        assert response.status == 404
        assert await code_of(response) == "BLOB_UPLOAD_UNKNOWN"


async def test_a_blob_is_mounted_from_an_image_that_the_caller_may_read(http: ClientSession):
    content = os.urandom(1000)
    digest = await push_blob(http, content)
    source = HERE.removeprefix("/v2/")
    where = f"{THERE}/blobs/uploads/?mount={digest}&from={source}"
    async with http.post(where, headers=WRITER) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Location"] == f"{THERE}/blobs/{digest}"
    assert await read(http, f"{THERE}/blobs/{digest}") == (200, content)


@pytest.mark.parametrize(
    "source",
    [f"{REPOSITORY_PATH}/nothing", "tutorial_db/data_schema/other_repository/secret", "bad"],
)
async def test_a_mount_from_elsewhere_becomes_an_upload(http: ClientSession, source: str):
    secret = b"of others " + os.urandom(8)
    owner = basic("owner")
    other = "/v2/tutorial_db/data_schema/other_repository/secret"
    where = f"{other}/blobs/uploads/?digest={digest_of(secret)}"
    async with http.post(where, data=secret, headers=owner) as response:
        assert response.status == 201
    where = f"{THERE}/blobs/uploads/?mount={digest_of(secret)}&from={source}"
    async with http.post(where, headers=WRITER) as response:
        assert response.status == 202
        assert "Location" in response.headers
    assert (await read(http, f"{THERE}/blobs/{digest_of(secret)}"))[0] == 404


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=100-", 206, 100, 1000),
        ("bytes=-5", 206, 995, 1000),
        ("bytes=990-5000", 206, 990, 1000),
        ("lines=1-2", 200, 0, 1000),
        ("bytes=1-2,5-6", 200, 0, 1000),
    ],
)
async def test_a_part_of_a_blob(
    http: ClientSession, asked: str, status: int, start: int, stop: int
):
    content = os.urandom(1000)
    digest = await push_blob(http, content)
    headers = {**READER, "Range": asked}
    async with http.get(f"{HERE}/blobs/{digest}", headers=headers) as response:
        assert response.status == status
        assert await response.read() == content[start:stop]
        if status == 206:
            assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000"


async def test_a_range_beyond_the_end_has_no_answer(http: ClientSession):
    digest = await push_blob(http, b"0123456789")
    headers = {**READER, "Range": "bytes=10-20"}
    async with http.get(f"{HERE}/blobs/{digest}", headers=headers) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == "bytes */10"


async def test_a_manifest_needs_its_blobs_in_its_own_image(http: ClientSession):
    made = picture(100)
    await push(http, made, "v1", THERE)
    async with await put_manifest(http, made.manifest, "v1") as response:
        assert response.status == 404
        assert await code_of(response) == "MANIFEST_BLOB_UNKNOWN"
    assert (await read(http, f"{HERE}/manifests/v1"))[0] == 404


@pytest.mark.parametrize(
    "content", [b"", b"not json", b"[]", b"{}", b'{"schemaVersion": 1}', b'{"schemaVersion": 2}']
)
async def test_a_manifest_that_is_none_is_refused(http: ClientSession, content: bytes):
    async with await put_manifest(http, content, "v1") as response:
        assert response.status == 400
        assert await code_of(response) == "MANIFEST_INVALID"


async def test_a_manifest_is_not_put_under_another_digest(http: ClientSession):
    made = picture(100)
    await push(http, made, "v1")
    async with await put_manifest(http, made.manifest, digest_of(b"other")) as response:
        assert response.status == 400
        assert await code_of(response) == "DIGEST_INVALID"


async def test_a_manifest_larger_than_four_mebibytes_is_refused(http: ClientSession):
    content = b'{"schemaVersion": 2, "x": "' + b"x" * (4 << 20) + b'"}'
    async with await put_manifest(http, content, "v1") as response:
        assert response.status == 413
        assert await code_of(response) == "SIZE_INVALID"


async def test_a_tag_moves_and_the_digest_stays(http: ClientSession, registry: Registry):
    old, new = picture(10), picture(20)
    await push(http, old, "latest")
    await push(http, new, "latest")
    assert await read(http, f"{HERE}/manifests/latest") == (200, new.manifest)
    assert await read(http, f"{HERE}/manifests/{old.digest}") == (200, old.manifest)
    kept = registry.tag("amd64/nginx", "latest")
    assert kept is not None
    assert kept.digest == new.digest


async def test_an_index_lists_images_that_are_there(http: ClientSession):
    made = picture(10)
    entry = descriptor(made.manifest, MANIFEST)
    entry["platform"] = {"os": "linux", "architecture": "amd64"}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    async with await put_manifest(http, index, "multi", media_type=INDEX) as response:
        assert response.status == 404
        assert await code_of(response) == "MANIFEST_BLOB_UNKNOWN"
    for one in (made.config, *made.layers):
        await push_blob(http, one)
    async with await put_manifest(http, made.manifest, made.digest) as response:
        assert response.status == 201
    async with await put_manifest(http, index, "multi", media_type=INDEX) as response:
        assert response.status == 201
    async with http.get(f"{HERE}/manifests/multi", headers=READER) as response:
        assert response.headers["Content-Type"] == INDEX
        assert await response.read() == index


async def test_tags_come_in_pages(http: ClientSession):
    made = picture(10)
    for tag in ("c", "a", "b"):
        await push(http, made, tag)
    where, seen = f"{HERE}/tags/list?n=2", list[str]()
    async with http.get(where, headers=READER) as response:
        page = await response.json()
        assert page == {"name": HERE.removeprefix("/v2/"), "tags": ["a", "b"]}
        seen += page["tags"]
        following = response.headers["Link"]
    where = following[1 : following.index(">")]
    async with http.get(where, headers=READER) as response:
        assert "Link" not in response.headers
        assert (await response.json())["tags"] == ["c"]


async def test_tags_of_an_image_that_is_not_there(http: ClientSession):
    async with http.get(f"{HERE}/tags/list", headers=READER) as response:
        assert response.status == 404
        assert await code_of(response) == "NAME_UNKNOWN"


async def test_referrers_are_listed_by_their_subject(http: ClientSession):
    made = picture(10)
    await push(http, made, "v1")
    subject = descriptor(made.manifest, MANIFEST)
    for kind in ("application/x.sbom", "application/x.signature"):
        more = picture(5, subject=subject, artifactType=kind, annotations={"kind": kind})
        for one in (more.config, *more.layers):
            await push_blob(http, one)
        async with await put_manifest(http, more.manifest, more.digest) as response:
            assert response.status == 201
            assert response.headers["OCI-Subject"] == made.digest
    where = f"{HERE}/referrers/{made.digest}"
    async with http.get(where, headers=READER) as response:
        assert response.status == 200
        assert response.content_type == INDEX
        listed = (await response.json(content_type=None))["manifests"]
        assert {one["artifactType"] for one in listed} == {
            "application/x.sbom",
            "application/x.signature",
        }
        assert all(one["annotations"] == {"kind": one["artifactType"]} for one in listed)
    async with http.get(f"{where}?artifactType=application/x.sbom", headers=READER) as response:
        assert response.headers["OCI-Filters-Applied"] == "artifactType"
        listed = (await response.json(content_type=None))["manifests"]
        assert [one["artifactType"] for one in listed] == ["application/x.sbom"]
    async with http.get(f"{HERE}/tags/list", headers=READER) as response:
        assert (await response.json())["tags"] == ["v1"]


async def test_nothing_refers_to_an_unknown_digest(http: ClientSession):
    async with http.get(f"{HERE}/referrers/{digest_of(b'?')}", headers=READER) as response:
        assert response.status == 200
        assert (await response.json(content_type=None))["manifests"] == []


@pytest.mark.parametrize("what", ["manifests/v1", "blobs/" + digest_of(b"x"), "tags/list"])
async def test_single_images_are_not_deleted(http: ClientSession, what: str):
    async with http.delete(f"{HERE}/{what}", headers=WRITER) as response:
        assert response.status == 405
        assert await code_of(response) == "UNSUPPORTED"


@pytest.mark.parametrize(
    ("method", "what", "status", "code"),
    [
        ("GET", f"{HERE}/blobs/{digest_of(b'?')}", 404, "BLOB_UNKNOWN"),
        ("GET", f"{HERE}/manifests/nothing", 404, "MANIFEST_UNKNOWN"),
        ("GET", f"{HERE}/manifests/{digest_of(b'?')}", 404, "MANIFEST_UNKNOWN"),
        ("GET", f"{HERE}/blobs/sha256:12", 400, "DIGEST_INVALID"),
        ("GET", f"{HERE}/blobs/md5:12", 400, "DIGEST_INVALID"),
        ("GET", f"{HERE}/manifests/.hidden", 400, "MANIFEST_INVALID"),
        ("GET", "/v2/tutorial_db/data_schema/nothing/x/tags/list", 404, "NAME_UNKNOWN"),
        ("POST", "/v2/tutorial_db/data_schema/nothing/x/blobs/uploads/", 404, "NAME_UNKNOWN"),
        ("GET", "/v2/TUTORIAL_DB/data_schema/r/x/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/too/short/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/a/b/c/%2e%2e/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/a/b/c/%2e%2e%2fx/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/_catalog", 404, "UNSUPPORTED"),
        ("GET", "/elsewhere", 404, "UNSUPPORTED"),
        ("GET", f"{HERE}/tags/list?n=many", 400, "UNSUPPORTED"),
        ("PATCH", f"{HERE}/blobs/uploads/{'0' * 32}", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("POST", f"{HERE}/blobs/uploads/?digest=sha256:1", 400, "DIGEST_INVALID"),
    ],
)
async def test_what_is_not_there_or_not_right(
    http: ClientSession, method: str, what: str, status: int, code: str
):
    async with http.request(method, what, headers=WRITER) as response:
        assert (response.status, await code_of(response)) == (status, code)


@pytest.mark.parametrize(
    ("who", "method", "what", "status"),
    [
        (READER, "GET", f"{HERE}/tags/list", 200),
        (READER, "POST", f"{HERE}/blobs/uploads/", 403),
        (READER, "PUT", f"{HERE}/manifests/v2", 403),
        (STRANGER, "GET", f"{HERE}/manifests/v1", 403),
        (STRANGER, "POST", f"{HERE}/blobs/uploads/", 403),
        (basic("owner"), "POST", f"{HERE}/blobs/uploads/", 202),
        (basic("owner"), "GET", f"{HERE}/manifests/v1", 200),
        (basic("writer", "wrong"), "GET", f"{HERE}/manifests/v1", 401),
        (basic("nobody"), "GET", f"{HERE}/manifests/v1", 401),
        ({}, "GET", f"{HERE}/manifests/v1", 401),
        ({}, "GET", "/v2/", 401),
        (STRANGER, "GET", "/v2/", 200),
    ],
)
async def test_who_may_do_what(
    http: ClientSession, who: dict[str, str], method: str, what: str, status: int
):
    await push(http, picture(10), "v1")
    async with http.request(method, what, headers=who) as response:
        assert response.status == status
        if status == 401:
            challenge = response.headers["WWW-Authenticate"]
            assert challenge.startswith('Bearer realm="http://127.0.0.1:')
            assert "/login" in challenge
        if status == 403:
            assert await code_of(response) == "DENIED"


async def test_a_bearer_from_login_opens_what_its_user_may(http: ClientSession):
    await push(http, picture(10), "v1")
    async with http.get("/login", headers=READER) as response:
        assert response.status == 200
        given = await response.json()
    assert 0 < given["expires_in"] <= 300
    bearer = {"Authorization": f"Bearer {given['token']}"}
    async with http.get(f"{HERE}/manifests/v1", headers=bearer) as response:
        assert response.status == 200
    async with http.post(f"{HERE}/blobs/uploads/", headers=bearer) as response:
        assert response.status == 403
    async with http.get("/login", headers=bearer) as response:
        assert response.status == 401  # else nobody would ever have to log in again
    # Not the last character, of which some bits mean nothing.
    before, wrong, after = given["token"][:-9], given["token"][-9], given["token"][-8:]
    other = "a" if wrong != "a" else "b"
    broken = {"Authorization": f"Bearer {before}{other}{after}"}
    async with http.get(f"{HERE}/manifests/v1", headers=broken) as response:
        assert response.status == 401


async def test_login_wants_credentials(http: ClientSession):
    async with http.get("/login") as response:
        assert response.status == 401
    async with http.get("/login", headers=basic("reader", "wrong")) as response:
        assert response.status == 401
        assert await code_of(response) == "UNAUTHORIZED"


async def test_a_blob_of_many_megabytes_goes_both_ways(http: ClientSession):
    content = os.urandom(9 << 20)
    digest = await push_blob(http, content)
    status, got = await read(http, f"{HERE}/blobs/{digest}")
    assert status == 200
    assert digest_of(got) == digest
    assert await read(http, f"{HERE}/blobs/{digest}", Range="bytes=8388600-8388620") == (
        206,
        content[8388600:8388621],
    )


async def test_two_pushes_of_one_blob_at_once_are_both_right(http: ClientSession):

    content = os.urandom(1 << 20)
    digests = await asyncio.gather(*(push_blob(http, content) for _ in range(6)))
    assert set(digests) == {digest_of(content)}
    assert await read(http, f"{HERE}/blobs/{digest_of(content)}") == (200, content)
