"""No path of a stage's file leads out of its folder, whatever its characters."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.model import stage_path
from snowcave.model.errors import SnowcaveError, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.model.stage_path import parse_stage_path

ROOT = Path("/root/of/stage")
RISKY = st.text(st.sampled_from("./\\~@%\"'\0\n ü*a"), max_size=40)


@given(st.one_of(st.text(max_size=80), RISKY))
def test_what_is_let_through_lies_below_the_folder(text: str) -> None:
    try:
        path = stage_path.checked(text)
    except ValueInvalid:
        return
    parts = path.split("/")
    assert all(part not in ("", ".", "..") for part in parts)
    assert not any(ord(c) < 32 for c in path)
    assert (ROOT / path).is_relative_to(ROOT)
    assert (ROOT / path) != ROOT
    # One file has one path, and it can be written to disk.
    assert stage_path.checked(path) == path
    path.encode()


@given(st.one_of(st.text(max_size=80), RISKY))
def test_a_prefix_is_the_begin_of_paths_or_refused(text: str) -> None:
    try:
        prefix = stage_path.prefix(text)
    except ValueInvalid:
        return
    assert not prefix.startswith("/")
    assert "//" not in prefix
    assert ".." not in prefix.split("/")


@given(st.text(max_size=60))
def test_any_reference_is_read_or_refused(text: str) -> None:
    try:
        found = parse_stage_path("@" + text)
    except SnowcaveError:
        return
    assert found.stage.name
    assert found.spelling == "@" + text[: len(found.spelling) - 1]


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("@st", ObjectName("ST"), ""),
        ("@st/", ObjectName("ST"), ""),
        ("@st/dir/a.txt", ObjectName("ST"), "dir/a.txt"),
        ("@st//dir///a.txt", ObjectName("ST"), "dir/a.txt"),
        ("@st/dir/", ObjectName("ST"), "dir/"),
        ('@"my db".sc."st.x"/My Dir', ObjectName("st.x", "SC", "my db"), "My Dir"),
        ("@db.sc.st/ü", ObjectName("ST", "SC", "DB"), "ü"),
    ],
)
def test_references_to_stages(text: str, name: ObjectName, path: str) -> None:
    found = parse_stage_path(text)
    assert (found.stage, found.path) == (name, path)


@pytest.mark.parametrize(
    "text", ["@", "@/a", "@a.b.c.d", "@st/../x", "@st/a/./b", "@st/a\0b", "st"]
)
def test_references_that_are_none(text: str) -> None:
    with pytest.raises(ValueInvalid):
        parse_stage_path(text)


@pytest.mark.parametrize("text", ["@~", "@~/a", "@%t", "@db.sc.%t/a"])
def test_stages_of_users_and_tables_are_not_built(text: str) -> None:
    with pytest.raises(Unsupported):
        parse_stage_path(text)


@pytest.mark.parametrize("path", ["x" * 256, "a/" * 600 + "a", "ü" * 128])
def test_names_that_no_disk_would_take(path: str) -> None:
    with pytest.raises(ValueInvalid):
        stage_path.checked(path)
