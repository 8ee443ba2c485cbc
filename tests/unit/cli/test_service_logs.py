"""`snowcave logs` of a service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from snowcave.cli import logs as command
from snowcave.client import Result
from snowcave.model.errors import Kind, RemoteError
from snowcave.v1.sql_pb2 import LoginRequest


class WithoutContainers:
    async def execute(self, sql: str) -> Result:
        assert sql == "SHOW SERVICE CONTAINERS IN SERVICE d.s.x"
        return Result()


@asynccontextmanager
async def opened(*_: object) -> AsyncGenerator[WithoutContainers]:
    yield WithoutContainers()


def test_a_service_without_containers_is_said_to_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "open_session", opened)
    arguments = ["--home", str(tmp_path), "--password", "p", "d.s.x"]
    result = CliRunner().invoke(command.logs, arguments)
    assert result.exit_code == 1
    assert "d.s.x has no containers now" in result.output


class WithoutPlace:
    async def execute(self, sql: str) -> Result:
        raise RemoteError(Kind.INVALID, 90105, "22000", "Cannot perform operation.")


@pytest.mark.parametrize("wish", [[], ["--database", "d", "--schema", "s"]])
def test_a_service_without_a_place_is_asked_for_and_looked_for_where_the_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: list[str]
) -> None:
    logins: list[LoginRequest] = []

    @asynccontextmanager
    async def placeless(_: object, login: LoginRequest) -> AsyncGenerator[WithoutPlace]:
        logins.append(login)
        yield WithoutPlace()

    monkeypatch.setattr(command, "open_session", placeless)
    arguments = ["--home", str(tmp_path), "--password", "p", *wish, "x"]
    result = CliRunner().invoke(command.logs, arguments)
    assert result.exit_code == 1
    assert "Name it DB.SCHEMA.x, give --database and --schema" in result.output
    assert [one for one in (logins[0].database, logins[0].schema) if one] == wish[1::2]


def test_a_daemon_s_log_is_followed_also_when_it_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("old\n")
    size = path.stat().st_size
    growth = command.daemon_growth(path, size)
    with path.open("a") as file:
        file.write("new\n")
    assert command.daemon_lines(path, size, 10) == ["old"]
    assert next(growth) == b"new\n"
    path.with_suffix(".new").write_text("another file\n")
    path.with_suffix(".new").rename(path)
    assert next(growth) == b"another file\n"
