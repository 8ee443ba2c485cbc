"""Docker Engine through aiodocker. The only place that knows its API; errors are translated here, once."""

import asyncio
import json
import platform
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from snowcave.agent.engine.api import (
    Container,
    ContainerId,
    Credential,
    EngineEvent,
    EngineInfo,
    Mount,
    Phase,
    Recipe,
    Usage,
)
from snowcave.model.errors import (
    ContainerGone,
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    ImagePullFailed,
)

_PHASES = {
    "created": Phase.CREATED,
    "running": Phase.RUNNING,
    "paused": Phase.RUNNING,
    "restarting": Phase.RUNNING,
    "exited": Phase.EXITED,
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NEVER = "0001-01-01"
# A CPU quota is given for periods of this many microseconds.
_PERIOD = 100_000
# What the kernel and Docker accept as the least.
_LEAST_QUOTA = 1_000
_LEAST_MEMORY = 6 << 20


@dataclass(frozen=True, slots=True)
class DockerDeadlines:
    """Seconds."""

    # Anything that only looks.
    look: float = 10.0
    # Create, start, signal, remove.
    change: float = 60.0
    # A whole pull or import.
    pull: float = 1800.0


@asynccontextmanager
async def open_docker(
    socket: str, deadlines: DockerDeadlines | None = None
) -> AsyncGenerator["DockerEngine"]:
    """The engine that listens on this socket; it need not be there yet."""
    docker = aiodocker.Docker(url=f"unix://{socket.removeprefix('unix://')}")
    try:
        yield DockerEngine(docker, deadlines or DockerDeadlines())
    finally:
        await docker.close()


class DockerEngine:
    def __init__(self, docker: aiodocker.Docker, deadlines: DockerDeadlines) -> None:
        self._docker = docker
        self._deadlines = deadlines

    async def info(self) -> EngineInfo:
        async with self._call(self._deadlines.look):
            found = await self._docker.system.info()
        machine = str(found.get("Architecture", platform.machine()))
        return EngineInfo(
            version=str(found["ServerVersion"]),
            architecture=_ARCHITECTURES.get(machine, machine),
            cpus=int(found["NCPU"]),
            memory_bytes=int(found["MemTotal"]),
        )

    async def has_image(self, reference: str) -> bool:
        try:
            async with self._call(self._deadlines.look, image=reference):
                await self._docker.images.inspect(reference)
        except ImageMissing:
            return False
        return True

    async def pull(self, reference: str, credential: Credential | None) -> None:
        auth = credential and {
            "username": credential.username,
            "password": credential.password,
        }
        try:
            async with self._call(self._deadlines.pull):
                await self._docker.images.pull(reference, auth=auth)
        except (EngineRefused, ContainerGone) as error:
            raise ImagePullFailed(reference, error.message) from error

    async def import_image(self, reference: str, tar: bytes, entrypoint: tuple[str, ...]) -> None:
        repository, _, tag = reference.rpartition(":")
        params = {
            "fromSrc": "-",
            "repo": repository,
            "tag": tag,
            "changes": f"ENTRYPOINT {json.dumps(entrypoint)}",
        }
        async with self._call(self._deadlines.change):
            await self._ask("images/create", "POST", params=params, data=tar)

    async def create(self, recipe: Recipe) -> ContainerId:
        async with self._call(self._deadlines.change, image=recipe.image):
            try:
                made = await self._docker.containers.create(_config(recipe), name=recipe.name)
            except DockerError as error:
                if error.status != 409:
                    raise
                made = await self._docker.containers.get(recipe.name)
        return ContainerId(made.id)

    async def start(self, container: ContainerId) -> None:
        async with self._call(self._deadlines.change, container=container, refuses=True):
            await self._docker.containers.container(container).start()

    async def signal(self, container: ContainerId, name: str) -> None:
        async with self._call(self._deadlines.change, container=container):
            try:
                await self._docker.containers.container(container).kill(signal=name)
            except DockerError as error:
                if error.status != 409:  # it does not run
                    raise

    async def stop(self, container: ContainerId, *, signal: str, grace: float) -> None:
        await self.signal(container, signal)
        try:
            await self.wait(container, timeout=grace)
        except TimeoutError:
            await self.signal(container, "SIGKILL")
            try:
                await self.wait(container, timeout=self._deadlines.change)
            except TimeoutError as error:
                raise EngineUnavailable("The container engine cannot kill a container.") from error

    async def remove(self, container: ContainerId) -> None:
        async with self._call(self._deadlines.change):
            try:
                await self._docker.containers.container(container).delete(force=True, v=True)
            except DockerError as error:
                if error.status not in (404, 409):  # gone, or already on its way
                    raise

    async def inspect(self, container: ContainerId) -> Container:
        async with self._call(self._deadlines.look, container=container):
            found = await self._docker.containers.get(container)
        return _container(found._container)  # pyright: ignore[reportPrivateUsage]

    async def list(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        async with self._call(self._deadlines.look):
            found = await self._docker.containers.list(all=True, filters=_filters(labels))
        seen = await asyncio.gather(*(self._seen(ContainerId(c.id)) for c in found))
        return tuple(c for c in seen if c is not None)

    async def _seen(self, container: ContainerId) -> Container | None:
        try:
            return await self.inspect(container)
        except ContainerGone:
            return None

    async def wait(self, container: ContainerId, *, timeout: float) -> int:
        async with asyncio.timeout(timeout):
            with _translated(container=container):
                answer = await self._docker.containers.container(container).wait()
        return int(answer["StatusCode"])

    async def events(self, labels: Mapping[str, str]) -> AsyncGenerator[EngineEvent]:
        filters = {"type": ["container"], "event": ["die", "destroy", "oom"]}
        params = {"filters": json.dumps(filters | json.loads(_filters(labels)))}
        async with self._call(self._deadlines.look):
            response = await self._request("events", "GET", params=params)
        async with response:
            yield EngineEvent({})
            with _translated():
                async for line in response.content:
                    told = json.loads(line)
                    yield EngineEvent(told.get("Actor", {}).get("Attributes", {}))
        raise EngineUnavailable("The container engine has gone away.")

    async def usage(self, container: ContainerId) -> Usage:
        async with self._call(self._deadlines.look, container=container):
            # Without one-shot the engine takes two seconds to compare two looks of its own.
            params = {"stream": "false", "one-shot": "true"}
            response = await self._request(f"containers/{container}/stats", "GET", params=params)
            async with response:
                told = await response.json()
        if not told:
            # What the engine says, with status 200, of a container that ended while it looked.
            raise ContainerGone(container)
        return Usage(
            cpu_seconds=told["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
            memory_bytes=_memory_in_use(told["memory_stats"]),
        )

    @asynccontextmanager
    async def _call(
        self, deadline: float, *, container: str = "", image: str = "", refuses: bool = False
    ) -> AsyncGenerator[None]:
        """One conversation with the engine: it ends, and its failures are ours."""
        try:
            async with asyncio.timeout(deadline):
                with _translated(container=container, image=image, refuses=refuses):
                    yield
        except TimeoutError as error:
            raise EngineUnavailable("The container engine does not answer in time.") from error

    async def _request(self, path: str, method: str, **options: Any) -> aiohttp.ClientResponse:
        # aiodocker has no public call for these requests.
        return await self._docker._do_query(path, method, **options)  # pyright: ignore[reportPrivateUsage]

    async def _ask(self, path: str, method: str, **options: Any) -> None:
        response = await self._request(path, method, **options)
        async with response:
            async for line in response.content:
                if "error" in (told := json.loads(line)):
                    raise EngineRefused(str(told["error"]))


def _memory_in_use(told: Mapping[str, Any]) -> int:
    """Without what the kernel gives back on demand; the counter is named after the cgroups' version."""
    counters = told.get("stats", {})
    idle = counters.get("total_inactive_file", counters.get("inactive_file", 0))
    return max(0, int(told.get("usage", 0)) - int(idle))


@contextmanager
def _translated(*, container: str = "", image: str = "", refuses: bool = False) -> Generator[None]:
    try:
        yield
    except DockerError as error:
        raise _ours(error, container, image, refuses) from error
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise EngineUnavailable("The container engine does not answer.") from error
    except json.JSONDecodeError as error:
        # It died in the middle of a line.
        raise EngineUnavailable("The container engine does not answer in whole lines.") from error


def _ours(error: DockerError, container: str, image: str, refuses: bool) -> Exception:
    """`refuses`: a 500 tells of the container's program, not of the engine."""
    if error.status == 900:
        return EngineUnavailable("The container engine does not answer.")
    if error.status == 404 and container and not refuses:
        return ContainerGone(container)
    if error.status == 404 and container and "No such container" in error.message:
        return ContainerGone(container)
    if error.status == 404 and image:
        return ImageMissing(image)
    return EngineRefused(error.message)


def _filters(labels: Mapping[str, str]) -> str:
    return json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})


def _config(recipe: Recipe) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Image": recipe.image,
        "Labels": dict(recipe.labels),
        "Env": [f"{name}={value}" for name, value in recipe.env.items()],
        "HostConfig": _host_config(recipe),
    }
    if recipe.entrypoint:
        config["Entrypoint"] = list(recipe.entrypoint)
    if recipe.command:
        config["Cmd"] = list(recipe.command)
    if recipe.sandbox is not None:
        config["Hostname"] = recipe.sandbox.hostname
    return config


