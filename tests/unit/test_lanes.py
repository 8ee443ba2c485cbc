"""scripts/lib/lanes.py runs every test once, in one lane or the other."""

import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lanes() -> Any:
    spec = importlib.util.spec_from_file_location("lanes", ROOT / "scripts/lib/lanes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lanes"] = module
    spec.loader.exec_module(module)
    return module


def files_of(arguments: tuple[str, ...]) -> set[Path]:
    """Files with tests that a run of pytest finds."""
    ignored = [ROOT / one.partition("=")[2] for one in arguments if one.startswith("--ignore=")]
    folders = [ROOT / one for one in arguments if not one.startswith("-")]
    found = {path for folder in folders for path in folder.rglob("test_*.py")}
    return {path for path in found if not any(path.is_relative_to(one) for one in ignored)}


def test_each_file_is_run_once(lanes: Any) -> None:
    runs = [run for lane in lanes.LANES.values() for run in lane]
    counted = Counter(path for run in runs for path in files_of(run.arguments))
    assert set(counted) == set((ROOT / "tests").rglob("test_*.py"))
    assert set(counted.values()) == {1}


def test_a_failed_run_is_named_and_keeps_no_other_from_running(tmp_path: Path) -> None:
    for name, text in (("good", "pass"), ("bad", "raise ValueError")):
        (tmp_path / f"test_{name}.py").write_text(f"def test_it(): {text}\n")
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'scripts/lib')!r})\n"
        "import lanes\n"
        "run = lambda name: lanes.Run((f'test_{name}.py', '-p', 'no:cacheprovider'), 100.0)\n"
        "lanes.LANES = {'one': (run('bad'), run('good')), 'two': (run('good'),)}\n"
        "sys.exit(lanes.main())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 2
    assert "FAILED [one] pytest test_bad.py" in done.stdout
    assert "FAILED [two]" not in done.stdout
    # Named last, where somebody who sees only the end of a long output finds it.
    assert done.stdout.splitlines()[-2].startswith("FAILED test_bad.py::test_it")
