"""Settings are refused before anything is started with them."""

import importlib
from pathlib import Path

import pytest

from snowcave.cli import configuration
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import SettingsInvalid


@pytest.mark.parametrize("daemon", configuration.DAEMONS)
def test_the_type_found_by_name_is_the_one_the_daemon_runs_with(daemon: str):
    described = importlib.import_module(f"snowcave.{daemon}.main").DAEMON
    assert configuration.settings_type(daemon) is described.settings


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[apii]\nx = 1\n", r"\[apii\]: no such table"),
        ("[api]\nbogus = 2\n", "api.bogus"),
        ("[dns]\nmesh = 3\n", "dns.mesh"),
        ("[registry.limits]\nchunk = 'x'\n", "registry.limits.chunk"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str):
    (tmp_path / "snowcave.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=named):
        configuration.check(Mesh(home=tmp_path), {})


def test_a_wrong_variable_is_named(tmp_path: Path):
    with pytest.raises(SettingsInvalid, match=r"events\.bogus"):
        configuration.check(Mesh(home=tmp_path), {"SNOWCAVE_EVENTS__BOGUS": "1"})


@pytest.mark.parametrize("daemon", configuration.DAEMONS)
def test_an_empty_table_is_every_daemons_default(tmp_path: Path, daemon: str):
    (tmp_path / "snowcave.toml").write_text(f"[{daemon}]\n")
    configuration.check(Mesh(home=tmp_path), {})
