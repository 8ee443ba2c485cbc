"""snowflake.core, unmodified, on every kind of object that it has for container services and around them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kit.clients import CONNECTOR4, CONNECTOR5, IMAGE
from tests.kit.mesh import Connector, Snowcave

pytestmark = [pytest.mark.docker, pytest.mark.validated]

SPEC = f"""
spec:
  containers:
  - name: echo
    image: /{IMAGE}
    env:
      SERVER_PORT: 8000
      CHARACTER_NAME: Bob
    readinessProbe:
      port: 8000
      path: /healthcheck
  endpoints:
  - name: echoendpoint
    port: 8000
    public: true
"""


@dataclass(frozen=True)
class Seen:
    """What the client saw, in the order of its program."""

    client: Connector
    folder: Path
    found: dict[str, Any]

    def __getitem__(self, part: str) -> Any:
        return self.found[part]

    def called(self, name: str) -> str:
        return f"{self.client.name}_{name}".upper()


def run(cave: Snowcave, client: Connector, folder: Path) -> Seen:
    (folder / "a.txt").write_text("some words")
    (folder / "back").mkdir()
    order = {
        "connect": cave.api(),
        "spec": SPEC,
        "image": f"/{IMAGE}",
        "folder": str(folder),
        "prefix": client.name,
    }
    return Seen(client, folder, client.run("core_objects.py", order))


@pytest.fixture(scope="module")
def both(tutorial: Snowcave, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """The two generations at the same time: most of it is waiting for a service."""
    clients = (CONNECTOR4, CONNECTOR5)
    folders = [tmp_path_factory.mktemp(client.name) for client in clients]
    with ThreadPoolExecutor(len(clients)) as pool:
        found = pool.map(lambda one: run(tutorial, *one), zip(clients, folders, strict=True))
        return {seen.client.name: seen for seen in found}


@pytest.fixture(params=["connector4", "connector5"])
def seen(both: dict[str, Seen], request: pytest.FixtureRequest) -> Seen:
    return both[request.param]


def test_databases_schemas_and_repositories(seen: Seen):
    found = seen["containers"]
    assert (found["database"]["name"], found["database"]["comment"]) == (seen.called("DB"), "c")
    assert (found["databases"], found["repositories"]) == ([seen.called("DB")], ["R"])
    assert found["schema"]["database_name"] == seen.called("DB")
    assert found["repository"]["repository_url"].endswith(f"/{seen.called('db').lower()}/s/r")
    assert found["no database"] == ["NotFoundError", 404, "002003"]
    assert found["twice"] == ["ConflictError", 409, "002002"]


def test_a_compute_pool_is_created_fetched_and_altered(seen: Seen):
    found = seen["containers"]
    assert found["pools"] == [seen.called("POOL")]
    assert found["pool"]["comment"] == "changed"
    assert found["pool"]["instance_family"] == "CPU_X64_XS"
    assert found["pool"]["state"] in ("STARTING", "IDLE", "ACTIVE")


def test_a_service_runs_is_suspended_resumed_and_altered(seen: Seen):
    found = seen["services"]
    assert found["ready"] == "RUNNING"
    assert (found["suspended"]["comment"], found["service"].get("comment")) == ("c", None)
    assert found["service"]["spec"]["spec_type"] == "from_inline"
    assert "echoendpoint" in found["service"]["spec"]["spec_text"]
    assert (found["services"], found["first"], found["job"]) == (["WEB"], ["J"], True)
    assert found["no image"] == ["NotFoundError", 404, "002003"]


def test_what_is_in_a_service(seen: Seen):
    found = seen["services"]
    (endpoint,) = found["endpoints"]
    assert (endpoint["name"], endpoint["port"], endpoint["is_public"]) == (
        "echoendpoint",
        8000,
        True,
    )
    assert "listens on 0.0.0.0:8000" in found["logs"]
    assert found["roles"] == ["ALL_ENDPOINTS_USAGE"]
    assert {one["containerName"] for one in found["status"]} == {"echo"}


def test_a_service_function_is_called(seen: Seen):
    found = seen["functions"]
    assert found["functions"] == ["F"]
    assert found["function"]["arguments"] == [{"name": "T", "datatype": "VARCHAR"}]
    assert found["said"] == "Bob said it's me"


def test_files_go_to_a_stage_and_come_back(seen: Seen):
    (file,) = seen["stages"]["files"]
    assert file["name"] == "st/dir/a.txt"
    assert (seen.folder / "back/a.txt").read_text() == "some words"


def test_a_table_is_created_altered_and_dropped(seen: Seen):
    found = seen["tables"]
    assert [one["name"] for one in found["table"]["columns"]] == ["A", "C"]
    assert found["table"]["comment"] == "changed"
    assert found["tables"] == ["T"]
    assert found["bad default"] == ["APIError", 400, "390400"]
    assert found["gone"] == ["NotFoundError", 404, "002003"]


def test_roles_users_and_grants(seen: Seen):
    found = seen["people"]
    assert (found["users"], found["roles"], found["holders"]) == (
        [seen.called("USER")],
        [seen.called("ROLE")],
        [seen.called("USER")],
    )
    assert ["DATABASE", ["USAGE"]] in found["granted"]
    assert ["COMPUTE POOL", ["MONITOR"]] in found["granted"]
    assert found["left"] == [["COMPUTE POOL", ["USAGE"]]]
    assert found["future"] == [["MONITOR"]]


def test_secrets_keep_what_they_know(seen: Seen):
    password, word = seen["rest"]["secrets"]
    assert (password["name"], password["password"]) == ("PW", "")
    assert (word["name"], word["secret_string"]) == ("WORD", "")
    assert seen["rest"]["rule"]["value_list"] == ["example.com:443"]
    assert seen["rest"]["tag"]["allowed_values"] == ["a", "b"]
    assert seen["rest"]["warehouse"]["warehouse_size"] == "Small"
    assert seen["rest"]["event tables"] == ["EVENTS"]
    shown = seen["rest"]["event table"]
    assert (shown["comment"], shown["cluster_by"]) == ("c", ["timestamp"])
    assert len(shown["columns"]) == 13


def test_everything_is_dropped_in_the_end(seen: Seen):
    assert seen["end"]["gone"] == ["NotFoundError", 404, "002003"]
