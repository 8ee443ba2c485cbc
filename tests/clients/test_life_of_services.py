"""Services that cannot run, stop, go and come again."""

import re
from collections.abc import Generator
from typing import Any

import pytest
import snowflake.connector

from tests.kit.clients import (
    Fleet,
    call,
    containers,
    endpoint,
    ingress_host,
    probe_container,
    service_sql,
    status,
    wait_ready,
)
from tests.kit.mesh import Snowcave, rows, snowcave, until

pytestmark = pytest.mark.docker

PUBLIC = endpoint("ui", 8000, public=True)
# A container that has answered once has also learned to end when it is told to.
PROBE = "    readinessProbe:\n      port: 8000\n      path: {}\n"


def failure(session: Any, sql: str) -> Any:
    with pytest.raises(snowflake.connector.errors.Error) as caught:
        session.cursor().execute(sql)
    return caught.value


def names(session: Any) -> set[str]:
    return {row["name"] for row in rows(session, "SHOW SERVICES")}


@pytest.fixture
def dropped(fleet: Fleet) -> Generator[list[str]]:
    """Services to drop afterwards."""
    made: list[str] = []
    yield made
    for name in made:
        fleet.session.cursor().execute(f"DROP SERVICE IF EXISTS {name}")


@pytest.mark.documented
def test_a_service_that_never_is_ready_stays_pending_and_gets_no_traffic(
    fleet: Fleet, dropped: list[str]
):
    session = fleet.session
    dropped.append("never")
    # The probe asks a port on which nobody listens.
    sql = service_sql("never", probe_container("probe", "8001", more=PROBE.format("/up")), PUBLIC)
    session.cursor().execute(sql)
    session.cursor().execute(
        "CREATE OR REPLACE FUNCTION ask_never (x varchar) RETURNS varchar "
        "SERVICE=never ENDPOINT=ui AS '/echo'"
    )
    words = "Readiness probe is failing at path: /up, port: 8000"
    until(lambda: containers(session, "never")[0]["message"] == words, 60)
    (container,) = containers(session, "never")
    assert (container["status"], container["instance_status"]) == ("PENDING", "PENDING")
    assert status(session, "never") == "PENDING"
    error = failure(session, "SELECT ask_never('x')")
    assert "NEVER" in error.msg
    assert "PENDING" in error.msg
    reply = call(ingress_host(session, "never"), token=fleet.token)
    assert reply.status == 503
    assert "PENDING" in reply.body


@pytest.mark.documented
def test_a_missing_image_has_its_error_and_leaves_nothing(fleet: Fleet):
    session, before = fleet.session, keys(fleet.cave)
    image = "/tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest"
    sql = service_sql("without", probe_container(), PUBLIC).replace(image, image[:-6] + "none")
    error = failure(session, sql)
    path = "tutorial_db/data_schema/tutorial_repository/my_echo_service_image:none"
    assert error.msg.endswith(
        f"Failed to retrieve image {path} from the image repository. "
        "Either the image doesn't exist or is not authorized."
    )
    assert "WITHOUT" not in names(session)
    assert keys(fleet.cave) <= before


def keys(cave: Snowcave) -> set[str]:
    """What the store holds of services."""
    prefixes = ("catalog/service/", "name/service/", "status/service/", "assign/")
    listed = (line.split()[1] for line in snowcave(cave.mesh.home, "state ls").splitlines())
    return {key for key in listed if key.startswith(prefixes)}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("specification", "words"),
    [
        ("spec:\n  containers:\n  - name: a\n   image: b\n", r"line \d"),
        ("spec:\n  containers:\n  - name: a\n", r"'image' for 'containers\[0\]'"),
        (
            "spec:\n  containers:\n  - name: a\n    image: /a/b/c/d\n    color: red\n",
            r"unknown option 'color' for 'containers\[0\]'",
        ),
        ("spec: 7\n", "'spec'"),
        ("", "spec"),
    ],
    ids=["no-yaml", "missing", "unknown", "wrong-type", "empty"],
)
def test_a_malformed_specification_names_the_place_and_leaves_nothing(
    fleet: Fleet, specification: str, words: str
):
    before = keys(fleet.cave)
    error = failure(
        fleet.session,
        f"CREATE SERVICE odd IN COMPUTE POOL wide_pool FROM SPECIFICATION $${specification}$$",
    )
    assert error.errno == 395018
    assert re.search(words, error.msg), error.msg
    assert keys(fleet.cave) <= before


