"""What is mounted in a folder is found whatever the folder is called: else it is deleted with it."""

from pathlib import Path

import pytest

from snowcave.hypervisor import teardown
from snowcave.runtime.commands import run_now
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.mounts import mounts, unmount_below


@pytest.mark.parametrize("name", ["plain", "with blank", "back\\slash", "größe", "new\nline"])
def test_mounts_are_found_by_any_name(tmp_path: Path, name: str):
    place = tmp_path / name / "volume"
    place.mkdir(parents=True)
    run_now("mount", "-t", "tmpfs", "snowcave", str(place))
    try:
        assert place in [found for _, found in mounts()]
    finally:
        unmount_below(tmp_path)
    assert not place.is_mount()


async def test_a_vm_that_goes_takes_the_place_of_a_volume_and_not_its_content(tmp_path: Path):
    home, disk = tmp_path / "my cave", tmp_path / "disk"
    mesh = Mesh(home=home)
    place = teardown.node_folder(mesh, "n1") / "volumes/7-0-1/data"
    place.mkdir(parents=True)
    disk.mkdir()
    (disk / "note").write_text("kept")
    run_now("mount", "--bind", str(disk), str(place))
    try:
        await teardown.remove_vm(mesh, "n1", grace=0.0)
        assert not place.exists()
        assert (disk / "note").read_text() == "kept"
    finally:
        unmount_below(tmp_path)
