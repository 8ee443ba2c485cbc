"""Stage files on disk: whole or not at all, under any name, and never another stage's."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from snowcave.model.errors import Exhausted, ObjectNotFound, ValueInvalid
from snowcave.v1 import stages_pb2 as pb
from snowcave.warehouse.settings import StageSettings
from snowcave.warehouse.stages.files import FileInfo, StageFiles
from snowcave.warehouse.stages.service import StageServicer, matching

STAGE = 4711


def put(
    files: StageFiles, path: str, content: bytes, *, overwrite: bool = True, stage: int = STAGE
) -> FileInfo | None:
    upload = files.begin(1 << 20)
    try:
        upload.write(content)
        return files.finish(upload, stage, path, overwrite=overwrite, client_digest="d")
    finally:
        upload.close()


def content(files: StageFiles, path: str) -> bytes:
    _, file = files.open(STAGE, path)
    with file:
        return file.read()


def test_a_file_is_replaced_or_kept(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    assert put(files, "dir/a b.txt", b"one") is not None
    assert put(files, "dir/a b.txt", b"two", overwrite=False) is None
    assert content(files, "dir/a b.txt") == b"one"
    made = put(files, "dir/a b.txt", b"three")
    assert made is not None
    assert (made.size, made.client_digest) == (5, "d")
    assert made.md5 == "35d6d33467aae9a2e3dccb4b6b027878"
    assert files.describe(STAGE, "dir/a b.txt") == made
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_what_is_known_of_a_file_is_made_anew_where_it_was_lost_or_is_of_another(
    tmp_path: Path,
) -> None:
    files = StageFiles(tmp_path)
    first = put(files, "a", b"one")
    assert first is not None
    (about,) = (tmp_path / str(STAGE) / "about").iterdir()
    about.write_text("{torn")
    again = files.describe(STAGE, "a")
    assert (again.md5, again.size) == (first.md5, 3)
    # A file that changed behind it.
    (files.data(STAGE) / "a").write_bytes(b"other")
    assert files.describe(STAGE, "a").md5 == "795f3202b17cb6bc3d4b771d8c6c9eaf"


def test_a_reader_goes_on_with_what_it_opened(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    put(files, "a", b"one")
    _, file = files.open(STAGE, "a")
    put(files, "a", b"two")
    with file:
        assert file.read() == b"one"


def test_a_file_cannot_be_a_folder_too(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    put(files, "a/b", b"x")
    put(files, "c", b"x")
    for path in ("a", "c/d"):
        for overwrite in (True, False):
            with pytest.raises(ValueInvalid, match="cannot be a file"):
                put(files, path, b"y", overwrite=overwrite)
    assert sorted(files.paths(STAGE, "")) == ["a/b", "c"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/", "", "a\0b"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    files = StageFiles(tmp_path / "stages")
    with pytest.raises(ValueInvalid):
        put(files, path, b"x")
    with pytest.raises(ValueInvalid):
        files.open(STAGE, path)
    with pytest.raises(ValueInvalid):
        files.remove(STAGE, path)
    assert [one.name for one in tmp_path.iterdir()] == ["stages"]


def test_files_by_prefix_and_pattern(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    for path in ("data/a.csv", "data/b.json", "database.txt", "x/data/a.csv"):
        put(files, path, b"")
    put(files, "data/foreign.csv", b"", stage=STAGE + 1)
    assert sorted(files.paths(STAGE, "data/")) == ["data/a.csv", "data/b.json"]
    assert sorted(files.paths(STAGE, "dat")) == ["data/a.csv", "data/b.json", "database.txt"]
    assert sorted(files.paths(STAGE, "data/a.csv")) == ["data/a.csv"]
    assert list(files.paths(STAGE, "nothing/here")) == []
    everything = sorted(files.paths(STAGE, ""))
    assert matching(everything, r".*[.]csv") == ["data/a.csv", "x/data/a.csv"]
    assert matching(everything, "") == everything
    with pytest.raises(ValueInvalid):
        matching(everything, "(")


def test_removing_leaves_no_empty_folder(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    put(files, "a/b/c", b"x")
    put(files, "a/d", b"x")
    assert files.remove(STAGE, "a/b/c")
    assert not files.remove(STAGE, "a/b/c")
    assert os.listdir(files.data(STAGE) / "a") == ["d"]
    with pytest.raises(ObjectNotFound):
        files.open(STAGE, "a/b/c")


def test_a_cleared_stage_is_gone_and_others_stay(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    put(files, "a", b"x")
    put(files, "a", b"y", stage=STAGE + 1)
    assert files.stages() == [STAGE, STAGE + 1]
    files.clear(STAGE)
    files.clear(STAGE)
    assert files.stages() == [STAGE + 1]


def test_an_upload_ends_at_its_limit_and_with_its_process(tmp_path: Path) -> None:
    files = StageFiles(tmp_path)
    upload = files.begin(3)
    with pytest.raises(Exhausted):
        upload.write(b"four")
    StageFiles(tmp_path)
    assert list((tmp_path / ".incoming").iterdir()) == []
    upload.close()


@pytest.mark.parametrize("complete", [True, False])
async def test_a_stream_that_ends_without_its_last_word_leaves_nothing(
    tmp_path: Path, complete: bool
) -> None:
    async def messages() -> AsyncIterator[pb.PutFileRequest]:
        yield pb.PutFileRequest(head=pb.PutFileRequest.Head(stage=STAGE, path="a"))
        yield pb.PutFileRequest(content=b"one")
        if complete:
            yield pb.PutFileRequest(complete=True)

    files = StageFiles(tmp_path)
    servicer = StageServicer(files, StageSettings())
    if complete:
        reply = await servicer.PutFile(messages(), None)
        assert (reply.file.size, reply.kept) == (3, False)
        assert content(files, "a") == b"one"
    else:
        with pytest.raises(ValueInvalid, match="did not arrive whole"):
            await servicer.PutFile(messages(), None)
        assert list(files.paths(STAGE, "")) == []
    assert list((tmp_path / ".incoming").iterdir()) == []
