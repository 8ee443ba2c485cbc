"""skopeo against the registry, plain and encrypted, with every credential that clients use."""

import asyncio
import datetime
import json
import os
from pathlib import Path

import pytest

from snowcave.model import keys
from snowcave.runtime.identity import token_key
from snowcave.v1 import state_pb2 as state
from tests.kit.registries import PASSWORD, WRITER, Picture, Registry, picture, write_layout

IMAGE = "tutorial_db/data_schema/tutorial_repository/amd64/nginx"


async def skopeo(*arguments: str) -> tuple[int, str]:
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        "skopeo",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def push(
    registry: Registry, layout: Path, credentials: str, *more: str, tag: str = "v1"
) -> tuple[int, str]:
    to = f"docker://{registry.address}/{IMAGE}:{tag}"
    options = ["--dest-tls-verify=false", "--dest-creds", credentials, *more]
    return await skopeo("copy", *options, f"oci:{layout}:latest", to)


@pytest.fixture
def made(tmp_path: Path) -> Picture:
    image = picture(300_000, 20_000, 1)
    write_layout(tmp_path / "layout", image)
    return image


async def test_an_image_goes_in_and_comes_out(registry: Registry, made: Picture, tmp_path: Path):
    status, said = await push(registry, tmp_path / "layout", f"writer:{PASSWORD}")
    assert status == 0, said
    source = f"docker://{registry.address}/{IMAGE}@{made.digest}"
    options = ["--src-tls-verify=false", "--src-creds", f"reader:{PASSWORD}"]
    status, said = await skopeo("copy", *options, source, f"oci:{tmp_path / 'out'}:latest")
    assert status == 0, said
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == made.digest


async def test_a_session_token_is_a_password(registry: Registry, made: Picture, tmp_path: Path):
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    token = state.SessionToken(kind=state.SessionToken.ISSUED, session=5, user=WRITER)
    token.expires_on.FromDatetime(later)
    key = keys.SESSION_TOKENS.key(token_key("a-session-token"))
    await registry.api.put(key, token.SerializeToString())
    session = state.Session(id=5, user=WRITER)
    await registry.api.put(keys.SESSIONS.key(5), session.SerializeToString())
    secret = json.dumps({"token": "a-session-token", "expires_in": 300}, indent=2)
    status, said = await push(registry, tmp_path / "layout", f"0sessiontoken:{secret}")
    assert status == 0, said


async def test_one_that_may_not_write_cannot_push(
    registry: Registry, made: Picture, tmp_path: Path
):
    for who in ("reader", "stranger"):
        status, said = await push(registry, tmp_path / "layout", f"{who}:{PASSWORD}")
        assert status != 0
        assert "denied" in said or "403" in said
    status, said = await push(registry, tmp_path / "layout", "writer:wrong")
    assert status != 0
    assert registry.tag("amd64/nginx", "v1") is None


async def test_a_right_that_is_taken_away_is_gone_at_once(
    registry: Registry, made: Picture, tmp_path: Path
):
    status, said = await push(registry, tmp_path / "layout", f"writer:{PASSWORD}")
    assert status == 0, said
    await registry.api.delete(keys.GRANTS.key("role", 12, "image_repository", 3, "WRITE"))
    async with asyncio.timeout(60):
        while (await push(registry, tmp_path / "layout", f"writer:{PASSWORD}", tag="v2"))[0] == 0:
            pass
    options = ["--tls-verify=false", "--creds", f"reader:{PASSWORD}"]
    status, said = await skopeo("list-tags", *options, f"docker://{registry.address}/{IMAGE}")
    assert status == 0, said


async def test_the_one_port_speaks_tls_too(registry: Registry, made: Picture, tmp_path: Path):
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    authority = registry.settings.mesh.folder("tls") / "ca.pem"
    (certificates / "ca.crt").write_bytes(authority.read_bytes())
    to = f"docker://localhost:{registry.port}/{IMAGE}:v1"
    status, said = await skopeo(
        "copy",
        "--dest-cert-dir",
        str(certificates),
        "--dest-creds",
        f"writer:{PASSWORD}",
        f"oci:{tmp_path / 'layout'}:latest",
        to,
    )
    assert status == 0, said
    status, said = await skopeo(
        "copy",
        "--src-cert-dir",
        str(certificates),
        "--src-creds",
        f"writer:{PASSWORD}",
        to,
        f"oci:{tmp_path / 'out'}:latest",
    )
    assert status == 0, said
    assert registry.tag("amd64/nginx", "v1") is not None
