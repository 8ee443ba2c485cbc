"""Settings: frozen dataclasses filled from `<home>/snowcave.toml`, `<home>/mesh.toml` and SNOWCAVE_*.

Read once, in cli/, and passed down: nothing below a daemon's main.py reads the environment.
"""

import dataclasses
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from snowcave.runtime.mesh import DEFAULT_HOME, Mesh

S = TypeVar("S")

# Stands for a secret in what is shown.
_HIDDEN = "****"


class SettingsInvalid(Exception):
    """The text names the setting: `scheduler.lease.ttl: …`."""


def read_mesh(home: Path | None, environ: Mapping[str, str], **overrides: Any) -> Mesh:
    """The mesh of a home: mesh.toml (what `up` decided), then snowcave.toml, SNOWCAVE_*, overrides.

    Raises SettingsInvalid on an unknown or ill-typed setting.
    """
    where = home or Path(environ.get("SNOWCAVE_HOME", str(DEFAULT_HOME)))
    values: dict[str, Any] = {"home": str(where)}
    values.update(_toml(where / "mesh.toml"))
    values.update(_toml(where / "snowcave.toml").get("mesh", {}))
    values.update(_environment("SNOWCAVE_MESH__", environ))
    values.update({k: v for k, v in overrides.items() if v is not None})
    values["home"] = str(where)
    return build(Mesh, values, "mesh")


def read(kind: type[S], section: str, mesh: Mesh, environ: Mapping[str, str]) -> S:
    """One daemon's settings: its section of snowcave.toml, then SNOWCAVE_<SECTION>__<NAME>[__<NAME>].

    Raises SettingsInvalid.
    """
    values: dict[str, Any] = dict(_toml(mesh.home / "snowcave.toml").get(section, {}))
    _merge(values, _environment(f"SNOWCAVE_{section.upper()}__", environ))
    if any(f.name == "mesh" for f in dataclasses.fields(kind)):  # type: ignore[arg-type]
        if "mesh" in values:
            raise SettingsInvalid(f"{section}.mesh: these stand in the table [mesh].")
        values["mesh"] = mesh
    return build(kind, values, section)


def build(kind: type[S], values: Mapping[str, Any], path: str) -> S:
    """A dataclass from plain values; texts are converted to the field's type."""
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise SettingsInvalid(f"{path}.{name}: no such setting. There are: {known}")
    return kind(**{k: _convert(v, hints[k], f"{path}.{k}") for k, v in values.items()})


def plain(settings: Any) -> Any:
    """For --print-config: nothing but dicts, lists and scalars, and no text that is a secret.

    A field is one where it keeps itself out of its dataclass's representation.
    """
    if dataclasses.is_dataclass(settings):
        return {
            f.name: plain(getattr(settings, f.name)) if f.repr else _HIDDEN
            for f in dataclasses.fields(settings)
        }
    if isinstance(settings, (tuple, list)):
        return [plain(item) for item in settings]  # pyright: ignore[reportUnknownVariableType]
    return settings if isinstance(settings, (int, float, bool, str)) else str(settings)


def _convert(value: Any, hint: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        if not isinstance(value, Mapping):
            raise SettingsInvalid(f"{path}: want a table, got {value!r}")
        return build(hint, value, path)  # type: ignore[arg-type]
    if isinstance(hint, types.UnionType):
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
    origin = typing.get_origin(hint)
    try:
        if origin is tuple:
            items = value.split(",") if isinstance(value, str) else value
            inner = typing.get_args(hint)[0]
            return tuple(_convert(item, inner, path) for item in items if item != "")
        if hint is bool:
            return _boolean(value)
        if origin is typing.Literal:
            if value not in typing.get_args(hint):
                raise ValueError
            return value
        return hint(value)
    except (TypeError, ValueError) as error:
        raise SettingsInvalid(f"{path}: {value!r} is not a {hint}") from error


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if (word := words.get(str(value).lower())) is None:
        raise ValueError(value)
    return word


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{path}: {error}") from error


def _environment(prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(prefix):
            node = found
            *outer, last = name.removeprefix(prefix).lower().split("__")
            for step in outer:
                node = node.setdefault(step, {})
            node[last] = value
    return found


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def environment() -> Mapping[str, str]:
    """The process environment; for cli/ alone."""
    return os.environ
