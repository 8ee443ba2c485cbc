"""Run by the interpreter of a client under test: a notebook, whose cells come as lines of JSON.

Each line in is {"cell": "…"}, each line out {"said": "…", "error": "…"}. What a cell defines, the next know.
"""

import contextlib
import io
import json
import sys
import traceback
from typing import Any


def run(cell: str, names: dict[str, Any]) -> dict[str, str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(cell, "<cell>", "exec"), names)
    except BaseException:
        return {"said": said.getvalue(), "error": traceback.format_exc()}
    return {"said": said.getvalue(), "error": ""}


def main() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line)["cell"], names)), flush=True)


if __name__ == "__main__":
    main()
