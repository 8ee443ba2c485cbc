"""Run by both generations of the connector against real daemons: files to a stage and back, as JSON."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import snowflake.connector

port, password, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
connection: Any = snowflake.connector.connect(
    account="LOCAL-SNOWCAVE",
    user="ADMIN",
    password=password,
    host="127.0.0.1",
    port=port,
    protocol="http",
)
cursor = connection.cursor()
seen: dict[str, object] = {}


def run(sql: str) -> list[dict[str, Any]]:
    cursor.execute(sql)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]  # noqa: B905 - old Pythons, too


def failure(sql: str) -> list[object] | None:
    try:
        cursor.execute(sql)
    except snowflake.connector.errors.Error as error:
        return [error.errno, error.sqlstate]
    return None


def words(sql: str) -> str:
    try:
        cursor.execute(sql)
    except snowflake.connector.errors.Error as error:
        return str(error)
    return ""


source = folder / "from"
source.mkdir(parents=True)
back = folder / "to"
back.mkdir()
(source / "spec.yaml").write_text("spec: 1\n")
(source / "größe 1.txt").write_text("umlaut\n")
for number in range(5):
    (source / f"part{number}.csv").write_text(f"{number},name{number}\n" * 1000)
big = bytes(range(256)) * 12_000
(source / "big.bin").write_bytes(big)

cursor.execute("create or replace database stages")
cursor.execute("use schema stages.public")
seen["created"] = run(
    "create stage if not exists IDENTIFIER('st') encryption = (type = 'SNOWFLAKE_FULL')"
)
seen["put"] = run(f"put file://{source}/spec.yaml @st/dir auto_compress=false overwrite=true")
seen["put quoted"] = run(
    f"PUT /* a comment */ 'file://{source}/größe 1.txt' '@stages.public.ST/my dir/ü' "
    "PARALLEL = 4 AUTO_COMPRESS = False SOURCE_COMPRESSION = AUTO_DETECT OVERWRITE = True;"
)
seen["put glob"] = sorted(
    (row["source"], row["target"], row["status"])
    for row in run(f"put file://{source}/part*.csv @st/data")
)
seen["put big"] = run(f"put file://{source}/big.bin @st auto_compress=false")[0]["status"]
seen["listed"] = [(row["name"], row["size"]) for row in run("ls @st")]
seen["listed below"] = [row["name"] for row in run("list @st/data pattern='.*[12][.]csv[.]gz'")]
(source / "spec.yaml").write_text("spec: 2\n")
again = run(f"put file://{source}/spec.yaml @st/dir auto_compress=false")
seen["kept"] = again[0]["status"]
run(f"get @st/dir/spec.yaml file://{back}/")
seen["kept content"] = (back / "spec.yaml").read_text()
run(f"put file://{source}/spec.yaml @st/dir auto_compress=false overwrite=true")
run(f"get @st/dir/spec.yaml file://{back}/")
seen["new content"] = (back / "spec.yaml").read_text()
got = run(f"get @st/data file://{back} parallel=4")
seen["got"] = sorted(row["status"] for row in got)
seen["unpacked"] = (
    gzip.decompress((back / "part3.csv.gz").read_bytes()) == (source / "part3.csv").read_bytes()
)
run(f"get @st/big.bin 'file://{back}/'")
seen["big is the same"] = (back / "big.bin").read_bytes() == big
run(f"get '@st/my dir' 'file://{back}/'")
seen["umlaut"] = (back / "größe 1.txt").read_text()
seen["removed"] = run("remove @st/data/part0.csv.gz")
seen["removed all"] = len(run("rm @st/data"))
seen["left"] = [row["name"] for row in run("ls @st")]
seen["missing stage"] = failure(f"put file://{source}/spec.yaml @nothing")
seen["traversal"] = failure(f"put file://{source}/spec.yaml @st/../../etc")
seen["shown"] = [(row["name"], row["type"]) for row in run("show stages")]
seen["described"] = len(run("desc stage st"))
cursor.execute("create table people (id int, name string)")
cursor.execute(f"put file://{source}/part1.csv @st/in auto_compress=false")
seen["copied"] = run("copy into people from @st/in file_format=(type=csv)")[0]["file"]
cursor.execute(f"put file://{source}/part2.csv @stages.public.st/in")
run("copy into people from @st/in pattern='.*part2[.]csv.*'")
cursor.execute(f"put file://{source}/part3.csv @st auto_compress=false")
run("copy into people from @st files=('part3.csv')")
seen["rows"] = run("select name, count(*) n from people group by name order by name")
seen["queried"] = run(
    "select t.$2 as name, count($1) n from @st/in t where $1 >= '0' group by 1 order by 1"
)
(source / "one.json").write_text('{"n": 7, "who": "json"}\n')
cursor.execute(f"put file://{source}/one.json @st/json")
seen["queried json"] = run("select $1:who::string w, $1:n::int + 1 n from '@st/json/'")
seen["queried nothing"] = run("select $1, $3 from @st/nothing (pattern => '.*')")
cursor.execute("create table loaded as select $2 name from @st/part3.csv limit 3")
seen["loaded"] = run("select distinct name from loaded")
seen["copy unknown"] = failure("copy into people from @nothing file_format=(type=csv)")
(source / "wrong.csv").write_text('1,"open\n' + "2,x\n3,4,5,6\n")
cursor.execute(f"put file://{source}/wrong.csv @st/wrong auto_compress=false")
seen["wrong file"] = words("select $1, $2 from @st/wrong")
cursor.execute("create compute pool p min_nodes=1 max_nodes=1 instance_family=CPU_X64_XS")
(source / "service.yaml").write_text(
    "spec: {containers: [{name: {{ name }}, image: /a/b/c/d, odd: 1}]}"
)
cursor.execute(f"put file://{source}/service.yaml @st/services auto_compress=false")
create = "create service s in compute pool p from @st/services specification_template_file='service.yaml'"
seen["template"] = words(f"{create} using (name => main)")
seen["no value"] = words(f"{create} using (Name => main)")
seen["no file"] = words(
    "create service s in compute pool p from @st specification_file='service.yaml'"
)
seen["dropped"] = run("drop stage st")
seen["gone"] = failure("ls @st")
connection.close()
print(json.dumps(seen))
