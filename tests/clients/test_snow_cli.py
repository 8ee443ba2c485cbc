"""The snow CLI, unmodified: what it does with container services, from the first connection on."""

import json
import signal
import subprocess
import threading
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kit.clients import CONNECTOR4, CONNECTOR5, IMAGE
from tests.kit.mesh import Snowcave, run, snowcave, until
from tests.kit.snow_cli import PYTHON, SnowCli, snow_cli

pytestmark = pytest.mark.docker

REPOSITORY, NAME = IMAGE.removesuffix(":latest").rsplit("/", 1)
PLACE = {"database": "SNOW_DB", "schema": "PUBLIC", "warehouse": "TUTORIAL_WAREHOUSE"}
EXECUTE = ("spcs", "service", "execute-job")
DONE = "Statement executed successfully."
READY = 120.0
SERVICE = f"""
spec:
  containers:
  - name: main
    image: /{IMAGE}
    env: {{SERVER_PORT: 8000, DOLLAR: "a$b"}}
    readinessProbe: {{port: 8000, path: /healthcheck}}
  endpoints:
  - {{name: e, port: 8000, public: true}}
  platformMonitor: {{metricConfig: {{groups: [system]}}}}
"""
FALLS = f"""
spec:
  containers:
  - name: main
    image: /{IMAGE}
    command: ["/usr/bin/python3", "-c", "import sys; sys.exit('one life of many')"]
"""
JOB = f"""
spec:
  containers:
  - name: main
    image: /{IMAGE}
    command: ["/usr/bin/python3", "-c", "print('a job has run')"]
"""
PROJECT = """
definition_version: 2
entities:
  cp:
    type: compute-pool
    identifier: {name: snow_deployed}
    min_nodes: 1
    max_nodes: 2
    instance_family: CPU_X64_XS
    initially_suspended: true
    auto_suspend_seconds: 60
    comment: c
  repo:
    type: image-repository
    identifier: {name: snow_deployed}
  svc:
    type: service
    identifier: {name: deployed}
    stage: stg1
    compute_pool: snow_pool
    spec_file: spec.yml
    min_instances: 1
    max_instances: 1
    query_warehouse: tutorial_warehouse
    auto_suspend_secs: 600
    external_access_integrations: [snow_out]
    comment: it's a test
    tags: [{name: t, value: v1}]
    artifacts: [spec.yml]
"""


