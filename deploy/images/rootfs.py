"""A container's root file system out of Debian packages: for machines that can pull no image.

    python3 deploy/images/rootfs.py OUT.tar --package python3 --file LOCAL:/in/the/image …

LOCAL may be a folder.

Standard library only; needs Debian's apt-get and dpkg-deb. Nothing is installed on the machine.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# What a Python server never reads in a container.
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")


def download(packages: list[str], folder: Path) -> list[Path]:
    """The packages with all that they depend on, as .deb files. Raises CalledProcessError."""
    (folder / "partial").mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "apt-get",
            "-qq",
            "-y",
            # Nothing counts as installed, so the whole closure comes down.
            "-oDir::State::status=/dev/null",
            f"-oDir::Cache::archives={folder}",
            "-oDebug::NoLocking=1",
            "-oAPT::Install-Recommends=0",
            "-oAPT::Sandbox::User=root",
            "--download-only",
            "install",
            *packages,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return sorted(folder.glob("*.deb"))


def unpack(packages: list[Path], root: Path) -> None:
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    for name in ("tmp", "run", "proc", "sys", "dev"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\n")


def pack(root: Path, files: list[tuple[Path, str]], out: Path) -> None:
    """Equal inputs give equal bytes, so that a second build pushes nothing new."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if info.name.startswith(_LEFT_OUT):
            return None
        info.mtime = 0
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return info

    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, str(path.relative_to(root)), recursive=False, filter=plain)
        for source, target in files:
            # A folder comes with all that is in it, in the same order each time.
            for path in [source, *sorted(source.rglob("*"))]:
                inside = Path(target.lstrip("/")) / path.relative_to(source)
                tar.add(path, str(inside), recursive=False, filter=plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--package", action="append", default=[])
    parser.add_argument("--file", action="append", default=[], metavar="LOCAL:TARGET")
    options = parser.parse_args()
    files = [(Path(local), target) for local, target in (f.split(":") for f in options.file)]
    with tempfile.TemporaryDirectory(prefix="snowcave-rootfs-") as folder:
        packages, root = Path(folder) / "packages", Path(folder) / "root"
        root.mkdir()
        if options.package:
            try:
                unpack(download(options.package, packages), root)
            except (OSError, subprocess.CalledProcessError) as error:
                sys.exit(f"cannot make a root file system from Debian packages: {error}")
        else:
            unpack([], root)
        pack(root, files, options.out)


if __name__ == "__main__":
    main()
