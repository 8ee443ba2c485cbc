"""Run by the interpreter of a connector under test: families of statements, each in a session of its own.

Reads {"connect": {...}, "families": [{"name", "role", "statements": [...]}]} and writes what each statement
answered, by family, in order.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import snowflake.connector

_AT_ONCE = 3


def cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def one(cursor: Any, sql: str) -> dict[str, Any]:
    try:
        cursor.execute(sql)
        rows = cursor.fetchall()
    except snowflake.connector.errors.Error as error:
        return {
            "errno": error.errno,
            "sqlstate": error.sqlstate or "",
            "message": error.raw_msg or error.msg,
        }
    return {
        "columns": [column[0] for column in cursor.description],
        "rows": [[cell(value) for value in row] for row in rows],
    }


def family(connect: dict[str, Any], order: dict[str, Any]) -> list[dict[str, Any]]:
    with snowflake.connector.connect(**connect, role=order["role"]) as connection:
        cursor = connection.cursor()
        # Makes PUBLIC, too, and goes there.
        cursor.execute(f"CREATE OR REPLACE DATABASE {order['name']}")
        answers = [one(cursor, sql) for sql in order["statements"]]
        cursor.execute(f"DROP DATABASE IF EXISTS {order['name']}")
        return answers


def main() -> None:
    order = json.load(sys.stdin)
    # Some wait for containers: others go on meanwhile.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {
            one["name"]: pool.submit(family, order["connect"], one) for one in order["families"]
        }
        answers = {name: answer.result() for name, answer in running.items()}
    print(json.dumps({"version": snowflake.connector.__version__, "answers": answers}))


if __name__ == "__main__":
    main()