def _host_config(recipe: Recipe) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": f"container:{recipe.joins}" if recipe.joins else "none",
        "SecurityOpt": ["no-new-privileges"],
        "CapDrop": ["NET_RAW", "MKNOD"],
        "PidsLimit": recipe.pids,
        "CgroupParent": recipe.cgroup_parent,
        "RestartPolicy": {"Name": "no"},
        # Read from the files themselves: several, large, and as they were written.
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": "50m", "max-file": "5", "compress": "false"},
        },
        "CpuShares": recipe.cpu_shares,
        "Mounts": [_mount(one) for one in recipe.mounts],
    }
    if recipe.cpu_milli:
        quota = max(_LEAST_QUOTA, recipe.cpu_milli * _PERIOD // 1000)
        host |= {"CpuPeriod": _PERIOD, "CpuQuota": quota}
    if recipe.memory_bytes:
        limit = max(_LEAST_MEMORY, recipe.memory_bytes)
        host |= {"Memory": limit, "MemorySwap": limit}
    if names := recipe.sandbox:
        host |= {
            "Dns": list(names.dns),
            "DnsSearch": list(names.dns_search),
            "DnsOptions": list(names.dns_options),
            "ExtraHosts": [f"{name}:{address}" for name, address in names.extra_hosts.items()],
        }
    return host


def _mount(one: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": one.source,
        "Target": one.target,
        "ReadOnly": not one.writable,
        "BindOptions": {"Propagation": "rslave" if one.follows else "rprivate"},
    }


def _container(found: Mapping[str, Any]) -> Container:
    state, config = found["State"], found["Config"]
    log_path = found.get("LogPath")
    return Container(
        id=ContainerId(found["Id"]),
        name=str(found["Name"]).lstrip("/"),
        labels=dict(config.get("Labels") or {}),
        image=str(config["Image"]),
        phase=_PHASES.get(state["Status"], Phase.DEAD),
        created_at=datetime.fromisoformat(found["Created"]),
        pid=int(state.get("Pid", 0)),
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error", "")),
        started_at=_instant(state.get("StartedAt", "")),
        finished_at=_instant(state.get("FinishedAt", "")),
        log_path=Path(log_path) if log_path else None,
    )


def _instant(text: str) -> datetime | None:
    return None if not text or text.startswith(_NEVER) else datetime.fromisoformat(text)
