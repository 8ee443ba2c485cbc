"""Python environments with one version of Snowflake's connector each, made once and kept in a cache."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

V4 = "snowflake-connector-python==4.7.5"
V5 = "snowflake-connector-python==5.2.0"

_INSTALL = 600.0
_RUN = 120.0


def cache() -> Path:
    named = os.environ.get("SNOWCAVE_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "snowcave-tests"


def python_with(requirement: str) -> Path:
    """The interpreter of an environment that has the requirement; safe to call from two runs at once."""
    folder = cache() / requirement.replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder / "complete"
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _run("uv", "venv", "-q", "--clear", "--python", sys.executable, str(folder))
            python = str(folder / "bin" / "python")
            _run("uv", "pip", "install", "-q", "--python", python, requirement)
            done.touch()
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_INSTALL, capture_output=True)


def run_script(python: Path, script: Path, *arguments: str) -> Any:
    """What the script printed, as JSON. Raises AssertionError with its words where it failed."""
    environment = {
        name: value for name, value in os.environ.items() if "proxy" not in name.lower()
    }
    environment["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
    environment["SNOWFLAKE_HOME"] = str(script.parent / "no-such-home")
    done = subprocess.run(
        [str(python), str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=_RUN,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)
