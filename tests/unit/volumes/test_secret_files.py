"""Secrets of containers: files that follow the secret, variables that do not, nothing left behind."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from snowcave.agent.volumes.secret_files import (
    SecretFiles,
    SecretSettings,
    SecretValues,
    open_secret_files,
)
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import ObjectNotFound, Unavailable, ValueInvalid
from snowcave.v1 import state_pb2 as state

pytestmark = pytest.mark.looptime


def assignment() -> state.Assignment:
    container = state.ContainerSpec(
        name="main",
        secrets=[
            state.SecretMount(object_name="login", directory_path="/run/login"),
            state.SecretMount(object_name="key", env_var_name="KEY", secret_key_ref="password"),
        ],
    )
    return state.Assignment(instance="7-0-1", spec=state.ServiceSpec(containers=[container]))


@dataclass
class Api:
    """Knows secrets, until it is away."""

    secrets: dict[str, SecretValues] = field(default_factory=dict[str, SecretValues])
    away: bool = False
    # Seconds that it takes to answer.
    slow: float = 0.0

    async def read(self, instance: str, name: str) -> SecretValues:
        await asyncio.sleep(self.slow)
        if self.away:
            raise Unavailable("api does not answer.")
        if name not in self.secrets:
            raise ObjectNotFound("Secret", name)
        return self.secrets[name]

    def put(self, name: str, version: int, **values: str) -> None:
        self.secrets[name] = SecretValues(1, version, values)


@dataclass
class Ground:
    api: Api
    files: SecretFiles
    folder: Path
    want: state.Assignment

    @property
    def place(self) -> Path:
        return self.folder / "7-0-1/main/0"

    async def prepare(self) -> dict[str, str]:
        return await self.files.prepare(self.want, self.want.spec.containers[0])


@asynccontextmanager
async def grounded(tmp_path: Path) -> AsyncGenerator[Ground]:
    api, want, folder = Api(), assignment(), tmp_path / "secrets"
    api.put("login", 1, username="anna", password="one")
    api.put("key", 1, username="k", password="two")
    assigned = [want]
    (folder / "9-0-1").mkdir(parents=True)
    async with open_secret_files(
        folder, api.read, lambda: assigned, SecretSettings(refresh=10.0), LoopClock()
    ) as files:
        yield Ground(api, files, folder, want)


async def test_files_and_variables(tmp_path: Path) -> None:
    async with grounded(tmp_path) as ground:
        assert await ground.prepare() == {"KEY": "two"}
        found = {path.name: path.read_text() for path in ground.place.iterdir()}
        assert found == {"username": "anna", "password": "one"}
        assert not (ground.folder / "9-0-1").exists()
        assert ground.folder.stat().st_mode & 0o777 == 0o700


async def test_files_follow_a_secret_that_is_altered(tmp_path: Path) -> None:
    async with grounded(tmp_path) as ground:
        await ground.prepare()
        ground.api.put("login", 2, username="anna", password="new")
        await asyncio.sleep(11)
        assert (ground.place / "password").read_text() == "new"


async def test_files_stay_while_api_is_away(tmp_path: Path) -> None:
    async with grounded(tmp_path) as ground:
        await ground.prepare()
        ground.api.away = True
        await asyncio.sleep(30)
        assert (ground.place / "password").read_text() == "one"
        ground.api.away = False
        ground.api.put("login", 2, password="new")
        await asyncio.sleep(11)
        assert {path.name for path in ground.place.iterdir()} == {"password"}


async def test_a_secret_that_is_gone_or_has_no_such_key_stops_the_container(
    tmp_path: Path,
) -> None:
    async with grounded(tmp_path) as ground:
        ground.api.put("key", 2, secret_string="x")
        with pytest.raises(ValueInvalid, match="'password'"):
            await ground.prepare()
        del ground.api.secrets["login"]
        with pytest.raises(ObjectNotFound):
            await ground.prepare()


async def test_nothing_is_left_of_an_instance_that_is_gone(tmp_path: Path) -> None:
    async with grounded(tmp_path) as ground:
        await ground.prepare()
        ground.files.drop("7-0-1")
        await asyncio.sleep(30)
        assert list(ground.folder.iterdir()) == []


async def test_a_secret_that_arrives_after_its_instance_has_gone_is_not_kept(
    tmp_path: Path,
) -> None:
    async with grounded(tmp_path) as ground:
        await ground.prepare()
        ground.api.put("login", 2, username="anna", password="new")
        ground.api.slow = 5.0
        await asyncio.sleep(12)
        ground.files.drop("7-0-1")
        await asyncio.sleep(10)
        assert list(ground.folder.iterdir()) == []


def test_values_show_in_no_text() -> None:
    assert "hidden" not in repr(SecretValues(1, 1, {"password": "hidden"}))
