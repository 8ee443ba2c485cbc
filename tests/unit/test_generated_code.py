"""What is checked in beside the package is what proto/ says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = ("snowcave/v1", "snowcave/store/etcdpb")


def _files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for folder in GENERATED
        for path in (root / folder).glob("*_pb2*.py*")
    }


def test_generated_code_is_not_stale(tmp_path: Path):
    subprocess.run(
        [ROOT / "scripts" / "protos", tmp_path],
        check=True,
        timeout=120,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
    )
    fresh, kept = _files(tmp_path), _files(ROOT / "services")
    assert sorted(kept) == sorted(fresh)
    assert [name for name in fresh if kept[name] != fresh[name]] == []
