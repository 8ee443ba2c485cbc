"""The direct client that does what the query does, in one process: `ROWS BATCH PAUSE ADDRESS…`.

It reads its rows from a table of a DuckDB file, calls as `_functions_peer` does, and keeps the answers in
another table of the file; rows a second out.
"""

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _functions_peer
import duckdb
import pyarrow as pa
import uvloop


async def _seconds(duck: Any, size: int, pause: str, addresses: list[str]) -> float:
    gc.freeze()  # what DuckDB and pyarrow brought along is not what this client should be slow for
    began = time.perf_counter()
    rows = duck.execute("SELECT x FROM t").to_arrow_table().column(0).to_pylist()
    reading = time.perf_counter() - began
    found, calling = await _functions_peer.called(rows, size, pause, addresses)
    began = time.perf_counter()
    duck.register("answers", pa.table({"y": found}))
    duck.execute("CREATE TABLE r AS SELECT y FROM answers")
    return reading + calling + time.perf_counter() - began


async def main() -> None:
    rows, size, pause, *addresses = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="snowcave-bench-") as folder:
        duck = duckdb.connect(str(Path(folder) / "rows.duckdb"))
        duck.execute(
            f"CREATE TABLE t AS SELECT 'row number ' || n AS x FROM range({rows}) AS r(n)"
        )
        duck.execute("CHECKPOINT")
        seconds = await _seconds(duck, int(size), pause, addresses)
        wrong = duck.execute(
            "SELECT count(*) FROM (FROM t POSITIONAL JOIN r) WHERE upper(x) IS DISTINCT FROM y"
        ).fetchone()
        duck.close()
    if wrong != (0,):
        raise RuntimeError("wrong answers")
    print(json.dumps(int(rows) / seconds))


uvloop.run(main())