@pytest.mark.documented
def test_a_dropped_service_leaves_no_container_and_no_key(fleet: Fleet, dropped: list[str]):
    session, cave = fleet.session, fleet.cave
    keys_before, containers_before = keys(cave), names_on_engine(cave)
    dropped.append("short_lived")
    session.cursor().execute(
        service_sql("short_lived", probe_container(more=PROBE.format("/up")), PUBLIC)
    )
    wait_ready(session, "short_lived")
    # A sandbox and a container.
    assert len(names_on_engine(cave) - containers_before) == 2
    session.cursor().execute("DROP SERVICE short_lived")
    assert "SHORT_LIVED" not in names(session)
    until(lambda: keys(cave) <= keys_before, 60)
    assert names_on_engine(cave) <= containers_before
    error = failure(session, "DESC SERVICE short_lived")
    assert error.errno == 2003


def names_on_engine(cave: Snowcave) -> set[str]:
    """All containers of the mesh, stopped ones too."""
    label = f"label={cave.mesh.container_label}"
    return set(cave.docker("ps", "-a", "--filter", label, "--format", "{{.Names}}").split())


@pytest.mark.documented
def test_suspend_takes_the_containers_away_and_resume_brings_them_back(
    fleet: Fleet, dropped: list[str]
):
    session = fleet.session
    dropped.append("sleeper")
    # A call would wake it otherwise.
    sleeper = service_sql(
        "sleeper", probe_container(more=PROBE.format("/up")), PUBLIC, "AUTO_RESUME=FALSE"
    )
    session.cursor().execute(sleeper)
    session.cursor().execute(
        "CREATE OR REPLACE FUNCTION ask_sleeper (x varchar) RETURNS varchar "
        "SERVICE=sleeper ENDPOINT=ui AS '/echo'"
    )
    wait_ready(session, "sleeper")
    (digest,) = [row["image_digest"] for row in containers(session, "sleeper")]
    session.cursor().execute("ALTER SERVICE sleeper SUSPEND")
    until(lambda: status(session, "sleeper") == "SUSPENDED", 60)
    (nobody,) = containers(session, "sleeper")
    assert (nobody["instance_id"], nobody["container_name"]) == (None, None)
    assert "SUSPENDED" in failure(session, "SELECT ask_sleeper('x')").msg
    session.cursor().execute("ALTER SERVICE sleeper SUSPEND")
    session.cursor().execute("ALTER SERVICE sleeper RESUME")
    until(lambda: status(session, "sleeper") == "RUNNING", 60)
    (container,) = containers(session, "sleeper")
    assert (container["status"], container["image_digest"]) == ("READY", digest)
    assert session.cursor().execute("SELECT ask_sleeper('x')").fetchone() == ("x",)


@pytest.mark.documented
def test_a_pool_suspends_its_services_and_resumes(tutorial: Snowcave, fleet: Fleet):
    session = fleet.session
    with tutorial.connect() as admin:
        admin.cursor().execute(
            "CREATE COMPUTE POOL brief_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS"
        )
        grant = "GRANT USAGE, MONITOR, OPERATE ON COMPUTE POOL brief_pool TO ROLE test_role"
        admin.cursor().execute(grant)
        try:
            sql = service_sql("lodger", probe_container(more=PROBE.format("/up")), PUBLIC)
            session.cursor().execute(sql.replace("wide_pool", "brief_pool"))
            wait_ready(session, "lodger")
            session.cursor().execute("ALTER COMPUTE POOL brief_pool SUSPEND")
            until(lambda: pool_state(session, "brief_pool") == "SUSPENDED", 60)
            assert status(session, "lodger") == "SUSPENDED"
            session.cursor().execute("ALTER COMPUTE POOL brief_pool RESUME")
            until(lambda: pool_state(session, "brief_pool") in ("IDLE", "ACTIVE"), 60)
            session.cursor().execute("ALTER SERVICE lodger RESUME")
            wait_ready(session, "lodger")
        finally:
            session.cursor().execute("DROP SERVICE IF EXISTS lodger")
            admin.cursor().execute("ALTER COMPUTE POOL brief_pool STOP ALL")
            admin.cursor().execute("DROP COMPUTE POOL brief_pool")


def pool_state(session: Any, pool: str) -> str:
    return rows(session, f"DESCRIBE COMPUTE POOL {pool}")[0]["state"]


@pytest.mark.documented
def test_min_instances_is_how_many_run(fleet: Fleet):
    (service,) = [s for s in rows(fleet.session, "SHOW SERVICES") if s["name"] == "TWINS"]
    counts = {key: service[f"{key}_instances"] for key in ("min", "max", "current", "target")}
    assert counts == {"min": 2, "max": 2, "current": 2, "target": 2}
    instances = rows(fleet.session, "SHOW SERVICE INSTANCES IN SERVICE twins")
    assert sorted(row["instance_id"] for row in instances) == ["0", "1"]
    assert {row["status"] for row in instances} == {"READY"}
