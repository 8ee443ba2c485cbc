"""Tutorial 1 of Snowflake's documents by both generations of the Python connector, step by step."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kit.clients import CONNECTOR4, CONNECTOR5, PLACE, wait_ready
from tests.kit.mesh import Connector, Snowcave

pytestmark = [pytest.mark.docker, pytest.mark.documented]

SPECIFICATION = """
spec:
  containers:
  - name: echo
    image: /tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest
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
CREATE = f"""CREATE SERVICE echo_service
  IN COMPUTE POOL tutorial_compute_pool
  FROM SPECIFICATION $${SPECIFICATION}$$
  MIN_INSTANCES=1
  MAX_INSTANCES=1"""
STEPS = {
    "repositories": "SHOW IMAGE REPOSITORIES IN SCHEMA tutorial_db.data_schema",
    "pool": "DESCRIBE COMPUTE POOL tutorial_compute_pool",
    "services": "SHOW SERVICES",
    "service": "DESC SERVICE echo_service",
    "containers": "SHOW SERVICE CONTAINERS IN SERVICE echo_service",
    "instances": "SHOW SERVICE INSTANCES IN SERVICE echo_service",
    "create function": """CREATE FUNCTION my_echo_udf (InputText varchar)
      RETURNS varchar
      SERVICE=echo_service
      ENDPOINT=echoendpoint
      AS '/echo'""",
    "one": "SELECT my_echo_udf('hello!')",
    "create table": """CREATE TABLE messages (message_text VARCHAR)
      AS (SELECT * FROM (VALUES ('Thank you'), ('Hello'), ('Hello World')))""",
    "table": "SELECT my_echo_udf(message_text) FROM messages",
    "endpoints": "SHOW ENDPOINTS IN SERVICE echo_service",
    "images": "SHOW IMAGES LIKE 'my_echo%' IN IMAGE REPOSITORY tutorial_db.data_schema.tutorial_repository",
    "unknown service": "DESC SERVICE no_such_service",
    "twice": CREATE,
    "no syntax": "CREATE SERVICE IN POOL",
    "no option": "CREATE FUNCTION f (x varchar) RETURNS varchar SERVICE=echo_service AS '/echo'",
    "no pool": CREATE.replace("tutorial_compute_pool", "no_such_pool").replace(
        "echo_service\n", "another_service\n"
    ),
}

SHOW_SERVICES = [
    "name",
    "status",
    "database_name",
    "schema_name",
    "owner",
    "compute_pool",
    "dns_name",
    "current_instances",
    "target_instances",
    "min_ready_instances",
    "min_instances",
    "max_instances",
    "auto_resume",
    "external_access_integrations",
    "created_on",
    "updated_on",
    "resumed_on",
    "suspended_on",
    "auto_suspend_secs",
    "comment",
    "owner_role_type",
    "query_warehouse",
    "is_job",
    "is_async_job",
    "spec_digest",
    "is_upgrading",
    "managing_object_domain",
    "managing_object_name",
]


@dataclass(frozen=True)
class Done:
    """What the connector saw, step by step."""

    cave: Snowcave
    schema: str
    answers: dict[str, Any]

    def rows(self, step: str) -> list[dict[str, Any]]:
        answer = self.answers[step]
        assert "errno" not in answer, answer
        return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]

    def row(self, step: str) -> dict[str, Any]:
        (row,) = self.rows(step)
        return row

    def error(self, step: str) -> tuple[int, str]:
        return self.answers[step]["errno"], self.answers[step]["sqlstate"]

    def message(self, step: str) -> str:
        return self.answers[step]["message"]


@pytest.fixture(scope="module", params=[CONNECTOR4, CONNECTOR5], ids=lambda c: c.name)
def done(tutorial: Snowcave, session: Any, request: pytest.FixtureRequest) -> Done:
    connector: Connector = request.param
    schema = f"BY_{connector.name.upper()}"
    context = {**PLACE, "role": "TEST_ROLE", "warehouse": "TUTORIAL_WAREHOUSE"}
    made = connector.execute(tutorial, [f"CREATE SCHEMA {schema}", CREATE], **context)
    assert [answer["rows"][0][0] for answer in made] == [
        f"Schema {schema} successfully created.",
        "Service ECHO_SERVICE successfully created.",
    ]
    wait_ready(session, f"{schema}.echo_service")
    answers = connector.execute(tutorial, list(STEPS.values()), **{**context, "schema": schema})
    return Done(tutorial, schema, dict(zip(STEPS, answers, strict=True)))


def test_the_repository_is_shown_with_the_address_that_docker_pushes_to(done: Done):
    repository = done.row("repositories")
    path = "tutorial_db/data_schema/tutorial_repository"
    assert repository["name"] == "TUTORIAL_REPOSITORY"
    assert repository["repository_url"] == f"{done.cave.mesh.registry_host}/{path}"
    assert list(repository)[:6] == [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "repository_url",
        "owner",
    ]


