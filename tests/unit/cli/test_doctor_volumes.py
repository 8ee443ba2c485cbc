"""What a machine lacks for block and stage volumes is a note, not a failure."""

from pathlib import Path

from snowcave.cli.doctor import volumes


def test_missing_devices_are_named_with_what_they_are_for(tmp_path: Path) -> None:
    (tmp_path / "loop-control").touch()
    found = {one.subject: one for one in volumes(tmp_path) if "/dev" not in one.text}
    assert not found["block volumes"].advice
    assert "modprobe" in found["stage volumes"].advice
    assert not found["stage volumes"].fatal
