"""Connections of the snow CLI and of the connectors, as their TOML files have them.

Both read `connections.toml` in their folder where it exists, and then nothing of the `[connections]` in the
`config.toml` beside it. An entry goes where they look already, so that none of another's disappears; all
else in the file, comments included, stays as it is. Passwords stand in it: nobody but the owner may read it.
"""

import os
import pwd
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from snowcave.runtime.mesh import Mesh

Entry = Mapping[str, str | int]
FILE, SHARED_FILE = "connections.toml", "config.toml"
_SECTION = "connections"


class NotAdded(Exception):
    """The text says why, and what helps."""


@dataclass(frozen=True)
class Owner:
    """Whose files they are: with sudo the one who called it, not root."""

    uid: int
    gid: int
    home: Path


def owner(environ: Mapping[str, str]) -> Owner:
    if os.geteuid() == 0 and environ.get("SUDO_UID", "").isdigit():
        known = pwd.getpwuid(int(environ["SUDO_UID"]))
        return Owner(known.pw_uid, known.pw_gid, Path(known.pw_dir))
    return Owner(os.geteuid(), os.getegid(), Path(environ.get("HOME") or Path.home()))


def folder(environ: Mapping[str, str], mine: Owner) -> Path:
    """Where the clients of this user look."""
    if named := environ.get("SNOWFLAKE_HOME"):
        return Path(named.replace("~", str(mine.home), 1) if named.startswith("~") else named)
    if (mine.home / ".snowflake").exists():
        return mine.home / ".snowflake"
    base = environ.get("XDG_CONFIG_HOME") if mine.uid == os.geteuid() else None
    return Path(base or mine.home / ".config") / "snowflake"


def entry(mesh: Mesh, user: str, password: str) -> dict[str, str | int]:
    return {
        "account": f"{mesh.organization}-{mesh.account}",
        "user": user,
        "password": password,
        "host": "127.0.0.1" if mesh.listen in ("", "0.0.0.0", "::") else mesh.listen,
        "port": mesh.port("api"),
        "protocol": "http",
    }


def add(
    place: Path, name: str, wanted: Entry, mine: Owner, *, replace: bool = False
) -> Path | None:
    """The file that has it now; None where it had it before. Raises NotAdded."""
    shared, own = place / SHARED_FILE, place / FILE
    path = shared if not own.exists() and _SECTION in _read(shared) else own
    document = _read(path)
    section: Any = document if path == own else document[_SECTION]
    if not isinstance(section, MutableMapping):
        raise NotAdded(f"{_SECTION} in {path} is no table; nothing was changed.")
    if name in section:
        if section[name] == wanted:
            return None
        if not replace:
            raise NotAdded(
                f"{path} has another connection {name}: --replace changes it, --name adds one beside it."
            )
    section[name] = dict(wanted)
    _write(path, tomlkit.dumps(document), mine)
    return path


def keep(mesh: Mesh, say: Callable[[str], None]) -> None:
    """The administrator's connection in the home itself, for SNOWFLAKE_HOME; as good as it can be."""
    password = mesh.home / "admin.password"
    if not password.exists():  # another machine made the account
        return
    mine = Owner(os.geteuid(), os.getegid(), mesh.home)
    try:
        wanted = entry(mesh, "ADMIN", password.read_text().strip())
        add(mesh.home, "snowcave", wanted, mine, replace=True)
    except (NotAdded, OSError) as error:
        say(f"The clients' connection is not up to date: {error}")


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text())
    except FileNotFoundError:
        return tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise NotAdded(f"{path} is not TOML ({error}); nothing was changed.") from error


def _write(path: Path, text: str, mine: Owner) -> None:
    """All at once, through a link that somebody put there."""
    path = path.resolve()
    missing = [one for one in (path.parent, *path.parent.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700)
        os.chown(one, mine.uid, mine.gid)
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w") as file:
            file.write(text)
        os.chown(temporary, mine.uid, mine.gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
