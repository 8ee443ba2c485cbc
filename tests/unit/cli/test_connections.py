"""`snowcave connection add` among connections that are there already."""

import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from snowcave.cli import connections
from snowcave.cli.main import main
from snowcave.runtime.settings import read_mesh

OTHERS = """# mine
[work]  # the real one
account = "acme"
password = "secret"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of an instance."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "mesh.toml").write_text("port_base = 9400\n")
    (home / "admin.password").write_text("pass-word\n")
    return home


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "user" / "snowflake"


def add(home: Path, place: Path, *more: str) -> Result:
    arguments = ["connection", "add", "--home", str(home), "--folder", str(place), *more]
    return CliRunner().invoke(main, arguments)


def read(path: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads(path.read_text())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_user_without_connections_gets_a_file_that_nobody_else_reads(home: Path, place: Path):
    done = add(home, place, "--database", "DB")
    assert done.exit_code == 0, done.output
    path = place / "connections.toml"
    assert read(path) == {
        "snowcave": {
            "account": "LOCAL-SNOWCAVE",
            "user": "ADMIN",
            "password": "pass-word",
            "host": "127.0.0.1",
            "port": 9400,
            "protocol": "http",
            "database": "DB",
        }
    }
    assert (mode(path), mode(place)) == (0o600, 0o700)
    assert "pass-word" not in done.output
    assert [one.name for one in place.iterdir()] == ["connections.toml"]


def test_other_connections_stay_to_the_letter(home: Path, place: Path):
    place.mkdir(parents=True)
    path = place / "connections.toml"
    path.write_text(OTHERS)
    path.chmod(0o644)
    assert add(home, place).exit_code == 0
    assert path.read_text().startswith(OTHERS)
    assert set(read(path)) == {"work", "snowcave"}
    assert mode(path) == 0o600


def test_where_connections_are_in_config_toml_the_entry_goes_there(home: Path, place: Path):
    """A connections.toml beside it would hide them all."""
    place.mkdir(parents=True)
    config = place / "config.toml"
    config.write_text('default_connection_name = "work"\n[connections.work]\naccount = "acme"\n')
    assert add(home, place).exit_code == 0
    assert not (place / "connections.toml").exists()
    found = read(config)
    assert found["default_connection_name"] == "work"
    assert set(found["connections"]) == {"work", "snowcave"}


def test_a_config_toml_without_connections_is_left_alone(home: Path, place: Path):
    place.mkdir(parents=True)
    config = place / "config.toml"
    config.write_text('[cli]\nquiet = "yes"\n')
    assert add(home, place).exit_code == 0
    assert config.read_text() == '[cli]\nquiet = "yes"\n'
    assert set(read(place / "connections.toml")) == {"snowcave"}


def test_the_same_again_changes_nothing_and_another_is_refused_unless_replaced(
    home: Path, place: Path
):
    path = place / "connections.toml"
    assert add(home, place).exit_code == 0
    before = path.stat()
    assert "is there already" in add(home, place).output
    assert path.stat().st_ino == before.st_ino
    (home / "admin.password").write_text("changed\n")
    refused = add(home, place)
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    assert read(path)["snowcave"]["password"] == "pass-word"
    assert add(home, place, "--name", "second").exit_code == 0
    assert add(home, place, "--replace").exit_code == 0
    assert {name: one["password"] for name, one in read(path).items()} == {
        "snowcave": "changed",
        "second": "changed",
    }


@pytest.mark.parametrize("text", ["[work", "connections = 3\n[connections]\n"])
def test_a_file_that_is_not_toml_is_not_touched(home: Path, place: Path, text: str):
    place.mkdir(parents=True)
    path = place / "connections.toml"
    path.write_text(text)
    done = add(home, place)
    assert done.exit_code == 1
    assert "nothing was changed" in done.output
    assert path.read_text() == text


def test_a_section_that_is_no_table_is_not_touched(home: Path, place: Path):
    place.mkdir(parents=True)
    (place / "config.toml").write_text("connections = 3\n")
    assert "is no table" in add(home, place).output
    assert (place / "config.toml").read_text() == "connections = 3\n"


def test_a_link_is_followed(home: Path, place: Path, tmp_path: Path):
    place.mkdir(parents=True)
    real = tmp_path / "dotfiles.toml"
    real.write_text(OTHERS)
    (place / "connections.toml").symlink_to(real)
    assert add(home, place).exit_code == 0
    assert (place / "connections.toml").is_symlink()
    assert set(read(real)) == {"work", "snowcave"}


def test_the_clients_folder_is_found_as_they_find_it(tmp_path: Path):
    mine = connections.Owner(os.geteuid(), os.getegid(), tmp_path)
    assert connections.folder({}, mine) == tmp_path / ".config/snowflake"
    assert connections.folder({"XDG_CONFIG_HOME": "/x"}, mine) == Path("/x/snowflake")
    (tmp_path / ".snowflake").mkdir()
    assert connections.folder({"XDG_CONFIG_HOME": "/x"}, mine) == tmp_path / ".snowflake"
    assert connections.folder({"SNOWFLAKE_HOME": "~/own"}, mine) == tmp_path / "own"
    assert connections.folder({"SNOWFLAKE_HOME": "/there"}, mine) == Path("/there")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_with_sudo_the_file_is_the_caller_s(home: Path, place: Path):
    environ = {"SUDO_UID": "65534", "HOME": "/root"}
    mine = connections.owner(environ)
    assert mine.uid == 65534
    assert mine.home != Path("/root")
    path = connections.add(place, "one", {"account": "a"}, mine)
    assert path is not None
    assert {one.stat().st_uid for one in (path, place, place.parent)} == {65534}


def test_the_home_has_the_administrator_s_connection_beside_what_was_put_there(home: Path):
    mesh, said = read_mesh(home, {}), list[str]()
    (home / "connections.toml").write_text(OTHERS)
    connections.keep(mesh, said.append)
    (home / "admin.password").write_text("changed\n")
    connections.keep(mesh, said.append)
    found = read(home / "connections.toml")
    assert (found["snowcave"]["password"], found["work"]["account"]) == ("changed", "acme")
    assert mode(home / "connections.toml") == 0o600
    assert said == []