def test_the_compute_pool_is_active(done: Done):
    pool = done.row("pool")
    assert (pool["name"], pool["state"]) == ("TUTORIAL_COMPUTE_POOL", "ACTIVE")
    assert (pool["instance_family"], pool["error_code"]) == ("CPU_X64_XS", "")


def test_show_services_has_its_28_columns_in_order(done: Done):
    assert done.answers["services"]["columns"] == SHOW_SERVICES
    assert len(SHOW_SERVICES) == 28


def test_show_services_tells_of_the_running_service(done: Done):
    service = done.row("services")
    expected = {
        "name": "ECHO_SERVICE",
        "status": "RUNNING",
        "database_name": "TUTORIAL_DB",
        "schema_name": done.schema,
        "owner": "TEST_ROLE",
        "compute_pool": "TUTORIAL_COMPUTE_POOL",
        "current_instances": 1,
        "target_instances": 1,
        "min_instances": 1,
        "max_instances": 1,
        "auto_resume": "true",
        "is_job": "false",
        "is_upgrading": "false",
        "suspended_on": None,
    }
    assert {key: service[key] for key in expected} == expected
    assert re.fullmatch(r"echo-service\.[a-z0-9]{4,8}\.svc\.spcs\.internal", service["dns_name"])
    assert re.fullmatch(r"[0-9a-f]{64}", service["spec_digest"])


def test_describe_adds_the_specification_with_digests_pinned(done: Done):
    service = done.row("service")
    columns = [*SHOW_SERVICES[:6], "spec", *SHOW_SERVICES[6:]]
    assert list(service) == columns
    (image,) = done.rows("images")
    assert f'sha256: "@{image["digest"]}"' in service["spec"]
    assert 'SERVER_PORT: "8000"' in service["spec"]


def test_the_container_is_ready_and_running(done: Done):
    container = done.row("containers")
    expected = {
        "service_name": "ECHO_SERVICE",
        "service_status": "RUNNING",
        "instance_id": "0",
        "instance_status": "READY",
        "container_name": "echo",
        "status": "READY",
        "message": "Running",
        "restart_count": 0,
    }
    assert {key: container[key] for key in expected} == expected
    assert container["image_name"].startswith(done.cave.mesh.registry_host)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", container["start_time"])


def test_the_instance_has_an_address_and_runs_the_services_digest(done: Done):
    instance, service = done.row("instances"), done.row("services")
    assert instance["status"] == "READY"
    assert instance["spec_digest"] == service["spec_digest"]
    network = ipaddress.ip_network(done.cave.mesh.plan.instances)
    assert ipaddress.ip_address(instance["ip_address"]) in network


def test_the_function_answers_for_a_literal(done: Done):
    assert done.rows("one") == [{"MY_ECHO_UDF('HELLO!')": "Bob said hello!"}]


def test_the_function_answers_for_the_rows_of_a_table(done: Done):
    assert done.rows("table") == [
        {"MY_ECHO_UDF(MESSAGE_TEXT)": f"Bob said {text}"}
        for text in ("Thank you", "Hello", "Hello World")
    ]


def test_ddl_answers_with_a_status(done: Done):
    assert done.row("create function") == {"status": "Function MY_ECHO_UDF successfully created."}
    assert done.row("create table") == {"status": "Table MESSAGES successfully created."}


def test_show_endpoints_gives_an_ingress_host(done: Done):
    endpoint = done.row("endpoints")
    host = endpoint.pop("ingress_url")
    assert endpoint == {
        "name": "echoendpoint",
        "port": 8000,
        "port_range": None,
        "protocol": "HTTP",
        "is_public": "true",
    }
    port = done.cave.mesh.port("ingress")
    assert re.fullmatch(rf"[a-z0-9]+-local-snowcave\.localhost:{port}", host)


def test_show_images_tells_tag_and_digest(done: Done):
    image = done.row("images")
    assert (image["image_name"], image["tags"]) == ("my_echo_service_image", "latest")
    assert image["image_path"] == (
        "tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest"
    )


def test_an_unknown_service_has_its_number_and_its_words(done: Done):
    assert done.error("unknown service") == (2003, "02000")
    name = f"TUTORIAL_DB.{done.schema}.NO_SUCH_SERVICE"
    assert f"'{name}' does not exist or not authorized." in done.message("unknown service")


def test_a_second_service_of_that_name_is_refused(done: Done):
    assert done.error("twice") == (2002, "42710")
    assert "already exists" in done.message("twice")


def test_a_syntax_error_says_where(done: Done):
    assert done.error("no syntax") == (1003, "42000")
    assert re.search(r"syntax error line 1 at position \d+", done.message("no syntax"))


def test_a_function_without_endpoint_is_told_what_is_missing(done: Done):
    assert done.error("no option") == (2029, "42601")
    assert "Missing option(s): [ENDPOINT]" in done.message("no option")


def test_an_unknown_pool_is_named(done: Done):
    assert done.error("no pool") == (2003, "02000")
    words = "Compute pool 'NO_SUCH_POOL' does not exist or not authorized."
    assert words in done.message("no pool")
