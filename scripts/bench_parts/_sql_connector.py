"""The connector's part in the SQL benchmark: `HOST PORT WHAT TIMES`, the seconds of each execution out.

WHAT is a statement; a result that is not of the wanted size, after `#`, is an error.
"""

import json
import os
import sys
import time

import snowflake.connector


def main() -> None:
    host, port, what, times = sys.argv[1:]
    statement, _, size = what.partition("#")
    os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
    connection = snowflake.connector.connect(
        account="snowcave-main",
        user="ADMIN",
        password=sys.stdin.readline().strip(),
        host=host,
        port=int(port),
        protocol="http",
    )
    taken: list[float] = []
    with connection.cursor() as cursor:
        for _ in range(int(times)):
            began = time.perf_counter()
            rows = cursor.execute(statement).fetchall()
            taken.append(time.perf_counter() - began)
            if len(rows) != int(size):
                raise RuntimeError(f"{statement}: {len(rows)} rows, not {size}")
    connection.close()
    print(json.dumps(taken))


main()
