"""Pushing and pulling four layers of 50 MB by skopeo: our daemon against Debian's docker-registry.

Both run throughout, on the same disk, and take turns; every round has new bytes, and the disk is
quiet before each measurement.
"""

import asyncio
import contextlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.client import open_store
from tests.kit.daemons import a_mesh, running
from tests.kit.ports import free_port
from tests.kit.registries import PASSWORD, picture, preload, write_layout

LAYERS = 4
LAYER_BYTES = 50_000_000
TARGET = 1.2
_OURS = "tutorial_db/data_schema/tutorial_repository/bench"
_TOO_LONG = 120.0


async def run(rounds: int) -> list[dict[str, object]]:
    """Two rows: push and pull."""
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-registry") as folder:
        root = Path(folder)
        async with _ours(root) as ours, _peer(root) as peer:
            sides = (("ours", ours, f"owner:{PASSWORD}"), ("peer", peer, ""))
            # One round that does not count: both sides are warm then.
            for number in range(rounds + 1):
                made = await asyncio.to_thread(picture, *[LAYER_BYTES] * LAYERS)
                await asyncio.to_thread(write_layout, root / "layout", made)
                # Who goes first changes, as what it leaves in the page cache may matter.
                for side, where, credentials in sides[:: 1 if number % 2 else -1]:
                    image = f"{where}:r{number}"
                    pushed = await _push(root / "layout", image, credentials)
                    pulled = await _pull(root / "pulled", image, credentials)
                    if number:
                        times.setdefault(("push", side), []).append(pushed)
                        times.setdefault(("pull", side), []).append(pulled)
    return [_row(what, times[what, "ours"], times[what, "peer"]) for what in ("push", "pull")]


def _row(what: str, ours: list[float], peer: list[float]) -> dict[str, object]:
    figures = statistics.median(ours), statistics.median(peer)
    ratio = figures[0] / figures[1]
    return {
        "name": f"registry {what}",
        "ours": round(figures[0], 3),
        "peer": round(figures[1], 3),
        "unit": "s",
        "ratio": round(ratio, 3),
        "target": f"<={TARGET}",
        "ok": ratio <= TARGET,
    }


async def _push(layout: Path, image: str, credentials: str) -> float:
    given = ["--dest-creds", credentials] if credentials else []
    options = ["--dest-tls-verify=false", *given, f"oci:{layout}:latest", f"docker://{image}"]
    return await _timed(options)


async def _pull(folder: Path, image: str, credentials: str) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    given = ["--src-creds", credentials] if credentials else []
    options = ["--src-tls-verify=false", *given, f"docker://{image}", f"oci:{folder}:latest"]
    return await _timed(options)


async def _timed(options: list[str]) -> float:
    await asyncio.to_thread(os.sync)
    began = time.monotonic()
    # A proxy of the machine's has no business between two processes of it.
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        "skopeo",
        "copy",
        "--quiet",
        *options,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    async with asyncio.timeout(_TOO_LONG):
        _, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"skopeo failed: {errors.decode()}")
    return time.monotonic() - began


@contextlib.asynccontextmanager
async def _ours(root: Path) -> AsyncGenerator[str]:
    """The real daemon, with the embedded state store; yields the image's name without a tag."""
    home = root / "home"
    home.mkdir()
    mesh = a_mesh(home)
    tls.ensure(mesh.folder("tls"))
    async with running(mesh, "statestore"):
        await _fill(mesh)
        async with running(mesh, "registry", {"SNOWCAVE_REGISTRY__TLS": "false"}):
            yield f"127.0.0.1:{mesh.port('registry')}/{_OURS}"


async def _fill(mesh: Mesh) -> None:
    credentials = tls.channel_credentials(mesh.folder("tls"), Role.API)
    name = tls.server_name(Role.STATESTORE)
    async with open_store(
        mesh.store_address, Role.API, credentials=credentials, target_name=name
    ) as store:
        await preload(store)


@contextlib.asynccontextmanager
async def _peer(root: Path) -> AsyncGenerator[str]:
    port = free_port()
    config = root / "peer.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {root / 'peer'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}', secret: not-one}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        "docker-registry",
        "serve",
        str(config),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            await _listening(port)
        yield f"127.0.0.1:{port}/bench/image"
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
