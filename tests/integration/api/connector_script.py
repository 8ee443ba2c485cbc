"""Run by both generations of the connector: talks to the fake warehouse, prints what came back as JSON."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import snowflake.connector
from snowflake.connector.errors import DatabaseError, ProgrammingError

port, password = int(sys.argv[1]), sys.argv[2]
address: dict[str, Any] = {"host": "127.0.0.1", "port": port, "protocol": "http"}


def connect(**more: Any) -> Any:
    return snowflake.connector.connect(
        account="LOCAL-SNOWCAVE", user="admin", **{"password": password, **address, **more}
    )


def failure(call: Callable[[], object]) -> list[object] | None:
    try:
        call()
    except (DatabaseError, ProgrammingError) as error:
        return [error.errno, error.sqlstate, str(error)]
    return None


seen: dict[str, object] = {}
seen["wrong password"] = failure(lambda: connect(password="wrong"))
seen["wrong role"] = failure(lambda: connect(role="nobody"))
connection = connect()
seen["role"] = connection.role
seen["database before"] = connection.database
cursor = connection.cursor()
seen["select"] = cursor.execute("select 1").fetchall()
seen["description"] = [[c.name, c.type_code] for c in cursor.description]
seen["types"] = [[repr(v) for v in row] for row in cursor.execute("types").fetchall()]
rows = cursor.execute("rows 5000").fetchall()
seen["rows"] = [
    len(rows),
    list(rows[-1]),
    cursor.rowcount,
    rows == [(n, f"row {n}") for n in range(5000)],
]
seen["empty"] = cursor.execute("rows 0").fetchall()
seen["show"] = cursor.execute("show things").fetchall()
seen["show again"] = cursor.execute(
    f"select * from table(result_scan('{cursor.sfqid}'))"
).fetchall()
cursor.execute("insert 3")
seen["insert"] = cursor.rowcount
cursor.execute("use database db1")
seen["database after"] = [connection.database, connection.schema]
seen["error"] = failure(lambda: cursor.execute("nothing here"))
seen["bug"] = failure(lambda: cursor.execute("bug"))
seen["slow"] = cursor.execute("sleep 2.5").fetchall()
cursor.execute_async("sleep 0.8")
query = cursor.sfqid
waited = []
while connection.is_still_running(connection.get_query_status(query)):
    waited.append(1)
    time.sleep(0.05)
seen["async status"] = connection.get_query_status(query).name
other = connection.cursor()
other.get_results_from_sfqid(query)
seen["async"] = other.fetchall()
query = cursor.execute_async("sleep 60")["queryId"]
seen["aborted"] = cursor.abort_query(query) if hasattr(cursor, "abort_query") else True
while connection.is_still_running(connection.get_query_status(query)):
    time.sleep(0.05)
seen["aborted status"] = connection.get_query_status(query).name
connection.close()
short = connect(session_parameters={"STATEMENT_TIMEOUT_IN_SECONDS": 1})
seen["timeout"] = failure(lambda: short.cursor().execute("sleep 60"))
short.close()
snowflake.connector.paramstyle = "qmark"
binding = connect()
seen["binds"] = binding.cursor().execute("binds", (1, "a", None, True, 2.5)).fetchall()
many = binding.cursor()
many.executemany("insert into t values (?, ?)", [(1, "a"), (2, "b")])
seen["many"] = many.rowcount
binding.close()
print(json.dumps(seen))
