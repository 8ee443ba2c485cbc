"""All settings of an instance, checked before anything is started with them."""

import importlib
import tomllib
from collections.abc import Mapping
from typing import Any

from snowcave.runtime import settings
from snowcave.runtime.mesh import Mesh

DAEMONS = (
    "statestore",
    "hypervisor",
    "api",
    "warehouse",
    "registry",
    "scheduler",
    "agent",
    "dns",
    "ingress",
    "functions",
    "events",
)


def settings_type(daemon: str) -> type[Any]:
    """The settings dataclass of a daemon, without importing the daemon."""
    module = importlib.import_module(f"snowcave.{daemon}.settings")
    return getattr(module, f"{daemon.capitalize()}Settings")


def check(mesh: Mesh, environ: Mapping[str, str]) -> None:
    """Raises SettingsInvalid, which names the setting, on the first that no daemon would take."""
    try:
        with (mesh.home / "snowcave.toml").open("rb") as file:
            tables = tomllib.load(file)
    except FileNotFoundError:
        tables = {}
    known = {"mesh", *DAEMONS}
    if unknown := sorted(set(tables) - known):
        raise settings.SettingsInvalid(
            f"snowcave.toml, [{unknown[0]}]: no such table. There are: {', '.join(sorted(known))}"
        )
    for daemon in DAEMONS:
        prefix = f"SNOWCAVE_{daemon.upper()}__"
        if daemon in tables or any(name.startswith(prefix) for name in environ):
            settings.read(settings_type(daemon), daemon, mesh, environ)
