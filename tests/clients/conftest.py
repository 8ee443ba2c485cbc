"""One mesh for the folder, with the tutorial's objects and a few services to look at it from inside."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.kit.clients import (
    CONNECTOR4,
    CONNECTOR_IMAGE,
    IMAGE,
    OTHER_USER,
    OTHERS,
    PLACE,
    SETUP,
    Fleet,
    call,
    endpoint,
    ingress_host,
    probe_container,
    service_sql,
    statements,
    tutorial_session,
    wait_ready,
)
from tests.kit.mesh import (
    CONNECTOR_PACKAGES,
    ECHO_COMMAND,
    ROOT,
    Snowcave,
    build_echo,
    clean_environment,
    leftovers,
    running_mesh,
    until,
)
from tests.kit.strange_input import HALF, Outcome, send_everywhere

# The longest that a port of ours waits for the rest of a request is 75 s.
HALF_PATIENCE = 100.0
PROVENANCE = {"documented", "validated", "ours", "deviates"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        marks = {mark.name for mark in item.iter_markers()}
        if len(marks & PROVENANCE) != 1 or "docker" not in marks:
            words = " or ".join(sorted(PROVENANCE))
            raise pytest.UsageError(f"{item.nodeid} is marked docker and with one of {words}")


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> Generator[None]:
    """The connector of our own environment must reach this machine, too."""
    before, clean = dict(os.environ), clean_environment()
    os.environ.clear()
    os.environ.update(clean)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def cave(no_proxy: None, request: pytest.FixtureRequest) -> Generator[Snowcave]:
    """The mesh, with the test image imported into its engine. Nothing of it is left afterwards."""
    # Sockets in it: the path has to be short.
    home = Path(tempfile.mkdtemp(prefix="snowcave-clients-"))
    # Metrics of containers as often as tests can wait for.
    (home / "snowcave.toml").write_text("[agent.telemetry.metrics]\ninterval = 2.0\n")
    programs = ROOT / "tests/clients/programs"
    names = ("probe.py", "polite.py", "page.py", "external.py")
    files = [f"{programs / name}:/app/{name}" for name in names]
    with ThreadPoolExecutor(1) as pool:
        web = ("python3-flask", "python3-fastapi", "uvicorn")
        image = pool.submit(build_echo, home, *files, packages=web)
        with running_mesh(home) as cave:
            tag = f"{cave.mesh.registry_host}/{IMAGE}"
            cave.docker("import", "--change", ECHO_COMMAND, str(image.result()), tag)
            yield cave
    assert leftovers(cave.mesh) == []
    if not request.session.testsfailed:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def half_requests(cave: Snowcave) -> Generator[Future[list[Outcome]]]:
    """Requests that never end, on every port; what became of them after HALF_PATIENCE."""
    with ThreadPoolExecutor(1) as pool:
        waiting = send_everywhere(cave.mesh, HALF, HALF_PATIENCE, until_closed=True)
        yield pool.submit(asyncio.run, waiting)


@pytest.fixture(scope="session")
def tutorial(cave: Snowcave, half_requests: Future[list[Outcome]]) -> Snowcave:
    """Set up by the connector, the image pushed by Docker."""
    for answer in CONNECTOR4.execute(cave, statements(SETUP)):
        assert "errno" not in answer, answer
    host, tag = cave.mesh.registry_host, f"{cave.mesh.registry_host}/{IMAGE}"
    cave.docker("login", host, "-u", "ADMIN", "--password-stdin", stdin=cave.password)
    cave.docker("push", "--quiet", tag)
    return cave


@pytest.fixture(scope="session")
def connector_image(tutorial: Snowcave, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with the connector, and programs that use it from inside."""
    folder = tmp_path_factory.mktemp("connector-image")
    packages = folder / "packages"
    heavy = shutil.ignore_patterns(
        "boto*", "s3transfer*", "pip*", "setuptools*", "pkg_resources", "__pycache__"
    )
    shutil.copytree(CONNECTOR_PACKAGES, packages, ignore=heavy)
    programs = Path(__file__).parent / "programs"
    files = [f"{programs / name}:/app/{name}" for name in ("job.py", "caller.py")]
    tar = build_echo(folder, f"{packages}:/opt/connector", *files, packages=["libstdc++6"])
    tutorial.push(tar, CONNECTOR_IMAGE, "ENV PYTHONPATH=/opt/connector")
    return CONNECTOR_IMAGE


@pytest.fixture(scope="session")
def session(tutorial: Snowcave) -> Generator[Any]:
    with tutorial_session(tutorial) as connection:
        yield connection


@pytest.fixture(scope="session")
def others(tutorial: Snowcave) -> Generator[Any]:
    """A session of OTHER_USER; WIDE_POOL is there."""
    with tutorial.connect() as admin:
        for statement in statements(OTHERS):
            admin.cursor().execute(statement)
    with tutorial.connect(role="OTHER_ROLE", **PLACE, **OTHER_USER) as connection:
        yield connection


@pytest.fixture(scope="session")
def fleet(tutorial: Snowcave, session: Any, others: Any) -> Fleet:
    both = (
        probe_container()
        + probe_container("side", "9100")
        + probe_container("inner", "9000", "127.0.0.1")
    )
    session.cursor().execute(service_sql("probe", both, endpoint("look", 8000, public=True)))
    twins = service_sql("twins", probe_container(), endpoint("who", 8000), "MIN_INSTANCES=2")
    session.cursor().execute(twins)
    strange = service_sql("stranger", probe_container(), endpoint("look", 8000, public=True))
    others.cursor().execute(strange)
    wait_ready(session, "probe", "twins")
    wait_ready(others, "stranger")
    made = Fleet(
        cave=tutorial,
        session=session,
        token=session.rest.token,
        probe=ingress_host(session, "probe"),
        stranger=ingress_host(others, "stranger"),
    )
    # Without a probe a container is READY when it runs, which is before its program listens.
    until(lambda: call(made.probe, token=made.token).status == 200, 30)
    return made
