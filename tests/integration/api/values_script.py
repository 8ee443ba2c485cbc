"""Run by both generations of the connector: values, variables, results read again. Prints what came back."""

import json
import sys
from typing import Any

import snowflake.connector

port, password = int(sys.argv[1]), sys.argv[2]


def connect(style: str) -> Any:
    snowflake.connector.paramstyle = style
    return snowflake.connector.connect(
        account="LOCAL-SNOWCAVE",
        user="ADMIN",
        password=password,
        host="127.0.0.1",
        port=port,
        protocol="http",
        paramstyle=style,
    )


POOL = "MIN_NODES={} MAX_NODES={} INSTANCE_FAMILY={} INITIALLY_SUSPENDED=TRUE COMMENT={}"
seen: dict[str, object] = {}

connection = connect("pyformat")
cursor = connection.cursor()
cursor.execute("create or replace database values_db")
cursor.execute(
    "create compute pool identifier(%(name)s) "
    + POOL.format("%(least)s", "%(most)s", "%(family)s", "%(comment)s"),
    {"name": "pa", "least": 1, "most": 2, "family": "CPU_X64_XS", "comment": "it's"},
)
seen["pyformat"] = cursor.execute("show compute pools like %s", ("PA",)).fetchall()[0][16]
connection.close()

connection = connect("qmark")
cursor = connection.cursor()
cursor.execute(
    "create compute pool identifier(?) " + POOL.format("?", "?", "?", "?"),
    ("pb", 1, 3, "CPU_X64_S", "b"),
)
cursor.execute("show compute pools like ? limit ?", ("p%", 1))
seen["qmark"] = [row[0] for row in cursor.fetchall()]
cursor.execute(
    "select ?, parse_json(system$get_compute_pool_status(?)):status::varchar, ?", ("x", "pb", 7)
)
seen["within"] = cursor.fetchall()
seen["header"] = cursor.description[1].name
connection.close()

connection = connect("numeric")
cursor = connection.cursor()
cursor.execute("desc compute pool identifier(:1)", ("pb",))
seen["numeric"] = cursor.fetchall()[0][3]
cursor.execute("set (pool, most) = ('pb', 5)")
cursor.execute("alter compute pool identifier($pool) set max_nodes = $most")
cursor.execute("show compute pools")
seen["scanned"] = cursor.execute(
    'select "name", "max_nodes" from table(result_scan(last_query_id())) where "max_nodes" > 2'
).fetchall()
cursor.execute("show compute pool instance families")
seen["families"] = cursor.execute(
    'select count(*) > 15, max("vcpu") from table(result_scan(\'' + cursor.sfqid + "'))"
).fetchall()
seen["chain"] = cursor.execute(
    'show compute pools ->> select "name" as n from $1 where "min_nodes" = 1 order by 1 desc '
    "->> select listagg(n, ',') from $1 ->> select s.*, f.n from $1 s join (select max(n) as n from $2) f"
).fetchall()
seen["listed"] = cursor.execute(
    "create image repository if not exists values_db.public.r ->> show image repositories in account "
    "->> select count(*) from $1 where \"name\" = 'R'"
).fetchall()
connection.close()
print(json.dumps(seen))
