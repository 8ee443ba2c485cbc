"""A Docker engine for one test session: its own network namespace, roots and socket, gone afterwards.

In the root namespace `--bridge=none` would delete another engine's docker0, hence the namespace.
"""

import contextlib
import io
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_SECONDS = 30.0
_numbers = itertools.count()


@dataclass
class PrivateDocker:
    """`process` is replaced by start(); kill() leaves the containers running (live-restore)."""

    folder: Path
    namespace: str
    process: subprocess.Popen[bytes] | None = None
    registry: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / "docker.sock")

    @property
    def namespace_path(self) -> str:
        return f"/run/netns/{self.namespace}"

    def start(self) -> None:
        """dockerd, ready when its socket answers."""
        for stale in ("docker.pid", "exec/containerd/containerd.pid"):
            (self.folder / stale).unlink(missing_ok=True)
        folder = str(self.folder)
        with (self.folder / "dockerd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("nsenter", f"--net={self.namespace_path}", "dockerd"),
                    *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
                    *("--pidfile", f"{folder}/docker.pid", "-H", f"unix://{self.socket}"),
                    *("--bridge=none", "--iptables=false", "--ip-forward=false"),
                    *("--live-restore", "--exec-opt", "native.cgroupdriver=cgroupfs"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._until(lambda: _answers(self.socket), "dockerd")

    def kill(self) -> None:
        """SIGKILL of dockerd alone, as a crash."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(_SECONDS)

    def start_registry(self, port: int = 5000) -> str:
        """Debian's docker-registry beside the engine; its host:port as the engine sees it. Once a session."""
        config = self.folder / "registry.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/registry}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
        )
        with (self.folder / "registry.log").open("ab") as log:
            self.registry = subprocess.Popen(
                [
                    *("nsenter", f"--net={self.namespace_path}"),
                    *("docker-registry", "serve", str(config)),
                ],
                stdout=log,
                stderr=log,
            )
        probe = ["nsenter", f"--net={self.namespace_path}", "curl", "-fs", f"localhost:{port}/v2/"]
        self._until(lambda: subprocess.run(probe, capture_output=True).returncode == 0, "registry")
        return f"localhost:{port}"

    def docker(self, *arguments: str, data: bytes | None = None) -> str:
        """The docker command line against this engine."""
        done = subprocess.run(
            ["docker", "-H", f"unix://{self.socket}", *arguments],
            input=data,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def import_busybox(self, reference: str) -> None:
        """The machine's static busybox as an image with /bin/sh, /bin/sleep and the like."""
        self.docker(
            "import", "-c", 'CMD ["/bin/sleep","3600"]', "-", reference, data=busybox_tar()
        )

    def push_busybox(self, repository: str, registry: str = "localhost:5000") -> str:
        """As image `<registry>/<repository>`; returns its digest. Not kept by the engine."""
        reference = f"{registry}/{repository}:latest"
        self.import_busybox(reference)
        self.docker("push", reference)
        name = self.docker("image", "inspect", "-f", "{{index .RepoDigests 0}}", reference)
        self.docker("rmi", "-f", reference, name)
        return name.partition("@")[2]

    def stop(self) -> None:
        """Containers first, then the engine, then what it left behind."""
        with contextlib.suppress(AssertionError, subprocess.SubprocessError):
            if ids := self.docker("ps", "-aq").split():
                self.docker("rm", "-f", "-v", *ids)
        for process in (self.registry, self.process):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._end_containerd()
        with Path("/proc/mounts").open() as mounts:
            ours = [line.split()[1] for line in mounts if f" {self.folder}/" in line]
        for mount in reversed(ours):
            subprocess.run(["umount", "-l", mount], capture_output=True)

    def _end_containerd(self) -> None:
        """After a SIGKILL of dockerd its containerd may have been adopted by nobody."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "exec/containerd/containerd.pid").read_text())
            if f"{self.folder}/" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _SECONDS
        while not holds():
            if time.monotonic() > end:
                pytest.fail(f"{what} is not ready; see {self.folder}")
            time.sleep(0.05)


def busybox_tar() -> bytes:
    """A root file system of one static program."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add("/bin/busybox", "bin/busybox")
        for name in (
            "sh",
            "sleep",
            "cat",
            "echo",
            "nc",
            "httpd",
            "hostname",
            "head",
            "yes",
            "seq",
        ):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


@contextmanager
def private_docker(purpose: str) -> Generator[PrivateDocker]:
    """An engine named by this process and `purpose`, so that several may run at once."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("needs root and dockerd")
    namespace = f"sct-{os.getpid()}-{purpose}{next(_numbers)}"
    # A short path: a Unix socket's has room for 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix=f"{namespace}-", dir="/tmp"))
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
    engine = PrivateDocker(folder, namespace)
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()
        subprocess.run(["ip", "netns", "delete", namespace], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(path)
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in client.recv(100)
        except OSError:
            return False


@pytest.fixture(scope="session")
def docker_engine() -> Generator[PrivateDocker]:
    with private_docker("engine") as engine:
        yield engine
