"""Prints lines into a container's log file and asks the event table for them until each is there.

Run with the connector's Python: host, port, log file, lines; the password on stdin. Milliseconds as JSON.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import snowflake.connector

_TOO_LONG = 30.0


def main() -> None:
    host, port, path, count = sys.argv[1:]
    password = sys.stdin.readline().strip()
    os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
    connection = snowflake.connector.connect(
        account="snowcave-main",
        user="ADMIN",
        password=password,
        host=host,
        port=int(port),
        protocol="http",
    )
    cursor = connection.cursor()
    found = [_seen(cursor, Path(path), number) for number in range(int(count) + 3)]
    print(json.dumps(found[3:]))


def _seen(cursor: snowflake.connector.cursor.SnowflakeCursor, path: Path, number: int) -> float:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    line = f'{{"log":"printed {number}\\n","stream":"stdout","time":"{now}"}}\n'
    began = time.perf_counter()
    with path.open("a") as file:
        file.write(line)
    sql = (
        "SELECT count(*) FROM snowflake.telemetry.events WHERE timestamp > dateadd(minute, -5, sysdate()) "
        f"AND resource_attributes:\"snow.service.name\" = 'PRINTER' AND value = 'printed {number}'"
    )
    while cursor.execute(sql).fetchall()[0][0] == 0:
        if time.perf_counter() - began > _TOO_LONG:
            raise RuntimeError(f"line {number} is not there after {_TOO_LONG} s")
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
