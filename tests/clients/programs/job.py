"""What jobs of the tests do: query back and call a service as in Snowflake's tutorials, and some more."""

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path


def say(text: str) -> None:
    print(f"job-tutorial - {text}", flush=True)


def query(sql: str, table: str) -> None:
    """Tutorial 2: run a query as the service, and write its result to a table."""
    import snowflake.connector  # the one job that needs it

    say("Job started")
    connection = snowflake.connector.connect(
        host=os.environ["SNOWFLAKE_HOST"],
        account=os.environ["SNOWFLAKE_ACCOUNT"],
        token=Path("/snowflake/session/token").read_text(),
        authenticator="oauth",
        database=os.environ["SNOWFLAKE_DATABASE"],
        schema=os.environ["SNOWFLAKE_SCHEMA"],
        **({"warehouse": os.environ["WAREHOUSE"]} if "WAREHOUSE" in os.environ else {}),
    )
    cursor = connection.cursor()
    place = {
        name: getattr(connection, name) for name in ("database", "schema", "warehouse", "role")
    }
    shown = ", ".join(f'{name}="{value}"' for name, value in place.items())
    say(f"Connection succeeded. Current session context: {shown}")
    say(f"Executing query [{sql}] and writing result to table [{table}]")
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} (time TIMESTAMP_LTZ, text VARCHAR)")
    cursor.execute(f"INSERT INTO {table} SELECT CURRENT_TIMESTAMP(), * FROM ({sql})")
    cursor.execute("SELECT CURRENT_USER()")
    say(f"I am {cursor.fetchall()[0][0]}")
    say("Job finished")


def call(url: str, text: str) -> None:
    """Tutorial 3: ask a service by its name."""
    say(f"Calling {url} with input {text}")
    body = json.dumps({"data": [[0, text]]}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        say(f"Received response from {url}: {json.load(answer)['data'][0][1]}")


def place() -> None:
    say(f"{os.environ['SNOWFLAKE_JOB_INDEX']} of {os.environ['SNOWFLAKE_JOBS_COUNT']}")


def wait() -> None:
    """Until told to end; says so."""

    def end(*_signal: object) -> None:
        say("told to end")
        sys.exit(3)

    signal.signal(signal.SIGTERM, end)
    say("waiting")
    while True:
        time.sleep(60)


def fail() -> None:
    sys.exit(4)


if __name__ == "__main__":
    {"query": query, "call": call, "place": place, "wait": wait, "fail": fail}[sys.argv[1]](
        *sys.argv[2:]
    )
