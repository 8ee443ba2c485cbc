"""docs/compatibility.md says what the tests' markers say."""

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.compatibility import CONNECTOR5, SERVICES, Case, client, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_scripts_docs_would_write() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tests.kit.compatibility"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'services'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    assert (ROOT / "docs/compatibility.md").read_text() == made.stdout, "run scripts/docs"


def test_cases_are_counted_for_each_client_and_marker() -> None:
    found = [
        Case("Docker", "test_a", "test_it_is_pushed", "validated"),
        Case("Docker", "test_a", "test_it_is_pulled", "documented"),
        Case("Docker", "test_a", "test_it_is_pulled", "documented"),
        Case(SERVICES, "test_b", "test_a_pool_s_nodes_end", "ours"),
    ]
    text = page(found)
    assert "| Docker | 1 | 2 | 0 | 0 | 3 |" in text
    assert "| **All** | 1 | 2 | 1 | 0 | 4 |" in text
    assert "- It is pulled *(documented, 2 cases)*" in text
    assert "- A pool's nodes end *(ours)*" in text
    assert text.index("## Docker") < text.index(f"## {SERVICES}")


def test_the_client_is_in_the_test_s_name_or_its_file_s() -> None:
    assert client("test_tutorial_connectors", "test_x[connector5]") == CONNECTOR5
    assert client("test_snow_cli", "test_x").startswith("snow CLI")
    assert client("test_python_api_objects", "test_x[connector5]").startswith("Python API")
    assert client("test_of_services", "test_x") == SERVICES
