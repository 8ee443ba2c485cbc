"""Run by both generations of the connector against real daemons; prints what came back as JSON."""

import json
import sys
from typing import Any

import snowflake.connector

port, password = int(sys.argv[1]), sys.argv[2]
connection: Any = snowflake.connector.connect(
    account="LOCAL-SNOWCAVE",
    user="ADMIN",
    password=password,
    host="127.0.0.1",
    port=port,
    protocol="http",
)
seen: dict[str, object] = {}
cursor = connection.cursor()
seen["database"] = cursor.execute("create or replace database tutorial_db").fetchall()
# v4 takes a context over from USE alone where it had none before.
cursor.execute("use schema tutorial_db.public")
seen["context"] = [connection.database, connection.schema]
cursor.execute("create or replace table t (n int, name varchar)")
cursor.execute("insert into t values (1, 'one'), (2, 'two'), (3, null)")
seen["inserted"] = cursor.rowcount
cursor.execute("update t set name = 'x' where n < 3")
seen["updated"] = cursor.rowcount
seen["selected"] = cursor.execute("select n, name from t order by n").fetchall()
big = cursor.execute("select seq4() from table(generator(rowcount => 50000))").fetchall()
seen["big"] = [len(big), cursor.rowcount]
cursor.execute("show roles")
names = [column.name for column in cursor.description]
seen["roles"] = sorted(row[names.index("name")] for row in cursor.fetchall())
seen["scanned"] = cursor.execute(
    "select count(*) from table(result_scan(last_query_id())) where \"name\" = 'PUBLIC'"
).fetchall()
query = cursor.execute_async("select 42")["queryId"]
other = connection.cursor()
other.get_results_from_sfqid(query)
seen["async"] = other.fetchall()
seen["who"] = cursor.execute("select current_user(), current_role()").fetchall()
connection.close()
print(json.dumps(seen))
