"""Run by the interpreter of a connector under test: one connection, statements in, results out, as JSON.

python session.py '{"connect": {...}, "statements": ["…", {"sql": "…", "bindings": [...]}]}'
"""

import json
import sys
from typing import Any

import snowflake.connector


def cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def one(cursor: Any, statement: Any) -> dict[str, Any]:
    sql, bindings = (
        (statement, None)
        if isinstance(statement, str)
        else (statement["sql"], statement["bindings"])
    )
    try:
        cursor.execute(sql, bindings) if bindings is not None else cursor.execute(sql)
    except snowflake.connector.errors.Error as error:
        return {"errno": error.errno, "sqlstate": error.sqlstate, "message": error.msg}
    return {
        "columns": [column[0] for column in cursor.description],
        "rows": [[cell(value) for value in row] for row in cursor.fetchall()],
        "rowcount": cursor.rowcount,
        "query_id": cursor.sfqid,
    }


def main() -> None:
    order = json.loads(sys.argv[1])
    with snowflake.connector.connect(**order["connect"]) as connection:
        cursor = connection.cursor()
        results = [one(cursor, statement) for statement in order["statements"]]
        context = [connection.role, connection.database, connection.schema, connection.warehouse]
    print(
        json.dumps(
            {"version": snowflake.connector.__version__, "results": results, "context": context}
        )
    )


if __name__ == "__main__":
    main()
