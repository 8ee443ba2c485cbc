"""What services wrote, by system function, by the event table, and by our own command line."""

import csv
import io
import json
import re
from typing import Any

import pytest

from tests.kit.clients import CONNECTOR4, CONNECTOR5, PLACE, Fleet
from tests.kit.mesh import Connector, snowcave, until

pytestmark = pytest.mark.docker

CONNECTORS = pytest.mark.parametrize("connector", [CONNECTOR4, CONNECTOR5], ids=lambda c: c.name)
LINE = "probe listens on 0.0.0.0:8000"

# As the documents and Snowflake's command line ask the event table.
EVENTS = """
select timestamp, value, record_type, resource_attributes, record_attributes
from snowflake.telemetry.events
where upper(resource_attributes:"snow.service.name") = upper('probe')
  and (resource_attributes:"snow.service.instance" = '0'
       OR resource_attributes:"snow.service.container.instance" = '0')
  and resource_attributes:"snow.service.container.name" = 'probe'
  and timestamp >= sysdate() - interval '1 hour'
  and record_type = 'LOG'
order by timestamp desc
limit 10
"""

DOCUMENTED = """
SELECT TIMESTAMP, RESOURCE_ATTRIBUTES, RECORD_ATTRIBUTES, VALUE
FROM snowflake.telemetry.events
WHERE timestamp > dateadd(hour, -1, current_timestamp())
AND RESOURCE_ATTRIBUTES:"snow.executable.type" = 'SnowparkContainers'
ORDER BY timestamp DESC
LIMIT 10;
"""


def answer(connector: Connector, fleet: Fleet, sql: str) -> dict[str, Any]:
    (found,) = connector.execute(fleet.cave, [sql], role="TEST_ROLE", **PLACE)
    assert "errno" not in found, found
    return found


@CONNECTORS
@pytest.mark.documented
def test_the_system_function_gives_the_lines_of_a_container(connector: Connector, fleet: Fleet):
    sql = "SELECT SYSTEM$GET_SERVICE_LOGS('probe', 0, 'probe', 100)"
    assert answer(connector, fleet, sql)["rows"][0][0].splitlines()[0] == LINE


@pytest.mark.validated
def test_the_command_line_clients_call_gives_the_same(fleet: Fleet):
    """Seven arguments by CALL: recorded from `snow spcs service logs` 3.30.0."""
    sql = "call SYSTEM$GET_SERVICE_LOGS('probe', '0', 'side', 10, False, '', True);"
    (line,) = answer(CONNECTOR4, fleet, sql)["rows"][0][0].splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z probe listens on 0.0.0.0:9100", line)


@CONNECTORS
@pytest.mark.documented
def test_the_event_table_has_the_same_lines(connector: Connector, fleet: Fleet):
    found: dict[str, Any] = until(lambda: answer(connector, fleet, EVENTS), 20)
    (row,) = [row for row in found["rows"] if LINE in row[1]]
    _, value, kind, resource, record = row
    assert (json.loads(value), kind) == (LINE, "LOG")
    attributes = json.loads(resource)
    assert attributes["snow.service.name"] == "PROBE"
    assert attributes["snow.compute_pool.name"] == "WIDE_POOL"
    assert attributes["snow.database.name"] == "TUTORIAL_DB"
    assert json.loads(record) == {"log.iostream": "stdout"}


@CONNECTORS
@pytest.mark.documented
def test_the_documented_query_of_the_event_table(connector: Connector, fleet: Fleet):
    """To the letter, with the account's event table for its placeholder."""

    def newest() -> list[list[Any]]:
        return answer(connector, fleet, DOCUMENTED)["rows"]

    rows = until(newest, 20)
    assert len(rows) <= 10
    stamps = [row[0] for row in rows]
    assert stamps == sorted(stamps, reverse=True)
    for _, resource, _, _ in rows:
        attributes = json.loads(resource)
        assert attributes["snow.executable.type"] == "SnowparkContainers"
        assert attributes["snow.executable.name"] == attributes["snow.service.name"]


@pytest.mark.documented
def test_lines_outside_of_the_range_are_refused(fleet: Fleet):
    sql = "SELECT SYSTEM$GET_SERVICE_LOGS('probe', 0, 'probe', 1001)"
    (refused,) = CONNECTOR4.execute(fleet.cave, [sql], role="TEST_ROLE", **PLACE)
    assert "[1, 1000]" in refused["message"]


@pytest.mark.ours
def test_snowcave_logs_shows_a_service_and_a_daemon(fleet: Fleet):
    home = fleet.cave.mesh.home
    # Of three containers the first one in the specification.
    assert snowcave(home, "logs", "tutorial_db.data_schema.probe").splitlines()[0] == LINE
    assert "daemon_ready" in snowcave(home, "logs", "--daemon", "api", "-n", "1000")


@pytest.mark.ours
def test_snowcave_sql_prints_json_csv_and_tables(fleet: Fleet):
    home, query = fleet.cave.mesh.home, "SELECT 1 AS one, 'a,b' AS two, NULL AS three"
    as_json = snowcave(home, "sql", "-q", query, "--format", "json")
    assert json.loads(as_json) == [{"ONE": 1, "TWO": "a,b", "THREE": None}]
    as_csv = snowcave(home, "sql", "-q", query, "--format", "csv")
    assert list(csv.reader(io.StringIO(as_csv))) == [["ONE", "TWO", "THREE"], ["1", "a,b", ""]]
    as_table = snowcave(home, "sql", "-q", query)
    assert re.search(r"ONE\s.*TWO\s.*THREE", as_table)
    assert as_table.splitlines()[-1] == "1 row"


@pytest.mark.ours
def test_snowcave_sql_says_what_was_wrong_and_fails(fleet: Fleet):
    with pytest.raises(AssertionError, match=r"001003 \(42000\): SQL compilation error"):
        snowcave(fleet.cave.mesh.home, "sql", "-q", "CREATE SERVICE")


@pytest.mark.ours
def test_snowcave_status_names_every_daemon_as_ready(fleet: Fleet):
    shown = snowcave(fleet.cave.mesh.home, "status").splitlines()[1:]
    states = {line.split()[0]: line.split()[1] for line in shown if line.strip()}
    assert set(states) == {
        "statestore",
        "api",
        "warehouse",
        "registry",
        "scheduler",
        "hypervisor",
        "dns",
        "ingress",
        "functions",
        "events",
        *(name for name in states if name.startswith("agent-")),
    }
    agents = {state for name, state in states.items() if name.startswith("agent-")}
    assert agents == {"running"}
    assert {states[name] for name in states if not name.startswith("agent-")} == {"ready"}


@pytest.mark.ours
def test_snowcave_state_lists_keys_and_shows_one(fleet: Fleet):
    home = fleet.cave.mesh.home
    listed = [line.split()[1] for line in snowcave(home, "state ls").splitlines()]
    assert {key.split("/")[0] for key in listed} >= {"catalog", "name", "status", "assign", "node"}
    services = [key for key in listed if key.startswith("catalog/service/")]
    shown = [json.loads(snowcave(home, "state get", key, "--json")) for key in services]
    assert "PROBE" in {one["name"] for one in shown}
