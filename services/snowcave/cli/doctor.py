"""`snowcave doctor`: what this machine lacks, each with what to do about it."""

import asyncio
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from snowcave.cli import configuration
from snowcave.cli.options import home_option, read_settings
from snowcave.cli.supervisor import engine, processes, readiness
from snowcave.hypervisor import machine
from snowcave.model.families import FAMILIES, GIB
from snowcave.runtime import settings
from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` is empty where all is well; `fatal` findings keep Snowcave from running."""

    subject: str
    text: str
    advice: str = ""
    fatal: bool = True


@click.command()
@home_option
def doctor(home: Path | None) -> None:
    """Check the machine: engine, kernel features, ports, names."""
    findings = list(examine(read_settings(home)))
    for finding in findings:
        mark = "ok  " if not finding.advice else "FAIL" if finding.fatal else "note"
        click.echo(f"{mark}  {finding.subject}: {finding.text}")
        if finding.advice:
            click.echo(f"      → {finding.advice}")
    if any(finding.advice and finding.fatal for finding in findings):
        sys.exit(1)


def examine(mesh: Mesh) -> Iterator[Finding]:
    yield _platform()
    yield from _programs()
    yield from _kernel()
    yield from volumes(Path("/dev"))
    yield _engine(mesh)
    yield capacity(mesh, machine.read())
    yield _settings(mesh)
    yield from _daemons(mesh)
    yield _names(mesh)


def _platform() -> Finding:
    text = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if platform.system() != "Linux":
        return Finding("platform", text, "Snowcave runs on Linux only.")
    if os.geteuid() != 0:
        return Finding("platform", text, "Run Snowcave as root: it makes network namespaces.")
    return Finding("platform", text)


_PROGRAMS = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux", "setpriv": "util-linux"}


def _programs() -> Iterator[Finding]:
    for program, package in _PROGRAMS.items():
        path = shutil.which(program)
        if path:
            yield Finding(program, path)
        else:
            yield Finding(program, "not found", f"Install the package {package}.")


def _kernel() -> Iterator[Finding]:
    for kind in ("net", "mnt", "pid"):
        if not Path(f"/proc/self/ns/{kind}").exists():
            yield Finding("kernel", f"no {kind} namespaces", "Use a kernel with namespaces.")
    version = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    if Path("/sys/fs/cgroup").is_dir() and os.listdir("/sys/fs/cgroup"):
        yield Finding("cgroups", version)
    else:
        yield Finding("cgroups", "not mounted", "Mount /sys/fs/cgroup (systemd does).")


_VOLUME_PROGRAMS = {
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "fsfreeze": "util-linux",
}
_VOLUME_DEVICES = {"loop-control": "block volumes", "fuse": "stage volumes"}


def volumes(devices: Path) -> Iterator[Finding]:
    """What only services with such volumes need."""
    for device, what in _VOLUME_DEVICES.items():
        path = devices / device
        if path.exists():
            yield Finding(what, f"{path} is there")
        else:
            advice = f"Load the kernel's module for {path} (modprobe)."
            yield Finding(what, f"no {path}", advice, fatal=False)
    for program, package in _VOLUME_PROGRAMS.items():
        if shutil.which(program) is None:
            advice = f"Install the package {package}."
            yield Finding("block volumes", f"{program} not found", advice, fatal=False)


def _engine(mesh: Mesh) -> Finding:
    socket_path = asyncio.run(engine.choose(mesh))
    if asyncio.run(engine.answers(socket_path)):
        return Finding("container engine", f"answers at {socket_path}")
    if engine.installed():
        return Finding(
            "container engine", "none answers; dockerd is installed, `up` starts its own"
        )
    return Finding(
        "container engine",
        "none answers and dockerd is not installed",
        "Install Docker Engine (Debian: apt-get install docker.io).",
    )


def capacity(mesh: Mesh, has: machine.Machine) -> Finding:
    """Which nodes would be larger than this machine, and what becomes of them."""
    larger = [
        family
        for family in FAMILIES.values()
        if family.cpu_milli > has.cpu_milli
        or family.memory_bytes > has.memory_bytes
        or family.gpu_count > has.gpu
    ]
    text = f"{has.cpu_milli / 1000:g} vCPU, {has.memory_bytes / GIB:.1f} GiB, {has.gpu} GPU"
    if not larger:
        return Finding("capacity", f"{text}: nodes of every instance family fit")
    text += f"; nodes of {len(larger)} of {len(FAMILIES)} instance families are larger"
    if mesh.strict_capacity:
        return Finding("capacity", f"{text} and are refused (strict_capacity)")
    return Finding(
        "capacity",
        text,
        "They run: their limits are cut down to what the machine has, GPUs that it lacks are counted but "
        "not visible in containers. With strict_capacity = true in [mesh] such pools are refused.",
        fatal=False,
    )


def _settings(mesh: Mesh) -> Finding:
    try:
        configuration.check(mesh, settings.environment())
    except settings.SettingsInvalid as error:
        return Finding("settings", str(error), f"Correct it in {mesh.home / 'snowcave.toml'}.")
    return Finding("settings", f"{mesh.home} is consistent")


def _daemons(mesh: Mesh) -> Iterator[Finding]:
    """What runs, or where nothing does, whether it could."""
    if processes.read_pid(mesh.folder("run") / "up.pid") is None:
        yield _ports(mesh)
        return
    for answer in asyncio.run(readiness.ask_all(mesh)):
        if answer.ready:
            yield Finding(str(answer.role), "ready")
        else:
            text = f"waits for {', '.join(answer.waiting_for)}"
            if answer.waiting_for == readiness.SILENT:
                text = "does not answer"
            yield Finding(str(answer.role), text, f"snowcave logs --daemon {answer.role}")


def _ports(mesh: Mesh) -> Finding:
    taken = [mesh.port_base + n for n in range(100) if not _is_free(mesh.port_base + n)]
    if not taken:
        return Finding("ports", f"{mesh.port_base}…{mesh.port_base + 99} are free")
    return Finding(
        "ports",
        "in use: " + ", ".join(map(str, taken)),
        "Start with another --port-base; 100 ports from there on are used.",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _names(mesh: Mesh) -> Finding:
    """curl and browsers know *.localhost by themselves; others ask the system's resolver."""
    name = f"doctor.{mesh.ingress_domain}"
    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror:
        return Finding(
            "names",
            f"{name} does not resolve for programs that ask the system",
            "Install libnss-myhostname (Debian) or let your DNS answer for the ingress domain.",
            fatal=False,
        )
    return Finding("names", f"*.{mesh.ingress_domain} resolves")
