"""A ClickHouse for tests: its own engine behind HTTP (`clickhouse_server`), from .venvs/clickhouse, or the
server at SNOWCAVE_TEST_CLICKHOUSE_URL (user:password@ may stand in it)."""

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from snowcave.events.settings import ClickHouseSettings

_PYTHON = Path(__file__).parents[2] / ".venvs" / "clickhouse" / "bin" / "python"
_GIVEN = os.environ.get("SNOWCAVE_TEST_CLICKHOUSE_URL", "")


class ClickHouse:
    """A server of the test's own; its data outlive it."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Again on the same port."""
        program = Path(__file__).with_name("clickhouse_server.py")
        process = subprocess.Popen(
            [_PYTHON, program, self._folder, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"CLICKHOUSE_PASSWORD": self._password},
        )
        self._process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if (process := self._process) is not None:
            process.kill()
            process.communicate()
            self._process = None

    def settings(self, prefix: str = "test_") -> ClickHouseSettings:
        return ClickHouseSettings(
            url=f"http://127.0.0.1:{self.port}",
            password=self._password,
            prefix=prefix,
            insert_every=0.0,
        )

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def clickhouse(folder: Path, password: str = "") -> Generator[ClickHouse]:
    """Skips the test where the engine is not installed."""
    if not _PYTHON.exists():
        pytest.skip("ClickHouse's engine is not installed: scripts/test makes .venvs/clickhouse")
    folder.mkdir(parents=True, exist_ok=True)
    server = ClickHouse(folder, password)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def reachable(folder: Path) -> Generator[ClickHouseSettings]:
    """The given server, else one of the test's own. Skips where there is neither."""
    if not _GIVEN:
        with clickhouse(folder) as server:
            yield server.settings()
        return
    parts = urlsplit(_GIVEN)
    yield ClickHouseSettings(
        url=f"{parts.scheme}://{parts.hostname}:{parts.port or 8123}",
        user=parts.username or "default",
        password=parts.password or "",
        database=parts.path.strip("/") or "default",
        insert_every=0.0,
    )
