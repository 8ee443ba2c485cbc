"""Paths of files on stages: what may be one, and how `@db.schema.stage/dir` is read.

A path that `checked` lets through names one file below a folder, whatever its characters are, and nothing
outside of it.
"""

import re
from dataclasses import dataclass

from snowcave.model.errors import Unsupported, ValueInvalid
from snowcave.model.names import ObjectName, fold

# As cloud stores have it, in bytes of UTF-8; a part must be a file name.
_LONGEST = 1024
_LONGEST_PART = 255
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_STAGE = re.compile(rf"@(?P<name>{_NAME}(?:\.{_NAME}){{0,2}})(?P<path>/.*)?\Z", re.DOTALL)
_PARTS = re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class StagePath:
    """`path` has no slash at its begin; empty, it means the whole stage."""

    stage: ObjectName
    path: str = ""
    # The stage as written, with its @ and without the path.
    spelling: str = ""


def parse_stage_path(text: str) -> StagePath:
    """Raises ValueInvalid, and Unsupported for the stages of users and tables."""
    if text.startswith(("@~", "@%")) or ".%" in text.partition("/")[0]:
        raise Unsupported("user and table stages")
    found = _STAGE.match(text)
    if found is None:
        raise ValueInvalid(f"SQL compilation error:\ninvalid stage reference '{text[:256]}'.")
    parts = [fold(part) for part in _PARTS.findall(found["name"])]
    return StagePath(
        ObjectName(*reversed(parts)),
        prefix(found["path"] or ""),
        text[: len(text) - len(found["path"] or "")],
    )


def prefix(path: str) -> str:
    """The begin of paths, as LIST and REMOVE take it: a slash at its end stays."""
    parts = _parts(path)
    tail = "/" if parts and path.endswith("/") else ""
    return "/".join(parts) + tail


def checked(path: str) -> str:
    """The path of one file in its one form. Raises ValueInvalid where it can be none."""
    found = "/".join(_parts(path))
    if not found:
        raise _invalid(path)
    return found


def joined(folder: str, name: str) -> str:
    """The path of a file that is put into a folder of a stage."""
    return checked(f"{folder}/{name}")


def _parts(path: str) -> list[str]:
    try:
        if len(path.encode()) > _LONGEST:
            raise _invalid(path)
    except UnicodeEncodeError:
        raise _invalid(path) from None
    parts = [part for part in path.split("/") if part]
    for part in parts:
        too_long = len(part.encode()) > _LONGEST_PART
        if too_long or part in (".", "..") or any(ord(c) < 32 or ord(c) == 127 for c in part):
            raise _invalid(path)
    return parts


def _invalid(path: str) -> ValueInvalid:
    shown = path[:256].encode(errors="replace").decode()
    return ValueInvalid(f"SQL compilation error:\ninvalid path '{shown}' of a file on a stage.")
