"""Runs one benchmark: both sides alternate in one run, medians are compared, ratios are printed.

The last line is one JSON object. A benchmark is a module of scripts/bench_parts with a docstring and
`async def run(rounds: int) -> list[dict]`, whose rows have name, ours, peer, unit, ratio, target, ok.
"""

import argparse
import ast
import asyncio
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PARTS = Path(__file__).resolve().parents[1] / "bench_parts"
_LEAST_ROUNDS = 10


def names() -> dict[str, str]:
    """Benchmark → the first line of its docstring."""
    found: dict[str, str] = {}
    for path in sorted(PARTS.glob("*.py")):
        if not path.stem.startswith("_"):
            text = ast.get_docstring(ast.parse(path.read_text())) or path.stem
            found[path.stem] = text.splitlines()[0]
    return found


def show(name: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"{name}: ratio is ours / peer", title_justify="left")
    for heading in ("", "ours", "peer", "unit", "ratio", "target", ""):
        table.add_column(heading, justify="left" if not heading or heading == "unit" else "right")
    for row in rows:
        mark = "ok" if row["ok"] else "MISSED"
        cells = [_figure(row[column]) for column in ("ours", "peer")]
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        table.add_row(row["name"], *cells, row["unit"], ratio, row["target"] or "reported", mark)
    Console(stderr=False).print(table)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--rounds", type=int, default=_LEAST_ROUNDS)
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    options = parser.parse_args()
    known = names()
    if options.list or not options.name:
        for name, about in known.items():
            print(f"{name:10} {about}")
        return
    if options.name not in known:
        sys.exit(f"There is no benchmark {options.name}. There are: {', '.join(known)}")
    module = importlib.import_module(f"scripts.bench_parts.{options.name}")
    if options.long:
        os.environ["SNOWCAVE_BENCH_LONG"] = "1"
    print(
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}", flush=True
    )
    rows = asyncio.run(module.run(max(_LEAST_ROUNDS, options.rounds)))
    show(options.name, rows)
    print(json.dumps(rows[0] if len(rows) == 1 else {"name": options.name, "rows": rows}))
    if not all(row["ok"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
