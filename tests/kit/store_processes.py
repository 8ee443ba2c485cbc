"""The stores under test as processes of their own: ours and Debian's etcd, on loopback."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit.ports import free_port

# Of the statestore's port to the port base.
_OFFSET = 79


@dataclass
class StoreProcess:
    """A store with a folder of its own; `kill` and `start` keep folder and port."""

    command: list[str]
    address: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Returns at once; clients wait for the first answer by themselves."""
        assert self._process is None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


def embedded(folder: Path, *, insecure: bool = True, **settings: str) -> StoreProcess:
    """`settings`: SNOWCAVE_STATESTORE__<NAME> without the prefix."""
    port, admin = free_port(), free_port()
    environment = {f"SNOWCAVE_STATESTORE__{name.upper()}": text for name, text in settings.items()}
    environment |= {
        "SNOWCAVE_STATESTORE__INSECURE": str(insecure).lower(),
        "SNOWCAVE_STATESTORE__PORT": str(port),
        "SNOWCAVE_STATESTORE__ADMIN_PORT": str(admin),
        "PYTHONPATH": str(Path(__file__).parents[2] / "services"),
    }
    command = [sys.executable, "-m", "snowcave", "daemon", "statestore", "--home", str(folder)]
    return StoreProcess(command, f"127.0.0.1:{port}", folder, environment)


def etcd(folder: Path, *also: str) -> StoreProcess:
    """It listens at the addresses `also`, too."""
    port, peer = free_port(), free_port()
    client_url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    options = {
        "data-dir": str(folder / "data"),
        "listen-client-urls": ",".join([client_url, *(f"http://{a}:{port}" for a in also)]),
        "advertise-client-urls": client_url,
        "listen-peer-urls": peer_url,
        "initial-advertise-peer-urls": peer_url,
        "initial-cluster": f"default={peer_url}",
        "max-txn-ops": "1024",
        "log-level": "error",
    }
    command = ["etcd", *(f"--{name}={text}" for name, text in options.items())]
    return StoreProcess(command, f"127.0.0.1:{port}", folder, {"ETCD_UNSUPPORTED_ARCH": "arm64"})


@contextmanager
def running(process: StoreProcess) -> Generator[StoreProcess]:
    process.start()
    try:
        yield process
    finally:
        process.kill()
