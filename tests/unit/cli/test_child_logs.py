"""The logs of children that run for long."""

from pathlib import Path

from snowcave.cli.supervisor.children import rotate


def test_a_log_over_its_limit_becomes_the_older_one_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"first\n")
        rotate(path, 6)
        assert not (tmp_path / "api.log.1").exists()
        writer.write(b"second\n")
        rotate(path, 6)
        writer.write(b"third\n")
    assert (tmp_path / "api.log.1").read_bytes() == b"first\nsecond\n"
    assert path.read_bytes() == b"third\n"


def test_a_log_that_is_not_there_yet_is_no_trouble(tmp_path: Path) -> None:
    rotate(tmp_path / "dns.log", 1)
    assert list(tmp_path.iterdir()) == []
