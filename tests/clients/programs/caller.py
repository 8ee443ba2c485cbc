"""A service that executes as its caller, as in Snowflake's tutorial: it logs in with its token and theirs.

POST /query   {"as": "caller" | "service" | "<any token>", "sql": [...]}: for each statement its rows, or the
              error's number. Answered with user and role.
"""

import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import snowflake.connector

PORT = 8000


def connect(token: str) -> Any:
    return snowflake.connector.connect(
        host=os.environ["SNOWFLAKE_HOST"],
        account=os.environ["SNOWFLAKE_ACCOUNT"],
        token=token,
        authenticator="oauth",
        database=os.environ["SNOWFLAKE_DATABASE"],
        schema=os.environ["SNOWFLAKE_SCHEMA"],
        login_timeout=20,
    )


def run(cursor: Any, sql: str) -> Any:
    try:
        cursor.execute(sql)
        return [list(map(str, row)) for row in cursor.fetchall()]
    except snowflake.connector.errors.Error as error:
        return error.errno


def answer(order: dict[str, Any], callers: str) -> dict[str, Any]:
    own = Path("/snowflake/session/token").read_text()
    tokens = {"caller": f"{own}.{callers}", "service": own, "caller alone": callers}
    try:
        named: str = order["as"]
        connection = connect(tokens.get(named, named))
    except snowflake.connector.errors.Error as error:
        return {"failed": error.errno}
    with connection:
        cursor = connection.cursor()
        who = run(cursor, "SELECT CURRENT_USER(), CURRENT_ROLE()")
        return {"who": who[0], "answers": [run(cursor, sql) for sql in order["sql"]]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        callers = self.headers.get("Sf-Context-Current-User-Token", "")
        body = json.dumps(answer(order, callers)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    # The first process of a container has to ask for it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"caller listens on {PORT}", flush=True)
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