def a_key(folder: Path) -> str:
    """Written to key.p8; the public half as Snowflake takes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.p8").write_bytes(private)
    (folder / "key.p8").chmod(0o600)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return "".join(public.decode().splitlines()[1:-1])


@pytest.fixture(scope="module")
def snow(tutorial: Snowcave, tmp_path_factory: pytest.TempPathFactory) -> Generator[SnowCli]:
    """In a folder with specifications and a project; SNOW_POOL is there."""
    folder = tmp_path_factory.mktemp("snow")
    for name, text in (
        ("spec.yml", SERVICE),
        ("job.yml", JOB),
        ("falls.yml", FALLS),
        ("snowflake.yml", PROJECT),
    ):
        (folder / name).write_text(text)
    public = a_key(folder)
    with tutorial.connect() as admin:
        for sql in (
            "CREATE DATABASE snow_db",
            "ALTER DATABASE snow_db SET LOG_EVENT_LEVEL = INFO",
            "CREATE TAG t",
            "CREATE NETWORK RULE out TYPE = HOST_PORT MODE = EGRESS VALUE_LIST = ('example.org:443')",
            "CREATE EXTERNAL ACCESS INTEGRATION snow_out ALLOWED_NETWORK_RULES = (out) ENABLED = TRUE",
            f"CREATE USER key_user RSA_PUBLIC_KEY='{public}' DEFAULT_ROLE=test_role",
            "GRANT ROLE test_role TO USER key_user",
        ):
            admin.cursor().execute(sql)
    by_key = tutorial.api(
        user="KEY_USER",
        authenticator="SNOWFLAKE_JWT",
        private_key_file=str(folder / "key.p8"),
        role="TEST_ROLE",
    )
    del by_key["password"]
    wrong = tutorial.api(password="guessed")
    other = {"by-key": by_key, "wrong": wrong}
    with snow_cli(folder, tutorial, other=other, **PLACE) as snow:
        snow_pool = ("compute-pool", "create", "snow_pool", "--family", "CPU_X64_S")
        made = snow("spcs", *snow_pool, "--if-not-exists", "--format", "json")
        assert made.status() == "Compute pool SNOW_POOL successfully created."
        yield snow
        snow("spcs", "compute-pool", "stop-all", "snow_pool")
        snow("spcs", "compute-pool", "drop", "snow_pool")


@pytest.mark.documented
def test_connections_by_password_and_by_key_pair_are_tested(snow: SnowCli):
    test = ("connection", "test", "--connection")
    password, key, wrong = snow.together((*test, "local"), (*test, "by-key"), (*test, "wrong"))
    assert password.json()["Status"] == "OK"
    assert (password.json()["Database"], password.json()["Role"]) == ("SNOW_DB", "ACCOUNTADMIN")
    assert (key.json()["User"], key.json()["Role"]) == ("KEY_USER", "TEST_ROLE")
    assert "Incorrect username or password was specified." in wrong.error()


@pytest.mark.ours
def test_what_snowcave_writes_down_is_a_connection_for_the_cli_and_both_connectors(
    tutorial: Snowcave, tmp_path: Path
):
    added = snowcave(tutorial.mesh.home, "connection add", "--folder", str(tmp_path))
    assert str(tmp_path / "connections.toml") in added
    command = (str(PYTHON.with_name("snow")), "connection", "test", "-c", "snowcave")
    said = run("env", f"SNOWFLAKE_HOME={tutorial.mesh.home}", *command, "--format", "json")
    assert json.loads(said)["Status"] == "OK"
    program = (
        "import snowflake.connector as c\n"
        "with c.connect(connection_name='snowcave') as one:\n"
        "    print(one.cursor().execute('select current_user()').fetchone()[0])"
    )
    for connector in (CONNECTOR4, CONNECTOR5):
        python = (str(connector.python), "-c", program)
        assert run("env", f"SNOWFLAKE_HOME={tmp_path}", *python).strip() == "ADMIN"


@pytest.mark.documented
def test_statements_come_from_the_command_line_a_file_and_the_input(snow: SnowCli):
    (snow.cwd / "some.sql").write_text("select 'from a file' as x; select 2 as y")
    said, file = snow.together(("sql", "-q", "select 1 as a, 'x' as b"), ("sql", "-f", "some.sql"))
    assert said.json() == [{"A": 1, "B": "x"}]
    assert file.json() == [[{"X": "from a file"}], [{"Y": 2}]]
    assert snow("sql", "-i", "--format", "json", stdin="select 3 as c").json() == [{"C": 3}]


@pytest.mark.documented
def test_a_statement_that_ends_with_an_arrow_goes_on_by_itself(snow: SnowCli):
    # As a table: the CLI's own JSON of such a list lacks a comma.
    said = snow("sql", "-q", "select 1 as a; select 2 as b;> select 3 as c")
    assert said.code == 0
    cells = [line.strip("| ") for line in said.out.splitlines()]
    assert {"A", "1", "scheduled query ID", "C", "3"} <= set(cells)
    (query,) = [cell for cell in cells if is_uuid(cell)]
    later = f"select * from table(result_scan('{query}'))"
    assert snow.json("sql", "-q", later) == [{"B": 2}]


@pytest.mark.validated
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sql", "-q", "select 1/0"), "100051 (22012): Division by zero"),
        (("sql", "-q", "select 1>"), "001003 (42000): SQL compilation error: syntax error"),
        (
            ("spcs", "compute-pool", "drop", "nowhere"),
            "002003 (02000): SQL compilation error: Compute pool 'NOWHERE' does not exist",
        ),
        (
            ("spcs", "compute-pool", "create", "snow_pool", "--family", "CPU_X64_S"),
            "Compute-pool SNOW_POOL already exists.",
        ),
        (
            (*EXECUTE, "j", "--compute-pool", "snow_pool", "--spec-path", "spec.yml"),
            "395018 (22023): Invalid spec: public endpoint 'e'",
        ),
        (
            ("spcs", "image-repository", "url", "nowhere"),
            "Image repository 'SNOW_DB.PUBLIC.nowhere' does not exist or not authorized.",
        ),
    ],
    ids=lambda value: "-".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_gets_snowflake_s_error(
    snow: SnowCli, arguments: tuple[str, ...], words: str
):
    said = snow(*arguments).error()
    # The identifier of the query stands between the code and the words.
    parts = [part for part in said.split(": ") if not is_uuid(part)]
    assert words in ": ".join(parts)


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


@pytest.mark.documented
def test_a_compute_pool_is_made_changed_and_dropped(snow: SnowCli):
    pool = ("spcs", "compute-pool")
    made = snow(
        *(*pool, "create", "snow_second", "--family", "CPU_X64_XS", "--comment", "it's"),
        *("--min-nodes", "1", "--max-nodes", "2", "--tag", "t=v", "--format", "json"),
        *("--init-suspend", "--no-auto-resume"),
    )
    assert made.status() == "Compute pool SNOW_SECOND successfully created."
    shown, described, status, terse = snow.together(
        (*pool, "list", "--like", "snow_s%", "--in-account"),
        (*pool, "describe", "snow_second"),
        (*pool, "status", "snow_second"),
        (*pool, "list", "--like", "snow_%", "--limit", "1", "--terse"),
    )
    (row,) = shown.json()
    assert (row["name"], row["state"]) == ("SNOW_SECOND", "SUSPENDED")
    assert (row["min_nodes"], row["max_nodes"], row["auto_resume"]) == (1, 2, "false")
    assert described.json()[0]["comment"] == "it's"
    told = json.loads(status.json()["SYSTEM$GET_COMPUTE_POOL_STATUS"])
    assert (told["name"], told["status"]) == ("SNOW_SECOND", "SUSPENDED")
    assert len(terse.json()) == 1
    change = ("--auto-resume", "--auto-suspend-secs", "60", "--comment", "c", "--max-nodes", "3")
    for command in (
        ("set", "snow_second", *change),
        ("unset", "snow_second", "--comment", "--auto-resume"),
        ("set", "snow_second", "--auto-resume"),
        ("resume", "snow_second"),
        ("suspend", "snow_second"),
        ("stop-all", "snow_second"),
    ):
        assert snow(*pool, *command, "--format", "json").status() == DONE
    described, listed, objects, kept = snow.together(
        ("object", "describe", "compute-pool", "snow_second"),
        (*pool, "list"),
        ("object", "list", "compute-pool"),
        (*pool, "create", "snow_second", "--family", "CPU_X64_S", "--if-not-exists"),
    )
    for shown in (listed, objects):
        assert {"SNOW_POOL", "SNOW_SECOND"} <= {row["name"] for row in shown.json()}
    assert kept.status() == "SNOW_SECOND already exists, statement succeeded."
    (row,) = described.json()
    assert (row["auto_suspend_secs"], row["auto_resume"], row["max_nodes"]) == (60, "true", 3)
    assert row["comment"] is None
    dropped, again = (
        snow(*pool, "drop", "snow_second", "--if-exists", "--format", "json").status()
        for _ in range(2)
    )
    assert dropped == "SNOW_SECOND successfully dropped."
    assert again == "Drop statement executed successfully (SNOW_SECOND already dropped)."


@pytest.mark.documented
def test_a_project_s_pool_and_repository_are_deployed(snow: SnowCli):
    pool, repository = ("spcs", "compute-pool"), ("spcs", "image-repository")
    made = snow(*pool, "deploy", "cp", "--format", "json").status()
    assert made == "Compute pool SNOW_DEPLOYED successfully created."
    upgraded, replaced = snow.together(
        (*pool, "deploy", "cp", "--upgrade"), (*repository, "deploy", "repo", "--replace")
    )
    assert upgraded.status() == DONE
    assert replaced.status() == "Image Repository SNOW_DEPLOYED successfully created."
    dropped = snow.together(
        (*pool, "drop", "snow_deployed"), (*repository, "drop", "snow_deployed")
    )
    assert [one.status() for one in dropped] == ["SNOW_DEPLOYED successfully dropped."] * 2


@pytest.mark.documented
def test_image_repositories_are_made_listed_and_dropped(snow: SnowCli, tutorial: Snowcave):
    repository = ("spcs", "image-repository")
    create = (*repository, "create", "boxes")
    assert "BOXES successfully created." in snow(*create, "--format", "json").status()
    told = snow(*create).error()
    assert "Image-repository BOXES already exists." in told
    kept = snow(*create, "--if-not-exists", "--format", "json").status()
    assert kept == "BOXES already exists, statement succeeded."
    assert "successfully created" in snow(*create, "--replace", "--format", "json").status()
    listed, objects, url = snow.together(
        (*repository, "list", "--in", "database", "snow_db", "--like", "b%"),
        ("object", "list", "image-repository"),
        (*repository, "url", "boxes"),
    )
    expected = f"{tutorial.mesh.registry_host}/snow_db/public/boxes"
    assert [row["repository_url"] for row in listed.json()] == [expected]
    assert [row["name"] for row in objects.json()] == ["BOXES"]
    assert url.json() == {"message": expected}
    dropped = snow(*repository, "drop", "boxes", "--format", "json").status()
    assert dropped == "BOXES successfully dropped."


@pytest.mark.documented
def test_images_and_their_tags_are_listed(snow: SnowCli, tutorial: Snowcave):
    dotted = REPOSITORY.replace("/", ".")
    images = ("spcs", "image-repository", "list-images", dotted)
    some, none = snow.together((*images, "--like", f"{NAME[:5]}%"), (*images, "--like", "x%"))
    (row,) = some.json()
    assert (row["image_name"], row["tags"], row["image_path"]) == (NAME, "latest", IMAGE)
    assert none.json() == []
    # By HTTPS whatever the connection says: it needs our authority.
    authority = {"REQUESTS_CA_BUNDLE": str(tutorial.mesh.folder("tls") / "ca.pem")}
    name = f"/{REPOSITORY}/{NAME}"
    tags = ("spcs", "image-repository", "list-tags", dotted, "--image-name", name)
    assert snow(*tags, "--format", "json", **authority).json() == [{"tag": f"{name}:latest"}]


@pytest.mark.documented
def test_docker_is_logged_in_to_the_registry(snow: SnowCli, tutorial: Snowcave):
    registry = ("spcs", "image-registry")
    url, private, token = snow.together(
        (*registry, "url"), (*registry, "url", "--private-link"), (*registry, "token")
    )
    host = tutorial.mesh.registry_host
    assert url.json() == private.json() == {"message": host}
    assert set(token.json()) == {"token", "expires_in"}
    pull = (*("docker", "--config", str(snow.docker_config), "pull", "--quiet"), f"{host}/{IMAGE}")
    engine = {"DOCKER_HOST": f"unix://{tutorial.engine_socket}"}
    assert "Login Succeeded" in snow(*registry, "login", **engine).out
    logged_in = json.loads((snow.docker_config / "config.json").read_text())
    assert host in logged_in["auths"]
    assert host in tutorial.docker("--config", *pull[2:])


@pytest.fixture(scope="module")
def service(snow: SnowCli) -> SnowCli:
    """SVC1 runs."""
    made = snow(
        *("spcs", "service", "create", "svc1", "--compute-pool", "snow_pool"),
        *("--spec-path", "spec.yml", "--min-instances", "1", "--max-instances", "2"),
        *("--query-warehouse", "tutorial_warehouse", "--comment", "c'x", "--tag", "t=v"),
        *("--eai-name", "snow_out", "--format", "json"),
    )
    assert made.status() == "Service SVC1 successfully created."
    until(lambda: service_status(snow, "svc1") == "RUNNING", READY)
    return snow


def service_status(snow: SnowCli, name: str) -> str:
    return snow.json("spcs", "service", "describe", name)[0]["status"]


@pytest.mark.documented
def test_a_service_is_described_with_all_that_belongs_to_it(service: SnowCli):
    names = ("describe", "list-endpoints", "list-instances", "list-containers", "list-roles")
    commands = [("spcs", "service", name, "svc1") for name in (*names, "status")]
    answers = [one.json() for one in service.together(*commands)]
    described, endpoints, instances, containers, roles, status = answers
    assert (described[0]["comment"], described[0]["auto_suspend_secs"]) == ("c'x", 0)
    assert "a$b" in described[0]["spec"]
    assert json.loads(described[0]["external_access_integrations"]) == ["SNOW_OUT"]
    assert [(one["name"], one["is_public"]) for one in endpoints] == [("e", "true")]
    assert [(one["instance_id"], one["status"]) for one in instances] == [("0", "READY")]
    assert [(one["container_name"], one["status"]) for one in containers] == [("main", "READY")]
    assert [one["name"] for one in roles] == ["ALL_ENDPOINTS_USAGE"]
    assert [(one["containerName"], one["status"]) for one in status] == [("main", "READY")]
    listed, scoped, objects = service.together(
        ("spcs", "service", "list"),
        ("spcs", "service", "list", "--like", "s%", "--in", "compute-pool", "snow_pool"),
        ("object", "list", "service", "--like", "s%", "--in", "database", "snow_db"),
    )
    for shown in (listed, scoped, objects):
        assert "SVC1" in [row["name"] for row in shown.json()]


@pytest.mark.documented
def test_logs_of_a_service_are_printed(service: SnowCli):
    logs = ("spcs", "service", "logs", "--container-name", "main", "--instance-id", "0")
    plain = service(*logs, "snow_db.public.svc1")
    assert "echo-service" in plain.out
    stamped = service(
        *(*logs, "svc1", "--num-lines", "1", "--include-timestamps"),
        *("--since", "2026-01-01T00:00:00Z"),
    )
    (first,) = (line for line in stamped.out.splitlines() if line.strip())
    assert first[:4].isdigit()
    assert "T" in first.split()[0]


@pytest.mark.documented
def test_logs_are_followed_until_one_has_seen_enough(service: SnowCli):
    follow = ("logs", "svc1", "--container-name", "main", "--instance-id", "0", "--follow")
    command = (str(PYTHON.with_name("snow")), "spcs", "service", *follow)
    environment = {**service.environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        limit = threading.Timer(READY, running.kill)
        limit.start()
        assert running.stdout is not None
        assert any("echo-service" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        assert running.wait() >= 0
        limit.cancel()


@pytest.mark.documented
def test_logs_of_the_run_before_are_printed(snow: SnowCli):
    create = ("spcs", "service", "create", "falling", "--compute-pool", "snow_pool")
    snow(*create, "--spec-path", "falls.yml", "--format", "json").status()
    logs = ("spcs", "service", "logs", "falling", "--container-name", "main", "--instance-id", "0")
    until(lambda: "one life of many" in snow(*logs, "--previous-logs").out, READY)
    containers = snow.json("spcs", "service", "list-containers", "falling")
    assert int(containers[0]["restart_count"]) >= 1
    both = snow(*logs, "--previous-logs", "--follow").err
    assert "--previous-logs" in both
    snow("spcs", "service", "drop", "falling", "--format", "json").status()


@pytest.mark.documented
def test_events_and_metrics_of_a_service_are_printed(service: SnowCli):
    place = ("svc1", "--container-name", "main", "--instance-id", "0", "--format", "json")
    events, metrics = ((*("spcs", "service", kind), *place) for kind in ("events", "metrics"))

    def told(*arguments: str) -> list[dict[str, Any]]:
        found = service(*arguments).json()
        return found if isinstance(found, list) else []  # "No metrics found."

    latest = until(lambda: told(*metrics), READY)
    assert {row["METRIC NAME"] for row in latest} & {
        "container.cpu.usage",
        "container.memory.usage",
    }
    every = told(*metrics, "--since", "1 hour")
    assert {row["METRIC NAME"] for row in latest} <= {row["METRIC NAME"] for row in every}
    running = {"SERVICE NAME": "SVC1", "CONTAINER NAME": "main", "SEVERITY": "INFO"}
    found = told(*events, "--since", "1 hour")
    assert running.items() <= found[0].items()
    assert {row["EVENT NAME"] for row in found} == {"CONTAINER.STATUS_CHANGE"}
    assert len(told(*events, "--since", "1 hour", "--first", "1")) == 1
    (last,) = told(*events, "--since", "1 hour", "--last", "1")
    assert last == found[-1]
    assert told(*events, "--since", "1 hour", "--until", "2 hours") == []
    (whole, *_) = told(*events, "--since", "1 hour", "--all")
    assert {"TIMESTAMP", "RESOURCE_ATTRIBUTES", "RECORD_TYPE", "RECORD", "VALUE"} <= set(whole)
    assert whole["RECORD_TYPE"] == "EVENT"


@pytest.mark.documented
def test_a_service_is_changed_suspended_and_upgraded(service: SnowCli):
    verb = ("spcs", "service")
    change = ("--min-instances", "1", "--max-instances", "2", "--auto-resume", "--comment", "c")
    for command in (
        ("set", "svc1", *change, "--query-warehouse", "tutorial_warehouse"),
        ("set", "svc1", "--eai-name", "snow_out", "--auto-suspend-secs", "300"),
        ("unset", "svc1", "--comment", "--auto-suspend-secs", "--query-warehouse"),
        ("unset", "svc1", "--min-instances", "--max-instances", "--auto-resume"),
        ("suspend", "svc1"),
        ("resume", "svc1"),
        ("upgrade", "svc1", "--spec-path", "spec.yml"),
    ):
        assert service(*verb, *command, "--format", "json").status() == DONE
    too_soon = service(*verb, "set", "svc1", "--auto-suspend-secs", "60").error()
    assert "001008 (22023)" in too_soon
    assert "invalid value '60' for property 'AUTO_SUSPEND_SECS'" in too_soon
    create = (*verb, "create", "svc1", "--compute-pool", "snow_pool", "--spec-path", "spec.yml")
    assert "Service SVC1 already exists." in service(*create).error()
    kept = service(*create, "--if-not-exists", "--format", "json").status()
    assert kept == "SVC1 already exists, statement succeeded."


@pytest.mark.documented
def test_a_project_s_service_is_deployed_from_a_stage_and_deployed_anew(snow: SnowCli):
    deploy = ("spcs", "service", "deploy", "svc", "--format", "json")
    assert snow(*deploy).status() == "Service DEPLOYED successfully created."
    (snow.cwd / "spec.yml").write_text(SERVICE.replace("a$b", "changed"))
    assert snow(*deploy, "--upgrade").status() == DONE
    (snow.cwd / "spec.yml").write_text(SERVICE)
    (row,) = snow.json("spcs", "service", "describe", "deployed")
    assert "changed" in row["spec"]
    assert (row["comment"], row["auto_suspend_secs"]) == ("it's a test", 600)
    assert json.loads(row["external_access_integrations"]) == ["SNOW_OUT"]
    dropped = snow("object", "drop", "service", "snow_db.public.deployed", "--format", "json")
    assert dropped.status() == "DEPLOYED successfully dropped."


@pytest.mark.documented
def test_jobs_are_run_and_waited_for_or_not(snow: SnowCli):
    job = ("--compute-pool", "snow_pool", "--spec-path", "job.yml")
    waited, started = snow.together(
        (*EXECUTE, "j1", *job),
        (
            *(*EXECUTE, "j2", *job, "--async", "--replicas", "2", "--comment", "c"),
            *("--eai-name", "snow_out", "--query-warehouse", "tutorial_warehouse"),
        ),
    )
    assert waited.status() == "Job J1 completed successfully with status: DONE."
    assert started.status() == "Started Snowpark Container Services Job 'J2'."
    until(lambda: service_status(snow, "j2") == "DONE", READY)
    said = snow("spcs", "service", "logs", "j1", "--container-name", "main", "--instance-id", "0")
    assert "a job has run" in said.out


@pytest.mark.documented
def test_files_are_copied_to_a_stage_and_back(snow: SnowCli):
    (snow.cwd / "back").mkdir()
    created = snow("stage", "create", "st", "--format", "json").status()
    assert created == "Stage area ST successfully created."
    copied = snow.json("stage", "copy", "job.yml", "@st/dir")
    assert [(row["target"], row["status"]) for row in copied] == [("job.yml", "UPLOADED")]
    listed, objects = snow.together(
        ("stage", "list-files", "@st"), ("object", "list", "stage", "--terse")
    )
    assert [row["name"] for row in listed.json()] == ["st/dir/job.yml"]
    assert "ST" in [row["name"] for row in objects.json()]
    fetched = snow.json("stage", "copy", "@st/dir", f"{snow.cwd}/back")
    assert [row["status"] for row in fetched] == ["DOWNLOADED"]
    assert (snow.cwd / "back/job.yml").read_text() == JOB
    removed: Any = snow.json("stage", "remove", "@st", "dir/job.yml")
    assert removed == {"name": "st/dir/job.yml", "result": "removed"}


@pytest.mark.documented
def test_a_database_and_a_schema_are_made_by_the_rest_api(snow: SnowCli):
    create = ("object", "create")
    made = snow(*create, "database", "name=snow_made").out
    assert made.strip() == "Database SNOW_MADE successfully created."
    assert "already exists" in snow(*create, "database", "name=snow_made").error()
    schema = snow(*create, "schema", "name=s", "--database", "snow_made").out
    assert schema.strip() == "Schema S successfully created."
    dropped = snow("object", "drop", "database", "snow_made", "--format", "json").status()
    assert dropped == "SNOW_MADE successfully dropped."


@pytest.mark.documented
def test_a_service_is_dropped(service: SnowCli):
    drop = ("spcs", "service", "drop", "svc1")
    first = service(*drop, "--force", "--format", "json").status()
    assert first == "SVC1 successfully dropped."
    again = service(*drop, "--if-exists", "--format", "json").status()
    assert again == "Drop statement executed successfully (SVC1 already dropped)."
