"""snowflake.core's part in the REST benchmark: `PORT`, the seconds of each fetch and list out."""

import json
import sys
import time

import snowflake.connector
from snowflake.core import Root

FETCHES, LISTINGS = 50, 5


def main() -> None:
    connection = snowflake.connector.connect(
        account="LOCAL-SNOWCAVE",
        user="ADMIN",
        password=sys.stdin.readline().strip(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        protocol="http",
    )
    services = Root(connection).databases["b"].schemas["s"].services
    found: dict[str, list[float]] = {"fetch": [], "list": []}
    name = next(iter(services.iter(limit=1))).name
    for _ in range(FETCHES):
        began = time.perf_counter()
        services[name].fetch()
        found["fetch"].append(time.perf_counter() - began)
    for _ in range(LISTINGS):
        began = time.perf_counter()
        count = len(list(services.iter()))
        found["list"].append(time.perf_counter() - began)
        if count < 1000:
            raise RuntimeError(f"only {count} services")
    connection.close()
    print(json.dumps(found))


main()
