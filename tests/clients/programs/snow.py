"""Commands of the snow CLI, one after the other: each in a fork of this process, which has imported the CLI.

Orders are lines of JSON on stdin, each a list of commands that are run at the same time, as
{"args": [...], "cwd": "...", "env": {...}, "stdin": "..."}; each is answered by a line with a list of
{"code": 0, "out": "...", "err": "..."}. What the CLI keeps in its process is so that of one command, as it is
on a command line, without the seconds that its imports take.
"""

import contextlib
import functools
import importlib
import io
import json
import os
import sys
import traceback
from typing import Any

for part in ("connection", "object", "spcs", "sql", "stage"):
    importlib.import_module(f"snowflake.cli._plugins.{part}.plugin_spec")
snow = importlib.import_module("snowflake.cli._app.__main__")
# Reading the parameters of some hundred commands takes each start a second, and they are the same each time.
typer: Any = importlib.import_module("typer.main")
read_once = functools.cache(typer.get_params_convertors_ctx_param_name_from_function)
typer.get_params_convertors_ctx_param_name_from_function = read_once
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    sys.argv = ["snow", "--help"]
    snow.main()


def command(order: dict[str, Any], stdin: int, out: int, err: int) -> None:
    """In the child; ends it."""
    os.environ.update(order.get("env", {}))
    os.chdir(order["cwd"])
    for number, file in enumerate((stdin, out, err)):
        os.dup2(file, number)
    sys.argv = ["snow", *order["args"]]
    code = 0
    try:
        snow.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Running:
    """A command in a process of its own."""

    def __init__(self, order: dict[str, Any]) -> None:
        stdin, self._out, self._err = (os.memfd_create(name) for name in ("in", "out", "err"))
        os.pwrite(stdin, order.get("stdin", "").encode(), 0)
        self._child = os.fork()
        if self._child == 0:
            command(order, stdin, self._out, self._err)
        os.close(stdin)

    def ended(self) -> dict[str, Any]:
        _, status = os.waitpid(self._child, 0)
        code = os.waitstatus_to_exitcode(status)
        return {"code": code, "out": said(self._out), "err": said(self._err)}


def said(file: int) -> str:
    text = os.pread(file, os.fstat(file).st_size, 0)
    os.close(file)
    return text.decode(errors="replace")


for line in sys.stdin:
    running = [Running(order) for order in json.loads(line)]
    print(json.dumps([one.ended() for one in running]), flush=True)
